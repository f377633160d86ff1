#include "formats/wit_document.h"

#include <utility>

namespace cordon::wit {
namespace {

constexpr std::pair<std::string_view, Kind> kKinds[] = {
    {"bool", Kind::kBool},
    {"s8", Kind::kS8},
    {"u8", Kind::kU8},
    {"s16", Kind::kS16},
    {"u16", Kind::kU16},
    {"s32", Kind::kS32},
    {"u32", Kind::kU32},
    {"s64", Kind::kS64},
    {"u64", Kind::kU64},
    {"f32", Kind::kF32},
    {"f64", Kind::kF64},
    {"char", Kind::kChar},
    {"string", Kind::kString},
    {"list", Kind::kList},
    {"record", Kind::kRecord},
    {"tuple", Kind::kTuple},
    {"variant", Kind::kVariant},
    {"enum", Kind::kEnum},
    {"flags", Kind::kFlags},
    {"option", Kind::kOption},
    {"result", Kind::kResult},
    {"map", Kind::kMap},
    {"resource", Kind::kResource},
};

Kind KindOf(std::string_view name) {
  for (const auto& [text, kind] : kKinds) {
    if (text == name) return kind;
  }
  return Kind::kUnsupported;
}

std::string TextOf(const Json& object, const char* key) {
  auto found = object.find(key);
  return found == object.end() ? std::string() : found->get<std::string>();
}

TypeRef RefOf(const Json& object, const char* key) {
  auto found = object.find(key);
  return found == object.end() ? kNone : found->get<TypeRef>();
}

std::vector<Field> FieldsOf(const Json& object, const char* key) {
  std::vector<Field> fields;
  auto found = object.find(key);
  if (found == object.end()) return fields;
  for (const Json& field : *found) {
    fields.push_back({TextOf(field, "name"), RefOf(field, "type"), TextOf(field, "docs")});
  }
  return fields;
}

Type TypeOf(const Json& object) {
  Type type;
  type.kind = KindOf(object.at("kind").get_ref<const std::string&>());
  type.name = TextOf(object, "name");
  type.docs = TextOf(object, "docs");
  type.fields = FieldsOf(object, "fields");
  type.element = RefOf(object, "element");
  type.error = RefOf(object, "error");
  type.size = object.value("size", 0u);
  return type;
}

Function FunctionOf(const Json& object) {
  Function function;
  function.name = TextOf(object, "name");
  function.docs = TextOf(object, "docs");
  function.params = FieldsOf(object, "params");
  function.result = RefOf(object, "result");
  function.is_async = object.value("is_async", false);
  return function;
}

Item ItemOf(const Json& object) {
  Item item;
  const auto& kind = object.at("kind").get_ref<const std::string&>();
  item.kind = kind == "interface"  ? Item::Kind::kInterface
              : kind == "function" ? Item::Kind::kFunction
                                   : Item::Kind::kOther;
  item.name = TextOf(object, "name");
  item.module = TextOf(object, "module");
  item.docs = TextOf(object, "docs");
  item.type_text = TextOf(object, "type_text");
  if (auto found = object.find("functions"); found != object.end()) {
    for (const Json& function : *found) item.functions.push_back(FunctionOf(function));
  }
  if (auto found = object.find("resources"); found != object.end()) {
    for (const Json& name : *found) item.resources.push_back(name.get<std::string>());
  }
  return item;
}

}  // namespace

Contract ContractOf(const Json& object) {
  Contract contract;
  contract.kind = object.at("kind") == "component" ? Contract::Kind::kComponent : Contract::Kind::kModule;
  contract.function_count = object.at("function_count").get<std::uint32_t>();
  contract.data_bytes = object.at("data_bytes").get<std::uint64_t>();
  contract.has_start = object.at("has_start").get<bool>();
  for (const Json& type : object.at("types")) contract.types.push_back(TypeOf(type));
  for (auto [key, items] : {std::pair{"imports", &contract.imports}, std::pair{"exports", &contract.exports}}) {
    for (const Json& item : object.at(key)) {
      Item& read = items->emplace_back(ItemOf(item));
      // A core function says its core types; a component's are said in WIT.
      if (read.kind == Item::Kind::kFunction && read.type_text.empty() && !read.functions.empty()) {
        read.type_text = FunctionText(contract, read.functions.front());
      }
    }
  }
  return contract;
}

json::Limits DocumentLimits() {
  json::Limits limits;
  limits.bytes = std::size_t{1} << 30;  // of our own making, and bounded by the binary or the text
  limits.nodes = std::size_t{1} << 26;
  return limits;
}

}  // namespace cordon::wit
