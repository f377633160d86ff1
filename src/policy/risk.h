// How much harm a capability can do. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "policy/capability.h"

namespace cordon::policy {

enum class RiskLevel : std::uint8_t { kLow, kMedium, kHigh, kCritical };
std::string_view RiskName(RiskLevel risk);
std::optional<RiskLevel> RiskNamed(std::string_view name);
// What one capability adds to the risk of a plugin that has it.
RiskLevel RiskOf(const Capability& capability);

}  // namespace cordon::policy
