#include "policy/policy.h"

#include <algorithm>

#include "policy/capability_grammar.h"

namespace cordon::policy {
namespace {

// In the place of any mount while a capability is parsed or compared.
constexpr std::string_view kAnyMount = "/any";

Capability WithMount(const Capability& capability, std::string_view mount) {
  FilesScope scope = *capability.files();
  scope.mount = mount;
  return CapabilityMaker::Make(Kind::kFiles, std::move(scope));
}

}  // namespace

Result<Allowance> Allowance::Parse(std::string_view text) {
  Allowance allowance;
  allowance.text_ = text;
  if (const auto kind = KindNamed(text)) {
    allowance.kind_ = *kind;
    return allowance;
  }
  std::string parsed(text);
  constexpr std::string_view kStarMount = ":*=";
  const std::size_t star = parsed.find(kStarMount);
  if (text.starts_with("fs:") && star != std::string::npos) {
    parsed.replace(star + 1, 1, kAnyMount);
    allowance.any_mount_ = true;
  }
  auto capability = Capability::Parse(parsed);
  if (!capability) {
    Error error = std::move(capability).error();
    if (error.remedy.empty()) error.remedy = "write a capability, or a kind such as files, http or storage";
    return Fail(std::move(error));
  }
  allowance.kind_ = capability->kind();
  allowance.capability_ = std::move(*capability);
  return allowance;
}

std::optional<Capability> Allowance::Narrow(const Capability& capability) const {
  if (capability.kind() != kind_) return std::nullopt;
  if (!capability_) return capability;
  if (!any_mount_) return Intersect(*capability_, capability);
  const auto both = Intersect(*capability_, WithMount(capability, kAnyMount));
  if (!both) return std::nullopt;
  return WithMount(*both, capability.files()->mount);
}

Policy::Found Policy::Find(std::string_view plugin, const Digest& artifact) const {
  if (const auto named = plugins.find(plugin); named != plugins.end()) return {&named->second, true};
  if (const auto pinned = plugins.find(artifact.ToString()); pinned != plugins.end()) return {&pinned->second, true};
  return {&others, false};
}

}  // namespace cordon::policy
