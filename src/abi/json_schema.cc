#include "abi/json_schema.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace cordon::abi {
namespace {

using wit::Kind;

constexpr std::size_t kInlineNodes = 16;  // an unnamed type larger than this is written once, however often it is used

// Decimal digits without a leading zero, from 1 to `max`: shorter numbers, then each prefix of `max` followed by a
// smaller digit, then `max` itself.
std::string PositivePattern(const std::string& max) {
  std::string text = "[1-9][0-9]{0," + std::to_string(max.size() - 2) + "}";
  for (std::size_t i = 0; i < max.size(); ++i) {
    const char low = i == 0 ? '1' : '0';
    if (max[i] <= low) continue;
    const char high = static_cast<char>(max[i] - 1);
    text += "|" + max.substr(0, i);
    text += high == low ? std::string(1, low) : std::string("[") + low + "-" + high + "]";
    const std::size_t rest = max.size() - i - 1;
    if (rest > 0) text += "[0-9]{" + std::to_string(rest) + "}";
  }
  return text + "|" + max;
}

template <typename T>
Json IntegerSchema() {
  return {{"type", "integer"}, {"minimum", std::numeric_limits<T>::min()}, {"maximum", std::numeric_limits<T>::max()}};
}

Json Wide(Json integer, const std::string& pattern) {
  return {{"anyOf", {std::move(integer), {{"type", "string"}, {"pattern", pattern}}}},
          {"description",
           "64 bits: a number, or a string of decimal digits; beyond 2^53 - 1 always a string when it comes out"}};
}

Json U64Schema() {
  const std::string max = std::to_string(std::numeric_limits<std::uint64_t>::max());
  return Wide(IntegerSchema<std::uint64_t>(), "^(?:0|" + PositivePattern(max) + ")$");
}

Json S64Schema() {
  const std::string max = std::to_string(std::numeric_limits<std::int64_t>::max());
  const std::string min = std::to_string(std::numeric_limits<std::int64_t>::min()).substr(1);
  return Wide(IntegerSchema<std::int64_t>(), "^(?:0|" + PositivePattern(max) + "|-(?:" + PositivePattern(min) + "))$");
}

Json FloatSchema(double max) {
  return {{"anyOf",
           {{{"type", "number"}, {"minimum", -max}, {"maximum", max}}, {{"enum", {"NaN", "Infinity", "-Infinity"}}}}}};
}

// Base64 of any number of bytes, or of exactly `count`; one value has one spelling.
std::string Base64Pattern(std::size_t count) {
  const std::string block = "[A-Za-z0-9+/]{4}",
                    two = "[A-Za-z0-9+/][AQgw]==", three = "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=";
  if (count == 0) return "^(?:" + block + ")*(?:" + two + "|" + three + ")?$";
  const std::string tail = count % 3 == 1 ? two : count % 3 == 2 ? three : "";
  return "^(?:" + block + ")*" + tail + "$";
}

Json BytesSchema(std::size_t count) {
  Json text = {{"type", "string"}, {"contentEncoding", "base64"}, {"pattern", Base64Pattern(count)}};
  Json array = {{"type", "array"}, {"items", IntegerSchema<std::uint8_t>()}};
  if (count > 0) {
    text["minLength"] = text["maxLength"] = (count + 2) / 3 * 4;
    array["minItems"] = array["maxItems"] = count;
  }
  return {{"anyOf", {std::move(text), std::move(array)}},
          {"description", "bytes: base64, or an array of numbers; base64 when they come out"}};
}

Json ObjectSchema() {
  return {
      {"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}, {"additionalProperties", false}};
}

void Describe(Json& schema, const std::string& docs) {
  if (!docs.empty()) schema["description"] = docs;
}

class Writer {
 public:
  explicit Writer(const wit::Contract& contract)
      : contract_(contract), uses_(contract.types.size()), nodes_(contract.types.size()) {}

  // REQUIRES: called for every root before Schema is called for any.
  std::size_t Count(wit::TypeRef ref);
  Json Schema(wit::TypeRef ref);
  Json Object(const std::vector<wit::Field>& fields);

  // The root, with what it refers to.
  Json Document(Json root, const std::string& title, const std::string& docs) {
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    root["title"] = title;
    Describe(root, docs);
    if (!defs_.empty()) root["$defs"] = std::move(defs_);
    return root;
  }

 private:
  Json Body(wit::TypeRef ref);
  Json List(const wit::Type& type);
  Json Tuple(const wit::Type& type);
  Json Enum(const wit::Type& type);
  Json Variant(const wit::Type& type);
  Json ResultOf(const wit::Type& type);
  Json Case(const std::string& key, wit::TypeRef payload);
  Json Reference(const std::string& name) { return {{"$ref", "#/$defs/" + name}}; }
  std::string FreeName(const std::string& wanted);
  Json Shared(const std::string& name, Json (*make)());

  const wit::Contract& contract_;
  std::vector<std::uint32_t> uses_;
  std::vector<std::size_t> nodes_;             // of the type written out, saturating
  std::map<wit::TypeRef, std::string> names_;  // of the types in defs_
  std::map<std::string, std::string> shared_;  // "u64" to its name in defs_
  Json defs_ = Json::object();
};

std::size_t Writer::Count(wit::TypeRef ref) {
  if (ref == wit::kNone) return 0;
  if (++uses_[ref] > 1) return nodes_[ref];
  const wit::Type& type = contract_.At(ref);
  std::size_t nodes = 1 + Count(type.element) + Count(type.error);
  for (const wit::Field& field : type.fields) nodes += 1 + Count(field.type);
  return nodes_[ref] = std::min<std::size_t>(nodes, 1 << 20);
}

std::string Writer::FreeName(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; defs_.contains(name); ++i) name = wanted + "-" + std::to_string(i);
  return name;
}

Json Writer::Shared(const std::string& name, Json (*make)()) {
  auto [it, fresh] = shared_.try_emplace(name);
  if (fresh) {
    it->second = FreeName(name);
    defs_[it->second] = make();
  }
  return Reference(it->second);
}

Json Writer::Schema(wit::TypeRef ref) {
  const wit::Type& type = contract_.At(ref);
  if (type.kind == Kind::kU64) return Shared("u64", U64Schema);
  if (type.kind == Kind::kS64) return Shared("s64", S64Schema);
  const bool is_compound = !type.fields.empty() || type.element != wit::kNone;
  const bool is_shared = uses_[ref] > 1 && is_compound && (!type.name.empty() || nodes_[ref] > kInlineNodes);
  if (!is_shared) return Body(ref);
  auto [it, fresh] = names_.try_emplace(ref);
  if (fresh) {
    it->second = FreeName(type.name.empty() ? "type" : type.name);
    defs_[it->second] = nullptr;  // takes the name before the body asks for others
    const std::string name = it->second;
    Json body = Body(ref);
    defs_[name] = std::move(body);
  }
  return Reference(names_.at(ref));
}

Json Writer::Body(wit::TypeRef ref) {
  const wit::Type& type = contract_.At(ref);
  Json schema;
  switch (type.kind) {
    case Kind::kBool: schema = {{"type", "boolean"}}; break;
    case Kind::kS8: schema = IntegerSchema<std::int8_t>(); break;
    case Kind::kU8: schema = IntegerSchema<std::uint8_t>(); break;
    case Kind::kS16: schema = IntegerSchema<std::int16_t>(); break;
    case Kind::kU16: schema = IntegerSchema<std::uint16_t>(); break;
    case Kind::kS32: schema = IntegerSchema<std::int32_t>(); break;
    case Kind::kU32: schema = IntegerSchema<std::uint32_t>(); break;
    case Kind::kS64: schema = S64Schema(); break;
    case Kind::kU64: schema = U64Schema(); break;
    case Kind::kF32: schema = FloatSchema(std::numeric_limits<float>::max()); break;
    case Kind::kF64: schema = FloatSchema(std::numeric_limits<double>::max()); break;
    case Kind::kChar: schema = {{"type", "string"}, {"minLength", 1}, {"maxLength", 1}}; break;
    case Kind::kString: schema = {{"type", "string"}}; break;
    case Kind::kList: schema = List(type); break;
    case Kind::kRecord: schema = Object(type.fields); break;
    case Kind::kTuple: schema = Tuple(type); break;
    case Kind::kVariant: schema = Variant(type); break;
    case Kind::kEnum: schema = Enum(type); break;
    case Kind::kFlags: schema = {{"type", "array"}, {"items", Enum(type)}, {"uniqueItems", true}}; break;
    case Kind::kOption: {
      Json some = Schema(type.element);
      if (contract_.At(type.element).kind == Kind::kOption) {
        Json wrapped = ObjectSchema();
        wrapped["properties"]["some"] = std::move(some);
        wrapped["required"].push_back("some");
        some = std::move(wrapped);
      }
      schema = {{"anyOf", {std::move(some), {{"type", "null"}}}}};
      break;
    }
    case Kind::kResult: schema = ResultOf(type); break;
    case Kind::kMap: {
      Json pair = {{"type", "array"}, {"items", false}, {"minItems", 2}};
      pair["prefixItems"] = Json::array({Schema(type.element), Schema(type.error)});
      schema = {{"type", "array"}, {"items", std::move(pair)}};
      break;
    }
    case Kind::kResource:
    case Kind::kUnsupported: schema = {{"not", Json::object()}}; break;
  }
  Describe(schema, type.docs);
  return schema;
}

Json Writer::Object(const std::vector<wit::Field>& fields) {
  Json schema = ObjectSchema();
  for (const wit::Field& field : fields) {
    Json property = Schema(field.type);
    Describe(property, field.docs);
    schema["properties"][field.name] = std::move(property);
    if (contract_.At(field.type).kind != Kind::kOption) schema["required"].push_back(field.name);
  }
  return schema;
}

Json Writer::List(const wit::Type& type) {
  if (contract_.At(type.element).kind == Kind::kU8) return BytesSchema(type.size);
  Json schema = {{"type", "array"}, {"items", Schema(type.element)}};
  if (type.size > 0) schema["minItems"] = schema["maxItems"] = type.size;
  return schema;
}

Json Writer::Tuple(const wit::Type& type) {
  if (type.fields.empty()) return {{"type", "array"}, {"maxItems", 0}};
  Json schema = {{"type", "array"}, {"prefixItems", Json::array()}, {"items", false}, {"minItems", type.fields.size()}};
  for (const wit::Field& field : type.fields) schema["prefixItems"].push_back(Schema(field.type));
  return schema;
}

Json Writer::Enum(const wit::Type& type) {
  const bool has_docs =
      std::any_of(type.fields.begin(), type.fields.end(), [](const auto& f) { return !f.docs.empty(); });
  Json names = Json::array();
  for (const wit::Field& field : type.fields) {
    if (!has_docs) {
      names.push_back(field.name);
      continue;
    }
    Json item = {{"const", field.name}};
    Describe(item, field.docs);
    names.push_back(std::move(item));
  }
  if (names.empty()) return {{"not", Json::object()}};
  return {{has_docs ? "oneOf" : "enum", std::move(names)}};
}

Json Writer::Variant(const wit::Type& type) {
  Json cases = Json::array();
  for (const wit::Field& field : type.fields) {
    Json item = ObjectSchema();
    item["properties"]["tag"] = {{"const", field.name}};
    item["properties"]["val"] = field.type == wit::kNone ? Json{{"type", "null"}} : Schema(field.type);
    item["required"].push_back("tag");
    if (field.type != wit::kNone) item["required"].push_back("val");
    Describe(item, field.docs);
    cases.push_back(std::move(item));
  }
  if (cases.empty()) return {{"not", Json::object()}};
  return {{"oneOf", std::move(cases)}};
}

Json Writer::Case(const std::string& key, wit::TypeRef payload) {
  Json schema = ObjectSchema();
  schema["properties"][key] = payload == wit::kNone ? Json{{"type", "null"}} : Schema(payload);
  schema["required"].push_back(key);
  return schema;
}

Json Writer::ResultOf(const wit::Type& type) {
  return {{"oneOf", Json::array({Case("ok", type.element), Case("err", type.error)})}};
}

}  // namespace

Json InputSchema(const wit::Contract& contract, const wit::Function& function) {
  Writer writer(contract);
  for (const wit::Field& param : function.params) writer.Count(param.type);
  Json root = writer.Object(function.params);
  return writer.Document(std::move(root), function.name, function.docs);
}

Json OutputSchema(const wit::Contract& contract, const wit::Function& function) {
  Writer writer(contract);
  writer.Count(function.result);
  Json root = function.result == wit::kNone ? Json{{"type", "null"}} : writer.Schema(function.result);
  return writer.Document(std::move(root), function.name, {});
}

}  // namespace cordon::abi
