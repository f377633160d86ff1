// Readers of quotas: `plugins.quotas`, `plugins.entries.*.quotas`, and `limits.io` of plugin.yaml. For this room only.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "formats/yaml.h"
#include "manifest/fields.h"
#include "policy/quota.h"

namespace cordon::manifest {

using ReadQuotaKey = void (*)(Findings& findings, const yaml::Node& node, std::string_view key, policy::Quota& out);

// One for each key that has a value, by its path below `quotas`.
struct QuotaKey {
  std::string_view path;  // "cpu.share"
  ReadQuotaKey read;
};
std::span<const QuotaKey> QuotaKeys();

// The whole mapping `path`, whose keys are those of "plugins.quotas". `origin` is told of each key that is set.
using QuotaOrigin = std::function<void(std::string_view key, const yaml::Node& node)>;
void ReadQuota(Findings& findings, const yaml::Node* section, const std::string& path, policy::Quota& out,
               const QuotaOrigin& origin = {});
// The mapping `limits.io` of a manifest.
void ReadIo(Findings& findings, const yaml::Node* section, const std::string& path, policy::Quota& out);

}  // namespace cordon::manifest
