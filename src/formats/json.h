// JSON text ↔ values, strictly (RFC 8259): UTF-8, no duplicate keys, bounded in size, depth and nodes.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"

namespace cordon {

namespace json {

// std::allocator by another name: it makes Json a type of our own, for which a member may be specialised, and which an
// embedder's nlohmann::json is not.
template <typename T>
struct Allocator : std::allocator<T> {
  using value_type = T;
  template <typename U>
  struct rebind {
    using other = Allocator<U>;
  };
  constexpr Allocator() noexcept = default;
  template <typename U>  // NOLINTNEXTLINE(google-explicit-constructor): as the standard asks of allocators
  constexpr Allocator(const Allocator<U>& other) noexcept : std::allocator<T>(other) {}
};

template <typename T>
void Free(T* at) noexcept {
  std::destroy_at(at);
  Allocator<T>().deallocate(at, 1);
}

}  // namespace json

using Json = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double,
                                  json::Allocator>;
using OrderedJson = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, std::int64_t,
                                         std::uint64_t, double, json::Allocator>;

namespace json {

// Found by the name of the allocator. The library's own makes a value of the text, in a function that may not throw.
inline bool operator==(const Json& value, const char* text) noexcept {
  const auto* string = value.get_ptr<const std::string*>();
  return string != nullptr && *string == text;
}

struct Limits {
  std::size_t bytes = 8 << 20;
  std::size_t depth = 64;
  std::size_t nodes = 4 << 20;
};

// E_SYNTAX with line and column, E_DUPLICATE_KEY, E_LIMIT, E_BAD_STRING (not UTF-8). `file` names it in errors.
// Throws nothing but std::bad_alloc; an integer beyond 64 bits or a number beyond a double is E_RANGE.
Result<Json> Parse(std::string_view text, std::string file = "input", const Limits& limits = {});

// RFC 8785 (JCS): the canonical bytes, which digests are made of.
std::string Canonical(const Json& value);

// Compact text; bytes that are not UTF-8 become U+FFFD. Throws nothing but std::bad_alloc.
std::string Dump(const Json& value);

}  // namespace json
}  // namespace cordon

// The library's own destructor moves everything below a value into one vector first, so that deep values need no deep
// stack; when there is no memory for that vector, the process ends. Our values are of bounded depth (Limits), so the
// plain way, child by child, needs neither.
template <>
inline void cordon::Json::json_value::destroy(value_t type) {
  if (type == value_t::object) return cordon::json::Free(object);
  if (type == value_t::array) return cordon::json::Free(array);
  if (type == value_t::string) return cordon::json::Free(string);
  if (type == value_t::binary) return cordon::json::Free(binary);
}
template <>
inline void cordon::OrderedJson::json_value::destroy(value_t type) {
  if (type == value_t::object) return cordon::json::Free(object);
  if (type == value_t::array) return cordon::json::Free(array);
  if (type == value_t::string) return cordon::json::Free(string);
  if (type == value_t::binary) return cordon::json::Free(binary);
}
