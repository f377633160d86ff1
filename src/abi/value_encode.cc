// JSON → wire.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "abi/json_text.h"
#include "abi/value_codec.h"
#include "base/text.h"

namespace cordon::abi {
namespace {

using wit::Kind;

// Where in the input we are: a chain on the stack, made into a JSON pointer only when something is wrong.
struct Path {
  const Path* up = nullptr;
  std::string_view key;
  std::size_t index = 0;
};

std::string Pointer(const Path* path) {
  if (path == nullptr || path->up == nullptr) return {};
  std::string text = Pointer(path->up) + "/";
  if (path->key.data() == nullptr) return text + std::to_string(path->index);
  for (char c : path->key) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::string KindOf(const Json& value) {
  if (value.is_number()) return "the number " + json::Dump(value);
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  return value.is_null() ? "null" : value.is_array() ? "an array" : value.is_object() ? "an object" : "a string";
}

enum class Utf8 { kChecked, kUnchecked };

class Encoder {
 public:
  Encoder(const wit::Contract& contract, std::vector<std::uint8_t>& out, const ValueLimits& limits, Utf8 utf8)
      : contract_(contract), out_(out), limit_bytes_(limits.wire_bytes), utf8_(utf8) {}

  Status Finish(bool ok) {
    if (ok) return {};
    return std::unexpected<Error>(std::move(*error_));
  }

  bool Params(const wit::Function& function, const Json& input, const Path& root) {
    if (!input.is_object()) {
      return Wrong(&root, wit::kNone, "expected an object with the parameters by name, got " + KindOf(input),
                   "pass the parameters of '" + function.name + "' as an object: " + Example(function));
    }
    return Fields(function.params, input, &root, "parameter", wit::kNone);
  }

  bool Value(wit::TypeRef ref, const Json& v, const Path* path);

 private:
  static std::string Example(const wit::Function& function) {
    std::string text = "{";
    for (const wit::Field& p : function.params) text += (text.size() > 1 ? ", \"" : "\"") + p.name + "\": …";
    return text + "}";
  }

  template <typename T>
  void Put(T value) {
    static_assert(std::endian::native == std::endian::little);
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    std::memcpy(out_.data() + at, &value, sizeof value);
  }

  bool Wrong(const Path* path, wit::TypeRef ref, std::string message, std::string remedy = {}) {
    const std::string pointer = Pointer(path);
    Error error(Code::kInputSchema, (pointer.empty() ? "input" : pointer) + ": " + std::move(message),
                remedy.empty() ? "change the value to fit the type; `cordon inspect` shows the schema of the input"
                               : std::move(remedy));
    error.details.emplace_back("path", pointer);
    if (ref != wit::kNone) error.details.emplace_back("wit", wit::TypeText(contract_, ref));
    error_ = std::move(error);
    return false;
  }

  bool Mismatch(const Path* path, wit::TypeRef ref, const Json& v, std::string_view how = {}) {
    std::string message = "expected " + wit::TypeText(contract_, ref);
    if (!how.empty()) message += " (" + std::string(how) + ")";
    return Wrong(path, ref, message + ", got " + KindOf(v));
  }

  bool TooBig() {
    error_ = Error(Code::kInputSize, "the input is larger than " + std::to_string(limit_bytes_) + " bytes once encoded",
                   "pass less, or raise `limits.input` in config.yaml");
    error_->details.emplace_back("limit", std::to_string(limit_bytes_));
    return false;
  }

  bool UnknownName(const Path* path, wit::TypeRef ref, std::string_view what, const std::string& name,
                   const std::vector<wit::Field>& known) {
    std::vector<std::string_view> names;
    for (const wit::Field& f : known) names.push_back(f.name);
    const std::string_view nearest = Nearest(name, names);
    std::string all;
    for (std::string_view n : names) all += (all.empty() ? "" : ", ") + std::string(n);
    std::string remedy =
        nearest.empty() ? "known: " + (all.empty() ? "none" : all) : "did you mean '" + std::string(nearest) + "'?";
    return Wrong(path, ref, "unknown " + std::string(what) + " '" + name + "'", std::move(remedy));
  }

  bool Fields(const std::vector<wit::Field>& fields, const Json& v, const Path* path, std::string_view what,
              wit::TypeRef ref);
  template <typename T>
  bool Integer(wit::TypeRef ref, const Json& v, const Path* path);
  template <typename T>
  bool IntegerText(wit::TypeRef ref, const Json& v, const Path* path);
  template <typename T>
  bool Float(wit::TypeRef ref, const Json& v, const Path* path);
  bool Char(wit::TypeRef ref, const Json& v, const Path* path);
  bool String(wit::TypeRef ref, const Json& v, const Path* path);
  bool List(wit::TypeRef ref, const Json& v, const Path* path);
  bool Bytes(wit::TypeRef ref, const Json& v, const Path* path);
  bool Map(wit::TypeRef ref, const Json& v, const Path* path);
  bool Tuple(wit::TypeRef ref, const Json& v, const Path* path);
  bool Variant(wit::TypeRef ref, const Json& v, const Path* path);
  bool Enum(wit::TypeRef ref, const Json& v, const Path* path);
  bool Flags(wit::TypeRef ref, const Json& v, const Path* path);
  bool Option(wit::TypeRef ref, const Json& v, const Path* path);
  bool ResultOf(wit::TypeRef ref, const Json& v, const Path* path);
  bool Payload(wit::TypeRef ref, const Json& v, const Path* path);

  const wit::Contract& contract_;
  std::vector<std::uint8_t>& out_;
  std::size_t limit_bytes_;
  Utf8 utf8_;
  std::optional<Error> error_;
};

bool Encoder::Value(wit::TypeRef ref, const Json& v, const Path* path) {
  if (out_.size() > limit_bytes_) return TooBig();
  const wit::Type& type = contract_.At(ref);
  switch (type.kind) {
    case Kind::kBool:
      if (!v.is_boolean()) return Mismatch(path, ref, v);
      Put<std::uint8_t>(v.get<bool>() ? 1 : 0);
      return true;
    case Kind::kS8: return Integer<std::int8_t>(ref, v, path);
    case Kind::kU8: return Integer<std::uint8_t>(ref, v, path);
    case Kind::kS16: return Integer<std::int16_t>(ref, v, path);
    case Kind::kU16: return Integer<std::uint16_t>(ref, v, path);
    case Kind::kS32: return Integer<std::int32_t>(ref, v, path);
    case Kind::kU32: return Integer<std::uint32_t>(ref, v, path);
    case Kind::kS64: return Integer<std::int64_t>(ref, v, path);
    case Kind::kU64: return Integer<std::uint64_t>(ref, v, path);
    case Kind::kF32: return Float<float>(ref, v, path);
    case Kind::kF64: return Float<double>(ref, v, path);
    case Kind::kChar: return Char(ref, v, path);
    case Kind::kString: return String(ref, v, path);
    case Kind::kList: return List(ref, v, path);
    case Kind::kMap: return Map(ref, v, path);
    case Kind::kRecord:
      if (!v.is_object()) return Mismatch(path, ref, v, "an object");
      return Fields(type.fields, v, path, "field", ref);
    case Kind::kTuple: return Tuple(ref, v, path);
    case Kind::kVariant: return Variant(ref, v, path);
    case Kind::kEnum: return Enum(ref, v, path);
    case Kind::kFlags: return Flags(ref, v, path);
    case Kind::kOption: return Option(ref, v, path);
    case Kind::kResult: return ResultOf(ref, v, path);
    case Kind::kResource:
    case Kind::kUnsupported: break;
  }
  Wrong(path, ref, wit::TypeText(contract_, ref) + " cannot cross to JSON",
        "call a function whose parameters and result are plain values");
  error_->code = Code::kUnenforceable;
  return false;
}

bool Encoder::Fields(const std::vector<wit::Field>& fields, const Json& v, const Path* path, std::string_view what,
                     wit::TypeRef ref) {
  static const Json kNull;
  std::size_t found = 0;
  for (const wit::Field& field : fields) {
    const auto it = v.find(field.name);
    const Path here{path, field.name};
    if (it != v.end()) {
      ++found;
      if (!Value(field.type, *it, &here)) return false;
    } else if (contract_.At(field.type).kind == Kind::kOption) {
      if (!Value(field.type, kNull, &here)) return false;
    } else {
      for (const auto& [key, unused] : v.items()) {  // a misspelling explains more than a gap
        const bool known = std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.name == key; });
        const std::string_view only[] = {field.name};
        if (!known && !Nearest(key, only).empty()) return UnknownName(path, ref, what, key, fields);
      }
      return Wrong(
          &here, field.type,
          "missing " + std::string(what) + " '" + field.name + "' of type " + wit::TypeText(contract_, field.type),
          "add \"" + field.name + "\"");
    }
  }
  if (found == v.size()) return true;
  for (const auto& [key, unused] : v.items()) {
    const bool known = std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.name == key; });
    if (!known) return UnknownName(path, ref, what, key, fields);
  }
  return true;
}

template <typename T>
bool Encoder::Integer(wit::TypeRef ref, const Json& v, const Path* path) {
  constexpr auto kMin = std::numeric_limits<T>::min();
  constexpr auto kMax = std::numeric_limits<T>::max();
  bool fits = false;
  T value = 0;
  if (v.is_number_unsigned()) {
    const auto n = v.get<std::uint64_t>();
    fits = std::in_range<T>(n);
    value = static_cast<T>(n);
  } else if (v.is_number_integer()) {
    const auto n = v.get<std::int64_t>();
    fits = std::in_range<T>(n);
    value = static_cast<T>(n);
  } else if (v.is_number_float()) {  // 1.0 and 1e3 are integers too, as JSON Schema has it
    const double n = v.get<double>();
    if (std::trunc(n) != n) return Mismatch(path, ref, v);
    // One past the maximum is a power of two, so exact in a double where the maximum itself is not.
    fits = n >= static_cast<double>(kMin) && n < std::ldexp(1.0, std::numeric_limits<T>::digits);
    if (fits) value = static_cast<T>(n);
  } else if (sizeof(T) == 8 && v.is_string()) {
    return IntegerText<T>(ref, v, path);
  } else {
    return Mismatch(path, ref, v);
  }
  if (!fits) {
    return Wrong(path, ref, json::Dump(v) + " is out of range for " + wit::TypeText(contract_, ref),
                 "pass a number from " + std::to_string(kMin) + " to " + std::to_string(kMax));
  }
  Put(value);
  return true;
}

template <typename T>
bool Encoder::IntegerText(wit::TypeRef ref, const Json& v, const Path* path) {
  const auto& text = v.get_ref<const std::string&>();
  T value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = status == std::errc() && end == text.data() + text.size();
  if (!whole || text != std::to_string(value)) {  // one spelling: no zeros or sign in front
    return Wrong(path, ref,
                 "expected " + wit::TypeText(contract_, ref) + " as a number or a string of decimal digits, got \"" +
                     EscapeShort(text, 40) + "\"");
  }
  Put(value);
  return true;
}

template <typename T>
bool Encoder::Float(wit::TypeRef ref, const Json& v, const Path* path) {
  if (v.is_number()) {
    const double n = v.get<double>();
    if (std::fabs(n) > static_cast<double>(std::numeric_limits<T>::max())) {
      return Wrong(path, ref, json::Dump(v) + " is out of range for " + wit::TypeText(contract_, ref));
    }
    Put(static_cast<T>(n));
    return true;
  }
  if (!v.is_string()) return Mismatch(path, ref, v);
  const auto& text = v.get_ref<const std::string&>();
  using Limits = std::numeric_limits<T>;
  if (text == "NaN") {
    Put(Limits::quiet_NaN());
  } else if (text == "Infinity") {
    Put(Limits::infinity());
  } else if (text == "-Infinity") {
    Put(static_cast<T>(-Limits::infinity()));
  } else {
    return Mismatch(path, ref, v, "a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
  }
  return true;
}

bool Encoder::Char(wit::TypeRef ref, const Json& v, const Path* path) {
  if (!v.is_string()) return Mismatch(path, ref, v, "a string of one character");
  const auto& text = v.get_ref<const std::string&>();
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  if (text.empty()) return Mismatch(path, ref, v, "a string of one character");
  const std::size_t length = byte(0) < 0x80 ? 1 : byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (text.size() != length || !IsUtf8(text)) return Mismatch(path, ref, v, "a string of one character");
  std::uint32_t scalar = length == 1 ? byte(0) : byte(0) & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) scalar = scalar << 6 | (byte(i) & 0x3f);
  Put(scalar);
  return true;
}

bool Encoder::String(wit::TypeRef ref, const Json& v, const Path* path) {
  if (!v.is_string()) return Mismatch(path, ref, v);
  const auto& text = v.get_ref<const std::string&>();
  if (out_.size() + text.size() > limit_bytes_) return TooBig();
  if (utf8_ == Utf8::kUnchecked && !IsUtf8Fast(text)) return Wrong(path, ref, "the string is not valid UTF-8");
  Put(static_cast<std::uint32_t>(text.size()));
  out_.insert(out_.end(), text.begin(), text.end());
  return true;
}

bool Encoder::List(wit::TypeRef ref, const Json& v, const Path* path) {
  const wit::Type& type = contract_.At(ref);
  if (v.is_string() && contract_.At(type.element).kind == Kind::kU8) return Bytes(ref, v, path);
  if (!v.is_array()) return Mismatch(path, ref, v, "an array");
  const auto& items = v.get_ref<const Json::array_t&>();
  if (type.size == 0) {
    Put(static_cast<std::uint32_t>(items.size()));
  } else if (items.size() != type.size) {
    return Wrong(path, ref, "expected " + std::to_string(type.size) + " elements, got " + std::to_string(items.size()));
  }
  Path here{path, {}, 0};
  for (; here.index < items.size(); ++here.index) {
    if (!Value(type.element, items[here.index], &here)) return false;
  }
  return true;
}

bool Encoder::Bytes(wit::TypeRef ref, const Json& v, const Path* path) {
  const wit::Type& type = contract_.At(ref);
  const auto& text = v.get_ref<const std::string&>();
  if (out_.size() + text.size() / 4 * 3 > limit_bytes_ + 3) return TooBig();
  const std::size_t count_at = out_.size();
  if (type.size == 0) Put<std::uint32_t>(0);
  const std::size_t start = out_.size();
  if (DecodeBase64(text, out_) != Base64::kOk) {
    return Wrong(path, ref, "expected base64 (with padding) or an array of u8, got a string that is neither");
  }
  const std::size_t count = out_.size() - start;
  if (type.size != 0 && count != type.size) {
    return Wrong(path, ref, "expected " + std::to_string(type.size) + " bytes, got " + std::to_string(count));
  }
  if (type.size == 0) {
    const auto n = static_cast<std::uint32_t>(count);
    std::memcpy(out_.data() + count_at, &n, sizeof n);
  }
  return true;
}

bool Encoder::Map(wit::TypeRef ref, const Json& v, const Path* path) {
  const wit::Type& type = contract_.At(ref);
  if (!v.is_array()) return Mismatch(path, ref, v, "an array of [key, value] pairs");
  const auto& items = v.get_ref<const Json::array_t&>();
  Put(static_cast<std::uint32_t>(items.size()));
  Path here{path, {}, 0};
  for (; here.index < items.size(); ++here.index) {
    const Json& pair = items[here.index];
    if (!pair.is_array() || pair.size() != 2) return Wrong(&here, ref, "expected [key, value], got " + KindOf(pair));
    const Path key{&here, {}, 0}, value{&here, {}, 1};
    if (!Value(type.element, pair[0], &key) || !Value(type.error, pair[1], &value)) return false;
  }
  return true;
}

bool Encoder::Tuple(wit::TypeRef ref, const Json& v, const Path* path) {
  const wit::Type& type = contract_.At(ref);
  if (!v.is_array()) return Mismatch(path, ref, v, "an array");
  if (v.size() != type.fields.size()) {
    return Wrong(path, ref,
                 "expected " + wit::TypeText(contract_, ref) + " (" + std::to_string(type.fields.size()) +
                     " elements), got " + std::to_string(v.size()));
  }
  Path here{path, {}, 0};
  for (; here.index < type.fields.size(); ++here.index) {
    if (!Value(type.fields[here.index].type, v[here.index], &here)) return false;
  }
  return true;
}

// The payload of a case; a case without one takes null or nothing.
bool Encoder::Payload(wit::TypeRef ref, const Json& v, const Path* path) {
  if (ref != wit::kNone) return Value(ref, v, path);
  return v.is_null() || Wrong(path, ref, "this case has no payload; expected null, got " + KindOf(v));
}

bool Encoder::Variant(wit::TypeRef ref, const Json& v, const Path* path) {
  static const Json kNull;
  const wit::Type& type = contract_.At(ref);
  const auto tag = v.is_object() ? v.find("tag") : v.end();
  if (!v.is_object() || tag == v.end()) return Mismatch(path, ref, v, R"({"tag": …, "val": …})");
  const Path tag_path{path, "tag"}, val_path{path, "val"};
  if (!tag->is_string()) return Wrong(&tag_path, ref, "expected the name of a case, got " + KindOf(*tag));
  const auto& name = tag->get_ref<const std::string&>();
  const auto it = std::find_if(type.fields.begin(), type.fields.end(), [&](const auto& f) { return f.name == name; });
  if (it == type.fields.end()) return UnknownName(&tag_path, ref, "case", name, type.fields);
  const auto val = v.find("val");
  if (v.size() > (val == v.end() ? 1u : 2u)) return Wrong(path, ref, R"(a variant has "tag" and "val", nothing else)");
  if (val == v.end() && it->type != wit::kNone) {
    return Wrong(path, it->type, "the case '" + name + "' needs \"val\" of type " + wit::TypeText(contract_, it->type),
                 "add \"val\"");
  }
  Put(static_cast<std::uint32_t>(it - type.fields.begin()));
  return Payload(it->type, val == v.end() ? kNull : *val, &val_path);
}

bool Encoder::Enum(wit::TypeRef ref, const Json& v, const Path* path) {
  if (!v.is_string()) return Mismatch(path, ref, v, "the name of a case");
  const auto& fields = contract_.At(ref).fields;
  const auto& name = v.get_ref<const std::string&>();
  const auto it = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
  if (it == fields.end()) return UnknownName(path, ref, "case", name, fields);
  Put(static_cast<std::uint32_t>(it - fields.begin()));
  return true;
}

bool Encoder::Flags(wit::TypeRef ref, const Json& v, const Path* path) {
  if (!v.is_array()) return Mismatch(path, ref, v, "an array of names");
  const auto& fields = contract_.At(ref).fields;
  std::vector<std::uint32_t> words((fields.size() + 31) / 32);
  Path here{path, {}, 0};
  for (; here.index < v.size(); ++here.index) {
    const Json& item = v[here.index];
    if (!item.is_string()) return Wrong(&here, ref, "expected the name of a flag, got " + KindOf(item));
    const auto& name = item.get_ref<const std::string&>();
    const auto it = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
    if (it == fields.end()) return UnknownName(&here, ref, "flag", name, fields);
    const auto bit = static_cast<std::size_t>(it - fields.begin());
    if (words[bit / 32] >> (bit % 32) & 1) return Wrong(&here, ref, "the flag '" + name + "' is there twice");
    words[bit / 32] |= 1u << (bit % 32);
  }
  for (std::uint32_t word : words) Put(word);
  return true;
}

bool Encoder::Option(wit::TypeRef ref, const Json& v, const Path* path) {
  const wit::TypeRef element = contract_.At(ref).element;
  Put<std::uint8_t>(v.is_null() ? 0 : 1);
  if (v.is_null()) return true;
  if (contract_.At(element).kind != Kind::kOption) return Value(element, v, path);
  const auto some = v.is_object() ? v.find("some") : v.end();
  if (!v.is_object() || v.size() != 1 || some == v.end()) return Mismatch(path, ref, v, R"(null or {"some": …})");
  const Path here{path, "some"};
  return Value(element, *some, &here);
}

bool Encoder::ResultOf(wit::TypeRef ref, const Json& v, const Path* path) {
  const wit::Type& type = contract_.At(ref);
  const auto ok = v.is_object() ? v.find("ok") : v.end();
  const auto err = v.is_object() ? v.find("err") : v.end();
  if (!v.is_object() || v.size() != 1 || (ok == v.end() && err == v.end())) {
    return Mismatch(path, ref, v, R"({"ok": …} or {"err": …})");
  }
  const bool is_ok = ok != v.end();
  Put<std::uint8_t>(is_ok ? 0 : 1);
  const Path here{path, is_ok ? "ok" : "err"};
  return Payload(is_ok ? type.element : type.error, is_ok ? *ok : *err, &here);
}

Status EncodeObject(const wit::Contract& contract, const wit::Function& function, const Json& input,
                    std::vector<std::uint8_t>& out, const ValueLimits& limits, Utf8 utf8) {
  out.clear();
  const Path root;
  Encoder encoder(contract, out, limits, utf8);
  CORDON_TRY(encoder.Finish(encoder.Params(function, input, root)));
  if (out.size() <= limits.wire_bytes) return {};
  return Fail(Error(Code::kInputSize,
                    "the input is larger than " + std::to_string(limits.wire_bytes) + " bytes once encoded",
                    "pass less, or raise `limits.input` in config.yaml")
                  .With("limit", std::to_string(limits.wire_bytes)));
}

}  // namespace

Status EncodeParams(const wit::Contract& contract, const wit::Function& function, const Json& input,
                    std::vector<std::uint8_t>& out, const ValueLimits& limits) {
  return EncodeObject(contract, function, input, out, limits, Utf8::kUnchecked);
}

Status EncodeParamsText(const wit::Contract& contract, const wit::Function& function, std::string_view json_text,
                        std::vector<std::uint8_t>& out, const ValueLimits& limits) {
  if (json_text.size() > limits.json_bytes) {
    return Fail(Error(Code::kInputSize, "the input is larger than " + std::to_string(limits.json_bytes) + " bytes",
                      "pass less, or raise `limits.input` in config.yaml")
                    .With("limit", std::to_string(limits.json_bytes)));
  }
  json::Limits bounds;
  bounds.bytes = limits.json_bytes;
  CORDON_ASSIGN(const Json input, json::Parse(json_text, "input", bounds));
  return EncodeObject(contract, function, input, out, limits, Utf8::kChecked);
}

Status EncodeValue(const wit::Contract& contract, wit::TypeRef type, const Json& value, std::vector<std::uint8_t>& out,
                   const ValueLimits& limits) {
  const Path root;
  Encoder encoder(contract, out, limits, Utf8::kUnchecked);
  return encoder.Finish(encoder.Value(type, value, &root));
}

}  // namespace cordon::abi
