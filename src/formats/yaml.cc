#include "formats/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "formats/yaml_scalar.h"

namespace cordon::yaml {
namespace {

constexpr std::size_t kDepthHard = 64;      // whatever the caller's limit says: building a tree recurses this far
constexpr std::size_t kExcerptBytes = 240;  // a longer line is told by its number only

class Parser {
 public:
  explicit Parser(std::string_view source) : ok_(yaml_parser_initialize(&raw_) != 0) {
    if (!ok_) return;
    yaml_parser_set_encoding(&raw_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&raw_, reinterpret_cast<const unsigned char*>(source.data()), source.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    if (ok_) yaml_parser_delete(&raw_);
  }
  bool ok() const { return ok_; }
  yaml_parser_t* raw() { return &raw_; }

 private:
  yaml_parser_t raw_{};
  bool ok_ = false;
};

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&raw_); }
  bool Next(Parser& parser) {
    yaml_event_delete(&raw_);
    return yaml_parser_parse(parser.raw(), &raw_) != 0;
  }
  yaml_event_type_t type() const { return raw_.type; }
  const yaml_event_t& raw() const { return raw_; }
  std::uint32_t line() const { return static_cast<std::uint32_t>(raw_.start_mark.line + 1); }
  std::uint32_t column() const { return static_cast<std::uint32_t>(raw_.start_mark.column + 1); }

 private:
  yaml_event_t raw_{};
};

// Turns events into a tree, and refuses at the first event that the subset does not have.
class Builder {
 public:
  Builder(Document& document, const Limits& limits) : document_(document), limits_(limits), parser_(document.source) {}

  Status Run() {
    if (!parser_.ok()) return Fail(Code::kInternal, "the YAML parser did not start");
    CORDON_TRY(Step());  // the start of the stream
    CORDON_TRY(Step());
    if (event_.type() == YAML_STREAM_END_EVENT) {
      document_.root.line = document_.root.column = 1;
      return {};
    }
    const auto& start = event_.raw().data.document_start;
    if (start.version_directive != nullptr || start.tag_directives.start != start.tag_directives.end) {
      return Refuse(Code::kLimit, "directives (%YAML, %TAG) are not allowed", "remove the line");
    }
    CORDON_TRY(Step());
    CORDON_TRY(Value(document_.root, 0));
    CORDON_TRY(Step());  // the end of the document
    CORDON_TRY(Step());
    if (event_.type() != YAML_STREAM_END_EVENT) {
      return Refuse(Code::kLimit, "a second document is not allowed", "keep one document in the file");
    }
    return {};
  }

 private:
  Status Step() {
    if (event_.Next(parser_)) return {};
    const yaml_parser_t& raw = *parser_.raw();
    if (raw.error == YAML_MEMORY_ERROR) return Fail(Code::kInternal, "the YAML parser is out of memory");
    std::string what = raw.problem != nullptr ? raw.problem : "not readable";
    return Fail(Error(Code::kSyntax, "not valid YAML: " + what, "correct the YAML at this place")
                    .At(document_.PlaceAt(static_cast<std::uint32_t>(raw.problem_mark.line + 1),
                                          static_cast<std::uint32_t>(raw.problem_mark.column + 1))));
  }

  std::unexpected<Error> Refuse(Code code, std::string message, std::string remedy) const {
    Place place = document_.PlaceAt(event_.line(), event_.column());
    return Fail(Error(code, std::move(message), std::move(remedy)).At(std::move(place)));
  }

  // Anchors and tags of the event at hand.
  Status CheckProperties(const yaml_char_t* anchor, const yaml_char_t* tag) const {
    if (anchor != nullptr) return Refuse(Code::kLimit, "anchors (&name) are not allowed", "write the value out");
    if (tag != nullptr) return Refuse(Code::kLimit, "tags (!name) are not allowed", "remove the tag");
    return {};
  }

  Status Count() {
    if (++nodes_ <= limits_.nodes) return {};
    return Refuse(Code::kLimit, "more than " + std::to_string(limits_.nodes) + " values", "split the document");
  }

  Status Scalar(Node& node) {
    const auto& scalar = event_.raw().data.scalar;
    CORDON_TRY(CheckProperties(scalar.anchor, scalar.tag));
    if (scalar.length > limits_.scalar) {
      return Refuse(Code::kLimit, "a text longer than " + std::to_string(limits_.scalar) + " bytes", "shorten it");
    }
    node.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
    node.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node.kind = Node::Kind::kString;
    if (FindForbidden(node.text) != std::string::npos) {  // out of an escape such as "\e" or "\u202e"
      return Refuse(Code::kSyntax, "a control character is not allowed", "remove it");
    }
    if (!node.plain) return {};
    auto typed = TypePlainScalar(node);
    if (typed) return {};
    return Fail(std::move(typed).error().At(document_.PlaceAt(event_.line(), event_.column())));
  }

  // The event at hand starts a value; afterwards the event at hand is its last. Recursion ends at the depth limit.
  Status Value(Node& node, std::size_t depth) {
    node.line = event_.line();
    node.column = event_.column();
    CORDON_TRY(Count());
    switch (event_.type()) {
      case YAML_SCALAR_EVENT: return Scalar(node);
      case YAML_SEQUENCE_START_EVENT:
      case YAML_MAPPING_START_EVENT: break;
      case YAML_ALIAS_EVENT: return Refuse(Code::kLimit, "aliases (*name) are not allowed", "write the value out");
      default: return Refuse(Code::kSyntax, "not valid YAML: a value is missing", "correct the YAML at this place");
    }
    if (depth >= std::min(limits_.depth, kDepthHard)) {
      return Refuse(Code::kLimit, "nested deeper than " + std::to_string(std::min(limits_.depth, kDepthHard)),
                    "flatten the document");
    }
    if (event_.type() == YAML_SEQUENCE_START_EVENT) return Sequence(node, depth);
    return Mapping(node, depth);
  }

  Status Sequence(Node& node, std::size_t depth) {
    const auto& start = event_.raw().data.sequence_start;
    CORDON_TRY(CheckProperties(start.anchor, start.tag));
    node.kind = Node::Kind::kSequence;
    for (;;) {
      CORDON_TRY(Step());
      if (event_.type() == YAML_SEQUENCE_END_EVENT) return {};
      CORDON_TRY(Value(node.items.emplace_back(), depth + 1));
    }
  }

  Status Mapping(Node& node, std::size_t depth) {
    const auto& start = event_.raw().data.mapping_start;
    CORDON_TRY(CheckProperties(start.anchor, start.tag));
    node.kind = Node::Kind::kMapping;
    std::unordered_map<std::string, std::uint32_t> seen;  // key to line
    for (;;) {
      CORDON_TRY(Step());
      if (event_.type() == YAML_MAPPING_END_EVENT) return {};
      Node::Entry entry;
      CORDON_TRY(Key(entry));
      auto [earlier, inserted] = seen.emplace(entry.key, entry.line);
      if (!inserted) {
        std::string line = std::to_string(earlier->second);
        return Refuse(Code::kDuplicateKey, "the key '" + EscapeShort(entry.key, 80) + "' is already on line " + line,
                      "keep one of the two");
      }
      CORDON_TRY(Step());
      CORDON_TRY(Value(entry.value, depth + 1));
      node.entries.push_back(std::move(entry));
    }
  }

  Status Key(Node::Entry& entry) {
    if (event_.type() == YAML_ALIAS_EVENT) {
      return Refuse(Code::kLimit, "aliases (*name) are not allowed", "write the value out");
    }
    if (event_.type() != YAML_SCALAR_EVENT) {
      return Refuse(Code::kSyntax, "a key must be a text", "write the key as one word, or quote it");
    }
    Node key;
    CORDON_TRY(Count());
    CORDON_TRY(Scalar(key));
    if (key.plain && key.text == "<<") {
      return Refuse(Code::kLimit, "merge keys (<<) are not allowed", "write the keys out");
    }
    if (key.kind != Node::Kind::kString) {
      return Refuse(Code::kType, "the key '" + EscapeShort(key.text, 60) + "' is not a text",
                    "quote it: \"" + EscapeShort(key.text, 60) + "\"");
    }
    entry.key = std::move(key.text);
    entry.line = event_.line();
    entry.column = event_.column();
    return {};
  }

  Document& document_;
  const Limits& limits_;
  Parser parser_;
  Event event_;
  std::size_t nodes_ = 0;
};

// The place of a byte offset.
Place PlaceOfOffset(const Document& document, std::size_t offset) {
  std::string_view before = std::string_view(document.source).substr(0, offset);
  auto line = 1 + std::count(before.begin(), before.end(), '\n');
  std::size_t start = before.rfind('\n');
  if (start != std::string_view::npos) before.remove_prefix(start + 1);
  auto column = 1 + std::count_if(before.begin(), before.end(),
                                  [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  return document.PlaceAt(static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column));
}

}  // namespace

const Node* Node::Find(std::string_view key) const {
  if (kind != Kind::kMapping) return nullptr;
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Place Document::PlaceOf(const Node& node) const { return PlaceAt(node.line, node.column); }

Place Document::PlaceAt(std::uint32_t line, std::uint32_t column) const {
  Place place{file, line, column, {}};
  std::size_t start = 0;
  for (std::uint32_t at = 1; at < line; ++at) {
    start = source.find('\n', start);
    if (start == std::string::npos) return place;
    ++start;
  }
  std::string_view text = std::string_view(source).substr(start);
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.size() <= kExcerptBytes) place.excerpt = text;
  return place;
}

Error Document::ErrorAt(const Node& node, Code code, std::string message, std::string remedy) const {
  return Error(code, std::move(message), std::move(remedy)).At(PlaceOf(node));
}

Result<Document> Parse(std::string_view source, std::string file, const Limits& limits) {
  Document document;
  document.file = std::move(file);
  if (source.size() > limits.bytes) {
    return Fail(Error(Code::kLimit, "larger than " + std::to_string(limits.bytes) + " bytes", "make it smaller")
                    .At(Place{document.file, 0, 0, {}}));
  }
  document.source = source;
  if (std::size_t at = FindForbidden(source); at != std::string_view::npos) {
    bool utf8 = IsUtf8(source);
    return Fail(Error(Code::kSyntax, utf8 ? "a control character is not allowed" : "not valid UTF-8",
                      utf8 ? "remove it" : "save the file as UTF-8")
                    .At(PlaceOfOffset(document, at)));
  }
  CORDON_TRY(Builder(document, limits).Run());
  return document;
}

Json ToJson(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kBool: return node.boolean;
    case Node::Kind::kInteger: return node.integer;
    case Node::Kind::kReal: return node.real;
    case Node::Kind::kString: return node.text;
    case Node::Kind::kSequence: {
      auto items = Json::array();
      for (const Node& item : node.items) items.push_back(ToJson(item));
      return items;
    }
    case Node::Kind::kMapping: {
      auto object = Json::object();
      for (const Node::Entry& entry : node.entries) object[entry.key] = ToJson(entry.value);
      return object;
    }
    default: return nullptr;
  }
}

const Node& AtPointer(const Node& root, std::string_view pointer) {
  const Node* at = &root;
  while (pointer.starts_with('/')) {
    pointer.remove_prefix(1);
    std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    std::string key;
    for (std::size_t i = 0; i < part.size(); ++i) {
      bool escaped = part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1');
      key += !escaped ? part[i] : part[++i] == '0' ? '~' : '/';
    }
    const Node* next = at->Find(key);
    if (next == nullptr && at->kind == Node::Kind::kSequence && !key.empty() && key.size() <= 9 &&
        key.find_first_not_of("0123456789") == std::string::npos) {
      std::size_t index = std::stoul(key);
      if (index < at->items.size()) next = &at->items[index];
    }
    if (next == nullptr) break;
    at = next;
  }
  return *at;
}

}  // namespace cordon::yaml
