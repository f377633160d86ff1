#include "policy/risk.h"

#include <algorithm>
#include <array>

namespace cordon::policy {
namespace {

constexpr std::array<std::string_view, 4> kRisks = {"low", "medium", "high", "critical"};

}  // namespace

std::string_view RiskName(RiskLevel risk) { return kRisks[static_cast<std::size_t>(risk)]; }

std::optional<RiskLevel> RiskNamed(std::string_view name) {
  const auto found = std::ranges::find(kRisks, name);
  if (found == kRisks.end()) return std::nullopt;
  return static_cast<RiskLevel>(found - kRisks.begin());
}

RiskLevel RiskOf(const Capability& capability) {
  switch (capability.kind()) {
    case Kind::kExec: return RiskLevel::kCritical;
    case Kind::kFiles: return capability.files()->access == Access::kWrite ? RiskLevel::kHigh : RiskLevel::kMedium;
    case Kind::kHttp:
    case Kind::kSockets:
    case Kind::kSecrets:
    case Kind::kCall:
    case Kind::kMessaging: return RiskLevel::kHigh;
    case Kind::kEnvironment:
    case Kind::kHost:
    case Kind::kMemory:
    case Kind::kContext:
    case Kind::kInstance:
    case Kind::kStorage: return RiskLevel::kMedium;
    default: return RiskLevel::kLow;
  }
}

}  // namespace cordon::policy
