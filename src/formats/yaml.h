// YAML, strictly: one document, no anchors, aliases, tags, merge keys, duplicate keys; bounded in size, depth,
// nodes and scalar length (security.md 11.1). Each value keeps its place in the file. libyaml does the parsing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "formats/json.h"

namespace cordon::yaml {

struct Limits {
  std::size_t bytes = 256 << 10;
  std::size_t depth = 16;
  std::size_t nodes = 4096;
  std::size_t scalar = 4 << 10;
};

// A parsed value with its position. A value type (a tree); immutable in use, so safe to share.
struct Node {
  enum class Kind { kNull, kBool, kInteger, kReal, kString, kSequence, kMapping };
  Kind kind = Kind::kNull;
  bool plain = false;  // an unquoted scalar
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;         // the scalar as written
  std::vector<Node> items;  // of a sequence
  struct Entry;
  std::vector<Entry> entries;          // of a mapping, in order
  std::uint32_t line = 0, column = 0;  // 1-based

  const Node* Find(std::string_view key) const;  // nullptr when absent or not a mapping
};
struct Node::Entry {
  std::string key;
  std::uint32_t line = 0, column = 0;
  Node value;
};

// A document: its tree and source, so that errors can show the line.
struct Document {
  std::string file;
  std::string source;
  Node root;

  Place PlaceOf(const Node& node) const;
  Place PlaceAt(std::uint32_t line, std::uint32_t column) const;
  Error ErrorAt(const Node& node, Code code, std::string message, std::string remedy = {}) const;
};

// Typing of plain scalars: null (`null`, `~`, empty), true/false, decimal integers, decimal reals; what YAML 1.1 or
// other readers would take for something else (yes, no, on, off, 012, 0x10, 1_000, 1:30, .inf, NaN) is E_TYPE with
// the advice to quote it. Errors: E_SYNTAX, E_DUPLICATE_KEY, E_LIMIT, E_TYPE, each with its place.
Result<Document> Parse(std::string_view source, std::string file, const Limits& limits = {});

// The plain JSON value of a node (positions lost). Strings stay strings.
Json ToJson(const Node& node);
// The node at an RFC 6901 JSON pointer, or the nearest existing parent: to give a schema's error its place.
const Node& AtPointer(const Node& root, std::string_view pointer);

}  // namespace cordon::yaml
