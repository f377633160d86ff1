// The oldest engine that is fit to run plugins. A new engine changes both (SECURITY.md).
#pragma once

#include <string_view>

namespace cordon::cli {

// The first release that has every fix known to concern an embedder.
inline constexpr std::string_view kSecurityFloor = "48.0.9";
// The oldest for whose missing fixes something of ours stands in: between the two `doctor` warns, below it fails.
inline constexpr std::string_view kMitigatedFloor = "48.0.8";

}  // namespace cordon::cli
