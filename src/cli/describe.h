// Plugins, permissions, limits and links as JSON and as lines of text; shared by the commands that show them.
#pragma once

#include <string>

#include "cli/terminal.h"
#include "formats/json.h"
#include "runtime/plugin.h"

namespace cordon::cli {

// {"where", "rule"} of the process that a plugin runs in.
OrderedJson PlacementJson(const runtime::Plugin& plugin);
// "in a worker, by plugins.isolation.force".
std::string PlacementText(const runtime::Plugin& plugin);

// {"capability", "kind", "need", "reason", "state", "rule", "effective", "grant", "risk"} of each, the manifest's
// first.
OrderedJson PermissionsJson(const policy::Authority& authority);
std::string PermissionsText(const policy::Authority& authority, const Terminal& terminal);

// {"memory": {"value": "64MiB", "decided_by": "plugin.yaml limits.memory"}, …}
OrderedJson LimitsJson(const manifest::Limits& limits);
std::string LimitsText(const manifest::Limits& limits);

// {"import", "type", "state", "rule", "capability", "grant", "command", "message"} of each import.
OrderedJson ImportsJson(const abi::LinkPlan& plan);
std::string ImportsText(const abi::LinkPlan& plan, const Terminal& terminal);

// Text in a column of `width`.
std::string Padded(std::string_view text, std::size_t width);

}  // namespace cordon::cli
