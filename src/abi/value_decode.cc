// Wire → JSON text. Every count and length is held against the bytes that are left before it is used, and each value
// takes at least one byte of the output limit, so time and memory are bounded by the input and the limit together.
#include <charconv>
#include <cstring>
#include <optional>

#include "abi/json_text.h"
#include "abi/value_codec.h"
#include "base/text.h"

namespace cordon::abi {
namespace {

using wit::Kind;

constexpr std::int64_t kSafeInteger = (1ll << 53) - 1;  // what every JSON reader keeps exactly

class Decoder {
 public:
  Decoder(const wit::Contract& contract, std::span<const std::uint8_t> wire, std::string& out, std::size_t limit_bytes)
      : contract_(contract),
        begin_(wire.data()),
        at_(wire.data()),
        end_(wire.data() + wire.size()),
        out_(out),
        limit_bytes_(limit_bytes) {}

  Status Finish(bool ok) {
    if (ok && at_ != end_) {
      return Fail(Code::kInvalid, std::to_string(end_ - at_) + " bytes are left over after the value");
    }
    if (ok) return {};
    return std::unexpected<Error>(std::move(*error_));
  }

  bool Value(wit::TypeRef ref);

 private:
  std::size_t Left() const { return static_cast<std::size_t>(end_ - at_); }

  bool Bad(Code code, wit::TypeRef ref, std::string message, std::string remedy = {}) {
    const std::string type = wit::TypeText(contract_, ref);
    error_ = Error(code, "byte " + std::to_string(at_ - begin_) + " of the encoded " + type + ": " + std::move(message),
                   std::move(remedy));
    error_->details.emplace_back("wit", type);
    return false;
  }
  bool Short(wit::TypeRef ref) { return Bad(Code::kInvalid, ref, "the bytes end too early"); }

  template <typename T>
  bool Take(T& value) {
    if (Left() < sizeof value) return false;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return true;
  }

  template <typename T>
  void AppendInteger(T value) {
    char buffer[24];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    out_.append(buffer, static_cast<std::size_t>(end - buffer));
  }

  template <typename T>
  bool Integer(wit::TypeRef ref) {
    T value;
    if (!Take(value)) return Short(ref);
    const bool quoted =
        sizeof(T) == 8 && (std::cmp_greater(value, kSafeInteger) || std::cmp_less(value, -kSafeInteger));
    if (quoted) out_ += '"';
    AppendInteger(value);
    if (quoted) out_ += '"';
    return true;
  }

  template <typename T>
  bool Float(wit::TypeRef ref) {
    T value;
    if (!Take(value)) return Short(ref);
    AppendNumber(out_, value);
    return true;
  }

  bool Key(std::string_view name) {
    AppendQuoted(out_, name);
    out_ += ':';
    return true;
  }

  // 0 or 1, or -1 with the error set.
  int Discriminant(wit::TypeRef ref) {
    std::uint8_t value;
    if (!Take(value)) return Short(ref), -1;
    if (value > 1) return Bad(Code::kInvalid, ref, "expected 0 or 1, got " + std::to_string(value)), -1;
    return value;
  }

  bool Count(wit::TypeRef ref, std::uint32_t& count) {
    if (!Take(count)) return Short(ref);
    // An element takes a byte at least (WIT has no type without values of size), so this bounds the loop as well.
    if (count <= Left()) return true;
    return Bad(Code::kLiftLimit, ref,
               "a count of " + std::to_string(count) + " with " + std::to_string(Left()) + " bytes left");
  }

  bool Case(wit::TypeRef ref, std::uint32_t& index) {
    if (!Take(index)) return Short(ref);
    if (index < contract_.At(ref).fields.size()) return true;
    return Bad(Code::kInvalid, ref,
               "case " + std::to_string(index) + " of " + std::to_string(contract_.At(ref).fields.size()));
  }

  bool Char(wit::TypeRef ref);
  bool String(wit::TypeRef ref);
  bool List(wit::TypeRef ref);
  bool Map(wit::TypeRef ref);
  bool Record(wit::TypeRef ref);
  bool Tuple(wit::TypeRef ref);
  bool Variant(wit::TypeRef ref);
  bool Flags(wit::TypeRef ref);
  bool Option(wit::TypeRef ref);
  bool ResultOf(wit::TypeRef ref);

  const wit::Contract& contract_;
  const std::uint8_t* begin_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::string& out_;
  std::size_t limit_bytes_;
  std::optional<Error> error_;
};

bool Decoder::Value(wit::TypeRef ref) {
  if (out_.size() > limit_bytes_) {
    return Bad(Code::kOutputSize, ref, "the output is larger than " + std::to_string(limit_bytes_) + " bytes as JSON",
               "return less, or raise `limits.output` in config.yaml");
  }
  switch (contract_.At(ref).kind) {
    case Kind::kBool: {
      const int value = Discriminant(ref);
      if (value < 0) return false;
      out_ += value == 1 ? "true" : "false";
      return true;
    }
    case Kind::kS8: return Integer<std::int8_t>(ref);
    case Kind::kU8: return Integer<std::uint8_t>(ref);
    case Kind::kS16: return Integer<std::int16_t>(ref);
    case Kind::kU16: return Integer<std::uint16_t>(ref);
    case Kind::kS32: return Integer<std::int32_t>(ref);
    case Kind::kU32: return Integer<std::uint32_t>(ref);
    case Kind::kS64: return Integer<std::int64_t>(ref);
    case Kind::kU64: return Integer<std::uint64_t>(ref);
    case Kind::kF32: return Float<float>(ref);
    case Kind::kF64: return Float<double>(ref);
    case Kind::kChar: return Char(ref);
    case Kind::kString: return String(ref);
    case Kind::kList: return List(ref);
    case Kind::kMap: return Map(ref);
    case Kind::kRecord: return Record(ref);
    case Kind::kTuple: return Tuple(ref);
    case Kind::kVariant: return Variant(ref);
    case Kind::kEnum: {
      std::uint32_t index;
      if (!Case(ref, index)) return false;
      AppendQuoted(out_, contract_.At(ref).fields[index].name);
      return true;
    }
    case Kind::kFlags: return Flags(ref);
    case Kind::kOption: return Option(ref);
    case Kind::kResult: return ResultOf(ref);
    case Kind::kResource:
    case Kind::kUnsupported: break;
  }
  return Bad(Code::kUnenforceable, ref, wit::TypeText(contract_, ref) + " cannot cross to JSON",
             "call a function whose parameters and result are plain values");
}

bool Decoder::Char(wit::TypeRef ref) {
  std::uint32_t scalar;
  if (!Take(scalar)) return Short(ref);
  if (scalar > 0x10ffff || (scalar >= 0xd800 && scalar < 0xe000)) {
    return Bad(Code::kBadString, ref, std::to_string(scalar) + " is not a Unicode scalar value");
  }
  char utf8[4];
  std::size_t n = 0;
  if (scalar < 0x80) {
    utf8[n++] = static_cast<char>(scalar);
  } else {
    const int extra = scalar < 0x800 ? 1 : scalar < 0x10000 ? 2 : 3;
    constexpr std::uint8_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
    utf8[n++] = static_cast<char>(kLead[extra] | scalar >> (6 * extra));
    for (int i = extra - 1; i >= 0; --i) utf8[n++] = static_cast<char>(0x80 | ((scalar >> (6 * i)) & 0x3f));
  }
  AppendQuoted(out_, {utf8, n});
  return true;
}

bool Decoder::String(wit::TypeRef ref) {
  std::uint32_t length;
  if (!Count(ref, length)) return false;
  const std::string_view text(reinterpret_cast<const char*>(at_), length);
  if (!IsUtf8Fast(text)) return Bad(Code::kBadString, ref, "not valid UTF-8");
  at_ += length;
  AppendQuoted(out_, text);
  return true;
}

bool Decoder::List(wit::TypeRef ref) {
  const wit::Type& type = contract_.At(ref);
  std::uint32_t count = type.size;
  if (type.size == 0) {
    if (!Count(ref, count)) return false;
  } else if (count > Left()) {
    return Short(ref);
  }
  if (contract_.At(type.element).kind == Kind::kU8) {
    out_ += '"';
    AppendBase64(out_, {at_, count});
    out_ += '"';
    at_ += count;
    return true;
  }
  out_ += '[';
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) out_ += ',';
    if (!Value(type.element)) return false;
  }
  out_ += ']';
  return true;
}

bool Decoder::Map(wit::TypeRef ref) {
  const wit::Type& type = contract_.At(ref);
  std::uint32_t count;
  if (!Count(ref, count)) return false;
  out_ += '[';
  for (std::uint32_t i = 0; i < count; ++i) {
    out_ += i > 0 ? ",[" : "[";
    if (!Value(type.element)) return false;
    out_ += ',';
    if (!Value(type.error)) return false;
    out_ += ']';
  }
  out_ += ']';
  return true;
}

bool Decoder::Record(wit::TypeRef ref) {
  char before = '{';
  if (contract_.At(ref).fields.empty()) out_ += '{';
  for (const wit::Field& field : contract_.At(ref).fields) {
    out_ += before;
    before = ',';
    if (!Key(field.name) || !Value(field.type)) return false;
  }
  out_ += '}';
  return true;
}

bool Decoder::Tuple(wit::TypeRef ref) {
  char before = '[';
  if (contract_.At(ref).fields.empty()) out_ += '[';
  for (const wit::Field& field : contract_.At(ref).fields) {
    out_ += before;
    before = ',';
    if (!Value(field.type)) return false;
  }
  out_ += ']';
  return true;
}

bool Decoder::Variant(wit::TypeRef ref) {
  std::uint32_t index;
  if (!Case(ref, index)) return false;
  const wit::Field& field = contract_.At(ref).fields[index];
  out_ += "{\"tag\":";
  AppendQuoted(out_, field.name);
  if (field.type != wit::kNone) {
    out_ += ",\"val\":";
    if (!Value(field.type)) return false;
  }
  out_ += '}';
  return true;
}

bool Decoder::Flags(wit::TypeRef ref) {
  const auto& fields = contract_.At(ref).fields;
  out_ += '[';
  bool first = true;
  for (std::size_t from = 0; from < fields.size(); from += 32) {
    std::uint32_t word;
    if (!Take(word)) return Short(ref);
    const std::size_t used = std::min<std::size_t>(32, fields.size() - from);
    if (used < 32 && word >> used != 0) return Bad(Code::kInvalid, ref, "flag bits that the type does not have");
    for (std::size_t bit = 0; bit < used; ++bit) {
      if ((word >> bit & 1) == 0) continue;
      if (!first) out_ += ',';
      first = false;
      AppendQuoted(out_, fields[from + bit].name);
    }
  }
  out_ += ']';
  return true;
}

bool Decoder::Option(wit::TypeRef ref) {
  const wit::TypeRef element = contract_.At(ref).element;
  const int some = Discriminant(ref);
  if (some < 0) return false;
  if (some == 0) {
    out_ += "null";
    return true;
  }
  if (contract_.At(element).kind != Kind::kOption) return Value(element);
  out_ += "{\"some\":";
  if (!Value(element)) return false;
  out_ += '}';
  return true;
}

bool Decoder::ResultOf(wit::TypeRef ref) {
  const wit::Type& type = contract_.At(ref);
  const int is_err = Discriminant(ref);
  if (is_err < 0) return false;
  const wit::TypeRef payload = is_err == 1 ? type.error : type.element;
  out_ += is_err == 1 ? "{\"err\":" : "{\"ok\":";
  if (payload == wit::kNone) {
    out_ += "null";
  } else if (!Value(payload)) {
    return false;
  }
  out_ += '}';
  return true;
}

// The first type below `ref` that cannot cross, or kNone. `depth` guards against a contract that is not a tree.
wit::TypeRef FirstUncrossable(const wit::Contract& contract, wit::TypeRef ref, std::vector<bool>& seen) {
  if (ref == wit::kNone) return wit::kNone;
  if (seen[ref]) return wit::kNone;
  seen[ref] = true;
  const wit::Type& type = contract.At(ref);
  if (type.kind == Kind::kResource || type.kind == Kind::kUnsupported) return ref;
  for (wit::TypeRef below : {type.element, type.error}) {
    const wit::TypeRef found = FirstUncrossable(contract, below, seen);
    if (found != wit::kNone) return found;
  }
  for (const wit::Field& field : type.fields) {
    const wit::TypeRef found = FirstUncrossable(contract, field.type, seen);
    if (found != wit::kNone) return found;
  }
  return wit::kNone;
}

}  // namespace

Status DecodeValueText(const wit::Contract& contract, wit::TypeRef type, std::span<const std::uint8_t> wire,
                       std::string& json_out, const ValueLimits& limits) {
  if (wire.size() > limits.wire_bytes) {
    return Fail(Error(Code::kOutputSize,
                      "the output is " + std::to_string(wire.size()) + " bytes; the limit is " +
                          std::to_string(limits.wire_bytes),
                      "return less, or raise `limits.output` in config.yaml")
                    .With("limit", std::to_string(limits.wire_bytes)));
  }
  Decoder decoder(contract, wire, json_out, limits.json_bytes);
  CORDON_TRY(decoder.Finish(decoder.Value(type)));
  if (json_out.size() <= limits.json_bytes) return {};
  return Fail(Error(Code::kOutputSize,
                    "the output is larger than " + std::to_string(limits.json_bytes) + " bytes as JSON",
                    "return less, or raise `limits.output` in config.yaml")
                  .With("limit", std::to_string(limits.json_bytes)));
}

Status DecodeResultText(const wit::Contract& contract, const wit::Function& function,
                        std::span<const std::uint8_t> wire, std::string& json_out, const ValueLimits& limits) {
  json_out.clear();
  if (function.result != wit::kNone) return DecodeValueText(contract, function.result, wire, json_out, limits);
  if (!wire.empty()) return Fail(Code::kInvalid, "'" + function.name + "' has no result, and bytes came back");
  json_out = "null";
  return {};
}

Result<Json> DecodeResult(const wit::Contract& contract, const wit::Function& function,
                          std::span<const std::uint8_t> wire, const ValueLimits& limits) {
  std::string text;
  CORDON_TRY(DecodeResultText(contract, function, wire, text, limits));
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return Fail(Code::kInternal, "a decoded result is not JSON");
  return value;
}

Status CheckCrossable(const wit::Contract& contract, const wit::Function& function) {
  const auto check = [&](wit::TypeRef ref, const std::string& where) -> Status {
    std::vector<bool> seen(contract.types.size());
    const wit::TypeRef found = FirstUncrossable(contract, ref, seen);
    if (found == wit::kNone) return {};
    const std::string type = wit::TypeText(contract, found);
    return Fail(Error(Code::kUnenforceable,
                      where + " of '" + function.name + "' holds " + type + ", which cannot cross to JSON",
                      "call a function whose parameters and result are plain values")
                    .With("wit", type));
  };
  for (const wit::Field& param : function.params) CORDON_TRY(check(param.type, "the parameter '" + param.name + "'"));
  return check(function.result, "the result");
}

}  // namespace cordon::abi
