#include "manifest/fields.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace cordon::manifest {
namespace {

constexpr std::size_t kFindingsMax = 20;
constexpr std::size_t kTextMax = 4 << 10;
constexpr std::size_t kShownMax = 80;

using Kind = yaml::Node::Kind;

std::string Shown(const yaml::Node& node) {
  if (node.kind == Kind::kSequence || node.kind == Kind::kMapping || node.kind == Kind::kNull) {
    return std::string(KindName(node));
  }
  return "'" + EscapeShort(node.text, kShownMax) + "'";
}

std::string Listed(std::span<const std::string_view> words) {
  std::string out;
  for (std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

// A value of a unit is a text to YAML; a number has lost its unit.
const yaml::Node* UnitText(Findings& findings, const yaml::Node& node, std::string_view name,
                           std::string_view example) {
  if (node.kind == Kind::kString) return &node;
  const bool number = node.kind == Kind::kInteger || node.kind == Kind::kReal;
  // A zero or a negative number is out of range whatever its unit would be.
  const bool below = (node.kind == Kind::kInteger && node.integer <= 0) || (node.kind == Kind::kReal && node.real <= 0);
  findings.At(node, below ? Code::kRange : Code::kType,
              "'" + std::string(name) + "' must be a value like " + std::string(example) + ", not " + Shown(node),
              below    ? "zero never means unlimited: give a positive value, or leave the key out"
              : number ? "write the unit, such as " + std::string(example)
                       : "write a whole number and a unit, such as " + std::string(example));
  return nullptr;
}

void AddNamed(Findings& findings, const yaml::Node& node, std::string_view name, Error error) {
  error.message = "'" + std::string(name) + "': " + error.message;
  findings.AddAt(node, std::move(error));
}

}  // namespace

void Findings::Add(Error error) {
  if (errors_.size() >= kFindingsMax) return;
  const auto order = [](const Error& e) {
    return e.place ? std::tuple(e.code == Code::kMissing, e.place->line, e.place->column) : std::tuple(true, 0u, 0u);
  };
  errors_.insert(std::ranges::upper_bound(errors_, order(error), {}, order), std::move(error));
}

void Findings::At(const yaml::Node& node, Code code, std::string message, std::string remedy) {
  Add(document_.ErrorAt(node, code, std::move(message), std::move(remedy)));
}

void Findings::AddAt(const yaml::Node& node, Error error) {
  if (!error.place) error.place = document_.PlaceOf(node);
  Add(std::move(error));
}

Error Findings::Take() && {
  Error first = std::move(errors_.front());
  first.causes.assign(std::make_move_iterator(errors_.begin() + 1), std::make_move_iterator(errors_.end()));
  errors_.clear();
  return first;
}

std::string_view KindName(const yaml::Node& node) {
  switch (node.kind) {
    case Kind::kNull: return "null";
    case Kind::kBool: return "a boolean";
    case Kind::kInteger: return "an integer";
    case Kind::kReal: return "a number";
    case Kind::kString: return "a text";
    case Kind::kSequence: return "a list";
    case Kind::kMapping: return "a mapping";
  }
  return "a value";
}

bool IsNothing(const yaml::Node& node) {
  return node.kind == Kind::kNull || (node.kind == Kind::kSequence && node.items.empty()) ||
         (node.kind == Kind::kMapping && node.entries.empty());
}

std::optional<std::string> ReadText(Findings& findings, const yaml::Node& node, std::string_view name) {
  if (node.kind == Kind::kString && node.text.size() <= kTextMax) return node.text;
  if (node.kind == Kind::kString) {
    findings.At(node, Code::kLimit, "'" + std::string(name) + "' is longer than " + std::to_string(kTextMax) + " bytes",
                "shorten it");
    return std::nullopt;
  }
  const bool scalar = node.kind == Kind::kBool || node.kind == Kind::kInteger || node.kind == Kind::kReal;
  findings.At(
      node, Code::kType,
      "'" + std::string(name) + "' must be a text, not " + std::string(KindName(node)) +
          (scalar ? " (" + EscapeShort(node.text, kShownMax) + ")" : ""),
      scalar ? "quote it: \"" + EscapeShort(node.text, kShownMax) + "\"" : "write a text, or leave the key out");
  return std::nullopt;
}

std::optional<Bytes> ReadBytes(Findings& findings, const yaml::Node& node, std::string_view name) {
  if (!UnitText(findings, node, name, "64MiB")) return std::nullopt;
  Result<Bytes> value = ParseBytes(node.text);
  if (value) return *value;
  AddNamed(findings, node, name, std::move(value).error());
  return std::nullopt;
}

std::optional<Duration> ReadDuration(Findings& findings, const yaml::Node& node, std::string_view name) {
  if (!UnitText(findings, node, name, "5s")) return std::nullopt;
  Result<Duration> value = ParseDuration(node.text);
  if (value) return *value;
  AddNamed(findings, node, name, std::move(value).error());
  return std::nullopt;
}

std::optional<std::uint64_t> ReadCount(Findings& findings, const yaml::Node& node, std::string_view name, Range range) {
  if (node.kind != Kind::kInteger) {
    findings.At(
        node, Code::kType, "'" + std::string(name) + "' must be a whole number, not " + Shown(node),
        node.kind == Kind::kString ? "write a plain decimal number without quotes" : "write a plain decimal number");
    return std::nullopt;
  }
  const std::uint64_t value = static_cast<std::uint64_t>(node.integer);
  if (node.integer < 0 || value < range.min || value > range.max) {
    findings.At(node, Code::kRange,
                "'" + std::string(name) + "' must be between " + std::to_string(range.min) + " and " +
                    std::to_string(range.max) + ", not " + Shown(node),
                node.integer == 0 ? "zero never means unlimited: give a positive value, or leave the key out" : "");
    return std::nullopt;
  }
  return value;
}

std::optional<bool> ReadBool(Findings& findings, const yaml::Node& node, std::string_view name) {
  if (node.kind == Kind::kBool) return node.boolean;
  findings.At(node, Code::kType, "'" + std::string(name) + "' must be true or false, not " + Shown(node),
              "write true or false, without quotes");
  return std::nullopt;
}

std::optional<std::size_t> ReadWord(Findings& findings, const yaml::Node& node, std::string_view name,
                                    std::span<const std::string_view> words) {
  const std::optional<std::string> text = ReadText(findings, node, name);
  if (!text) return std::nullopt;
  const auto found = std::ranges::find(words, *text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const std::string_view near = Nearest(*text, words);
  findings.At(node, Code::kRange, "'" + std::string(name) + "' is none of " + Listed(words) + ": " + Shown(node),
              near.empty() ? "write one of " + Listed(words) : "did you mean '" + std::string(near) + "'?");
  return std::nullopt;
}

std::span<const yaml::Node> ItemsOf(Findings& findings, const yaml::Node* node, std::string_view name,
                                    std::size_t max) {
  if (node == nullptr || IsNothing(*node)) return {};
  if (node->kind != yaml::Node::Kind::kSequence) {
    findings.At(*node, Code::kType, "'" + std::string(name) + "' must be a list, not " + std::string(KindName(*node)),
                "write [ … ]");
    return {};
  }
  if (node->items.size() > max) {
    findings.At(*node, Code::kLimit, "'" + std::string(name) + "' has more than " + std::to_string(max) + " items");
    return {};
  }
  return node->items;
}

Fields::Fields(Findings& findings, const yaml::Node* node, std::string path, std::span<const std::string_view> known)
    : findings_(findings), path_(std::move(path)) {
  if (node == nullptr || IsNothing(*node)) return;
  if (node->kind != Kind::kMapping) {
    findings.At(*node, Code::kType,
                (path_.empty() ? "the document" : "'" + path_ + "'") + " must be a mapping, not " + Shown(*node),
                "write keys and values, one per line");
    return;
  }
  node_ = node;
  for (const yaml::Node::Entry& entry : node->entries) {
    if (std::ranges::find(known, entry.key) != known.end()) continue;
    const std::string_view near = Nearest(entry.key, known);
    Error error(
        Code::kUnknownKey,
        "unknown key '" + EscapeShort(entry.key, kShownMax) + "'" + (path_.empty() ? "" : " in '" + path_ + "'"),
        near.empty() ? (known.empty() ? "remove it" : "the keys here are " + Listed(known))
                     : "did you mean '" + std::string(near) + "'?");
    if (!near.empty()) error.details.emplace_back("suggestion", near);
    error.place = findings.document().PlaceAt(entry.line, entry.column);
    findings.Add(std::move(error));
  }
}

const yaml::Node* Fields::Get(std::string_view key) const { return node_ == nullptr ? nullptr : node_->Find(key); }

const yaml::Node* Fields::Require(std::string_view key, std::string remedy) const {
  const yaml::Node* found = Get(key);
  if (found != nullptr) return found;
  const yaml::Node& at = node_ == nullptr ? findings_.document().root : *node_;
  findings_.At(at, Code::kMissing, "'" + NameOf(key) + "' is missing", std::move(remedy));
  return nullptr;
}

void Fields::RefuseLater(std::string_view key, Empty empty, std::string_view remedy) const {
  const yaml::Node* node = Get(key);
  if (node == nullptr || (empty == Empty::kMeansNothing && IsNothing(*node))) return;
  findings_.At(*node, Code::kUnenforceable, "'" + NameOf(key) + "' cannot be enforced by this build",
               std::string(remedy));
}

std::optional<std::string> Fields::Text(std::string_view key) const {
  const yaml::Node* node = Get(key);
  return node == nullptr ? std::nullopt : ReadText(findings_, *node, NameOf(key));
}

}  // namespace cordon::manifest
