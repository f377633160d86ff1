// JSON text ↔ values, strictly (RFC 8259): UTF-8, no duplicate keys, bounded in size, depth and nodes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

namespace json {

struct Limits {
  std::size_t bytes = 8 << 20;
  std::size_t depth = 64;
  std::size_t nodes = 4 << 20;
};

// E_SYNTAX with line and column, E_DUPLICATE_KEY, E_LIMIT, E_BAD_STRING (not UTF-8). `file` names it in errors.
// Never throws; an integer beyond 64 bits or a number beyond a double is E_RANGE.
Result<Json> Parse(std::string_view text, std::string file = "input", const Limits& limits = {});

// RFC 8785 (JCS): the canonical bytes, which digests are made of.
std::string Canonical(const Json& value);

// Compact text; bytes that are not UTF-8 become U+FFFD. Never throws.
std::string Dump(const Json& value);

}  // namespace json
}  // namespace cordon
