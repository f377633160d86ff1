// Semantic versions and ranges (SemVer 2.0.0; the semver crate's grammar for ranges). Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon::semver {

// The canonical text of a strict version ("1.4.0", no build metadata differences), or E_NAME.
Result<std::string> ParseVersion(std::string_view text);
// -1, 0, 1 by SemVer precedence; both must be versions that ParseVersion took.
int Compare(std::string_view a, std::string_view b);
// Whether `version` lies in `range` (">=0.1 <2", "^2.1", "~1.2"); E_NAME for a bad range or version.
Result<bool> Matches(std::string_view version, std::string_view range);

}  // namespace cordon::semver
