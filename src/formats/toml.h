// TOML text → values: bounded in size, depth and nodes. Dates and times are texts. Never throws but std::bad_alloc.
#pragma once

#include <string>
#include <string_view>

#include "cordon/result.h"
#include "formats/json.h"

namespace cordon {

inline constexpr std::size_t kTomlBytesMax = 8 << 20;

// E_SYNTAX with line and column, E_LIMIT. `file` names it in errors.
Result<Json> ParseToml(std::string_view text, const std::string& file);

}  // namespace cordon
