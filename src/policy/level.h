// The security levels. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "cordon/result.h"

namespace cordon::policy {

// From the weakest to the strictest.
enum class Level : std::uint8_t { kRelaxed, kDefault, kStrict, kParanoid };
std::string_view LevelName(Level level);
// E_TYPE for another word.
Result<Level> ParseLevel(std::string_view text);

}  // namespace cordon::policy
