// What the operator's files say, as of one moment: config.yaml and the policies. Replaced as a whole when they change;
// a load keeps to those that it began with.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manifest/config.h"
#include "policy/ceiling.h"
#include "policy/policy.h"

namespace cordon::runtime {

struct Rules {
  manifest::Config config;
  std::vector<std::shared_ptr<const policy::Policy>> policies;  // each of them caps every grant
  std::vector<std::filesystem::path> files;                     // that they were read from: never mapped as a root
};

// Of a load, what a ceiling depends on beside the rules.
struct CeilingSubject {
  std::string plugin;
  Digest artifact;
  std::optional<policy::Level> level;   // that the load asks for
  std::vector<std::string> host_names;  // what the embedding program offers
};

// The level of this moment is the strictest of what the operator says of this load, else of all plugins, and of this
// plugin.
policy::Ceiling CeilingOf(const Rules& rules, const CeilingSubject& subject);
// E_DENIED when the operator disabled the plugin.
Status CheckEnabled(const Rules& rules, const std::string& plugin);
// Whether a resident of this name may serve every tenant with its one instance.
bool IsForAllTenants(const Rules& rules, const std::string& plugin);
// What demands a process of its own for the plugin: "level:paranoid", "plugins.isolation.force" or
// "plugins.isolation.enabled"; nothing when nothing does.
std::string_view ApartBy(const Rules& rules, const std::string& plugin, policy::Level level);

}  // namespace cordon::runtime
