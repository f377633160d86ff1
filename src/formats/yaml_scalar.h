// What a plain YAML scalar means in the strict subset. Internal to this room.
#pragma once

#include <string_view>

#include "cordon/result.h"
#include "formats/yaml.h"

namespace cordon::yaml {

// Sets kind, boolean, integer and real of `node` from its text. E_TYPE for what other readers would take for
// something else, E_RANGE for a number that does not fit.
Status TypePlainScalar(Node& node);

// The first character that no document may hold (controls but tab and line feed, bidirectional and zero-width marks,
// U+2028/2029, not UTF-8), or npos. A carriage return is allowed before a line feed.
std::size_t FindForbidden(std::string_view text);

}  // namespace cordon::yaml
