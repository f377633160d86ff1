#include "runtime/rules.h"

#include <algorithm>
#include <chrono>

namespace cordon::runtime {
namespace {

policy::Level LevelOf(const Rules& rules, const CeilingSubject& subject) {
  const manifest::Config& config = rules.config;
  if (!subject.level) return config.LevelFor(subject.plugin, std::chrono::system_clock::now());
  const auto entry = config.entries.find(subject.plugin);
  return entry == config.entries.end() ? *subject.level
                                       : std::max(*subject.level, entry->second.level.value_or(*subject.level));
}

}  // namespace

policy::Ceiling CeilingOf(const Rules& rules, const CeilingSubject& subject) {
  policy::Ceiling ceiling =
      policy::Ceiling::For(LevelOf(rules, subject), rules.policies, subject.plugin, subject.artifact);
  const manifest::IsolationConfig& isolation = rules.config.isolation;
  if (isolation.Isolates(subject.plugin) && !isolation.network) ceiling.CutNetwork();
  ceiling.Offer(subject.host_names);
  return ceiling;
}

Status CheckEnabled(const Rules& rules, const std::string& plugin) {
  const auto entry = rules.config.entries.find(plugin);
  if (entry == rules.config.entries.end() || entry->second.enabled != false) return {};
  return Fail(Code::kDenied, plugin + " is disabled by the operator",
              "set plugins.entries." + plugin + ".enabled: true in config.yaml");
}

bool IsForAllTenants(const Rules& rules, const std::string& plugin) {
  const auto entry = rules.config.entries.find(plugin);
  return entry != rules.config.entries.end() && entry->second.tenants == manifest::ConfigEntry::Tenants::kShared;
}

std::string_view ApartBy(const Rules& rules, const std::string& plugin, policy::Level level) {
  const manifest::IsolationConfig& isolation = rules.config.isolation;
  if (level == policy::Level::kParanoid) return "level:paranoid";
  if (isolation.Forces(plugin)) return "plugins.isolation.force";
  return isolation.Isolates(plugin) ? "plugins.isolation.enabled" : "";
}

}  // namespace cordon::runtime
