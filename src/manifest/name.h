// The grammars of names. All are ASCII and lower-case, so that two names that look alike are one name. Pure.
#pragma once

#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon::manifest {

// `namespace/name`, each `[a-z0-9][a-z0-9-]{0,63}` and no device name of Windows (con, nul, com1); a bare name is
// given the namespace `local`. The full name, or E_NAME.
Result<std::string> ParsePluginName(std::string_view text);

// `[a-z0-9][a-z0-9_-]{0,63}`, or E_NAME.
Result<std::string> ParseActionName(std::string_view text);

// A relative path in forward slashes that stays beneath its folder (`./` in front is dropped): no empty, `.` or `..`
// segment, no backslash, colon or control character, at most 1,024 bytes. E_INVALID otherwise.
Result<std::string> ParseFolderPath(std::string_view text);

}  // namespace cordon::manifest
