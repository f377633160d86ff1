// Reading the mappings of a YAML document into values, with every error at its place. Used by the parsers of
// this room only. Not thread-safe: one per document.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "formats/yaml.h"

namespace cordon::manifest {

// The errors of one document, at most kFindingsMax.
class Findings {
 public:
  explicit Findings(const yaml::Document& document) : document_(document) {}

  void Add(Error error);
  void At(const yaml::Node& node, Code code, std::string message, std::string remedy = {});
  // Gives `error` the place of `node`, unless it has one of its own.
  void AddAt(const yaml::Node& node, Error error);

  bool empty() const { return errors_.empty(); }
  // The first error of the file with the others as its causes; what is missing comes after what is wrong.
  // REQUIRES: !empty().
  Error Take() &&;
  const yaml::Document& document() const { return document_; }

 private:
  const yaml::Document& document_;
  std::vector<Error> errors_;  // in the order of Take
};

// A whole number between two bounds, both included.
struct Range {
  std::uint64_t min = 1;
  std::uint64_t max = 0;
};

// Readers of one value: the value, or nothing after a finding. `name` is the key's path, for the message.
std::optional<std::string> ReadText(Findings& findings, const yaml::Node& node, std::string_view name);
std::optional<Bytes> ReadBytes(Findings& findings, const yaml::Node& node, std::string_view name);
std::optional<Duration> ReadDuration(Findings& findings, const yaml::Node& node, std::string_view name);
std::optional<std::uint64_t> ReadCount(Findings& findings, const yaml::Node& node, std::string_view name, Range range);
std::optional<bool> ReadBool(Findings& findings, const yaml::Node& node, std::string_view name);
// The index of the word among `words`.
std::optional<std::size_t> ReadWord(Findings& findings, const yaml::Node& node, std::string_view name,
                                    std::span<const std::string_view> words);

// "a text", "a list", … for messages.
std::string_view KindName(const yaml::Node& node);

// Null, an empty list or an empty mapping.
bool IsNothing(const yaml::Node& node);

// The items of a list; one that is nothing has none. E_TYPE, E_LIMIT.
std::span<const yaml::Node> ItemsOf(Findings& findings, const yaml::Node* node, std::string_view name, std::size_t max);

// One mapping. Unknown keys are reported when it is made; absent, null and empty ones have no fields.
class Fields {
 public:
  // `node` may be null. `path` is the mapping's own name, empty for the root.
  Fields(Findings& findings, const yaml::Node* node, std::string path, std::span<const std::string_view> known);

  // The value of a key, or nullptr. REQUIRES: `key` is one of `known`.
  const yaml::Node* Get(std::string_view key) const;
  // The same, and E_MISSING with `remedy` when the key is absent.
  const yaml::Node* Require(std::string_view key, std::string remedy) const;
  std::string NameOf(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  }
  // Refuses a key whose part of Cordon does not exist yet; `remedy` says what to do instead.
  enum class Empty : std::uint8_t { kMeansNothing, kRefused };
  void RefuseLater(std::string_view key, Empty empty, std::string_view remedy) const;

  std::optional<std::string> Text(std::string_view key) const;

 private:
  Findings& findings_;
  const yaml::Node* node_ = nullptr;
  std::string path_;
};

}  // namespace cordon::manifest
