#include "capi/shape.h"

#include <charconv>
#include <utility>

namespace cordon::capi {
namespace {

using wit::Kind;

constexpr std::size_t kTextBytesMax = 16 << 10;
constexpr int kDepthMax = 64;
constexpr std::pair<std::string_view, Kind> kPrimitives[] = {
    {"bool", Kind::kBool}, {"s8", Kind::kS8},     {"u8", Kind::kU8},        {"s16", Kind::kS16}, {"u16", Kind::kU16},
    {"s32", Kind::kS32},   {"u32", Kind::kU32},   {"s64", Kind::kS64},      {"u64", Kind::kU64}, {"f32", Kind::kF32},
    {"f64", Kind::kF64},   {"char", Kind::kChar}, {"string", Kind::kString}};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<ShapeTypes> Function() {
    if (!Eat('(')) return Wrong("a '('");
    wit::Type parameters{.kind = Kind::kTuple};
    while (!Eat(')')) {
      if (!parameters.fields.empty() && !Eat(',')) return Wrong("a ',' or ')'");
      CORDON_ASSIGN(const wit::TypeRef type, Type(0));
      parameters.fields.push_back({.name = {}, .type = type, .docs = {}});
    }
    if (!parameters.fields.empty()) types_.parameters = Add(std::move(parameters));
    if (at_ < text_.size()) {
      if (!Eat('-') || !Eat('>')) return Wrong("'->' or the end");
      CORDON_ASSIGN(types_.result, Type(0));
    }
    if (at_ < text_.size()) return Wrong("the end");
    return std::move(types_);
  }

 private:
  bool Eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view Word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && (text_[at_] == '-' || std::string_view("<>{}(),:").find(text_[at_]) == text_.npos)) {
      ++at_;
    }
    return text_.substr(from, at_ - from);
  }

  std::unexpected<Error> Wrong(std::string_view expected) const {
    return Fail(Code::kSyntax,
                "the shape '" + std::string(text_) + "' should have " + std::string(expected) + " at byte " +
                    std::to_string(at_),
                "write it as in the error that a plugin with another type gives: (string,u32)->option<u32>");
  }

  wit::TypeRef Add(wit::Type type) {
    types_.contract.types.push_back(std::move(type));
    return static_cast<wit::TypeRef>(types_.contract.types.size() - 1);
  }

  Result<wit::TypeRef> Type(int depth) {
    if (depth >= kDepthMax) return Fail(Code::kLimit, "a shape has types more than 64 deep", "make it flatter");
    const std::string_view word = Word();
    for (const auto& [name, kind] : kPrimitives) {
      if (word == name) return Add({.kind = kind});
    }
    if (word == "list") return List(depth);
    if (word == "option") return Pair(Kind::kOption, false, depth);
    if (word == "result") return Pair(Kind::kResult, true, depth);
    if (word == "map") return Pair(Kind::kMap, true, depth);
    if (word == "tuple") return Tuple(depth);
    if (word == "record") return Fields(Kind::kRecord, depth);
    if (word == "variant") return Fields(Kind::kVariant, depth);
    if (word == "enum") return Fields(Kind::kEnum, depth);
    if (word == "flags") return Fields(Kind::kFlags, depth);
    at_ -= word.size();
    return Wrong("a type");
  }

  Result<wit::TypeRef> List(int depth) {
    wit::Type list{.kind = Kind::kList};
    if (!Eat('<')) return Wrong("a '<'");
    CORDON_ASSIGN(list.element, Type(depth + 1));
    if (Eat(',')) {
      const std::string_view count = Word();
      const auto [end, fault] = std::from_chars(count.data(), count.data() + count.size(), list.size);
      if (fault != std::errc() || end != count.data() + count.size() || list.size == 0) return Wrong("a length");
    }
    if (!Eat('>')) return Wrong("a '>'");
    return Add(std::move(list));
  }

  // A part of a result may be '_'.
  Result<wit::TypeRef> Part(Kind kind, int depth) {
    if (kind == Kind::kResult && Eat('_')) return wit::kNone;
    return Type(depth + 1);
  }

  Result<wit::TypeRef> Pair(Kind kind, bool has_second, int depth) {
    wit::Type pair{.kind = kind};
    if (!Eat('<')) return Wrong("a '<'");
    CORDON_ASSIGN(pair.element, Part(kind, depth));
    if (has_second) {
      if (!Eat(',')) return Wrong("a ','");
      CORDON_ASSIGN(pair.error, Part(kind, depth));
    }
    if (!Eat('>')) return Wrong("a '>'");
    return Add(std::move(pair));
  }

  Result<wit::TypeRef> Tuple(int depth) {
    wit::Type tuple{.kind = Kind::kTuple};
    if (!Eat('<')) return Wrong("a '<'");
    do {
      CORDON_ASSIGN(const wit::TypeRef type, Type(depth + 1));
      tuple.fields.push_back({.name = {}, .type = type, .docs = {}});
    } while (Eat(','));
    if (!Eat('>')) return Wrong("a ',' or '>'");
    return Add(std::move(tuple));
  }

  Result<wit::TypeRef> Fields(Kind kind, int depth) {
    wit::Type type{.kind = kind};
    if (!Eat('{')) return Wrong("a '{'");
    do {
      wit::Field field;
      field.name = Word();
      if (field.name.empty()) return Wrong("a name");
      const bool has_type = (kind == Kind::kRecord || kind == Kind::kVariant) && Eat(':');
      if (kind == Kind::kRecord && !has_type) return Wrong("a ':'");
      if (has_type) {
        CORDON_ASSIGN(field.type, Type(depth + 1));
      }
      type.fields.push_back(std::move(field));
    } while (Eat(','));
    if (!Eat('}')) return Wrong("a ',' or '}'");
    return Add(std::move(type));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  ShapeTypes types_;
};

}  // namespace

Result<ShapeTypes> ParseShape(std::string_view text) {
  if (text.size() > kTextBytesMax) return Fail(Code::kLimit, "a shape has more than 16 KiB", "use smaller types");
  return Parser(text).Function();
}

}  // namespace cordon::capi
