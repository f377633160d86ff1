#include "runtime/used_grants.h"

#include <algorithm>
#include <string_view>

namespace cordon::runtime {
namespace {

using policy::Capability;
using policy::Kind;
using policy::Ruling;

bool Asked(std::span<const HostExchange> exchanges, std::string_view interface_name, std::string_view function) {
  return std::ranges::any_of(exchanges, [&](const HostExchange& one) {
    return one.interface_name.starts_with(interface_name) && (function.empty() || one.function == function);
  });
}

// Rights that no question is asked for: the engine has them from the start.
bool IsUsedWithoutAsking(const Capability& effective, std::span<const HostExchange> exchanges) {
  switch (effective.kind()) {
    case Kind::kEnvironment: return Asked(exchanges, "wasi:cli/environment", "get-environment");
    case Kind::kArguments: return Asked(exchanges, "wasi:cli/environment", "get-arguments");
    case Kind::kClock: return Asked(exchanges, "wasi:clocks/", "");
    default: return false;
  }
}

bool IsDefault(const Ruling& ruling) { return ruling.rule == "default-on"; }

}  // namespace

std::vector<Capability> UsedGrants(const Plugin& plugin, const std::vector<audit::Record>& decisions,
                                   std::span<const HostExchange> exchanges) {
  std::vector<Capability> used;
  const auto add = [&](const Capability& capability) {
    if (std::ranges::any_of(used, [&](const Capability& one) { return one.Covers(capability); })) return;
    std::erase_if(used, [&](const Capability& one) { return capability.Covers(one); });
    used.push_back(capability);
  };
  const std::span<const Ruling> rulings = plugin.authority().rulings();
  const auto is_default = [&](const Capability& asked) {
    return std::ranges::any_of(
        rulings, [&](const Ruling& one) { return IsDefault(one) && one.effective && one.effective->Covers(asked); });
  };
  for (const audit::Record& record : decisions) {
    if (record.decision != policy::Verdict::kAllow) continue;
    const auto capability = Capability::Parse(record.capability);
    if (capability && !is_default(*capability)) add(*capability);
  }
  for (const Ruling& ruling : rulings) {
    if (!ruling.effective || IsDefault(ruling)) continue;
    const bool required = ruling.source == Ruling::Source::kManifest && ruling.request.need == policy::Need::kRequired;
    const bool in_use = std::ranges::any_of(used, [&](const Capability& one) { return ruling.effective->Covers(one); });
    if ((required && !in_use) || IsUsedWithoutAsking(*ruling.effective, exchanges)) add(*ruling.effective);
  }
  std::ranges::sort(used, {}, [](const Capability& one) { return one.ToString(); });
  return used;
}

}  // namespace cordon::runtime
