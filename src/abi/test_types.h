// Contracts built by hand, for tests and fuzz targets.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "formats/wit.h"

namespace cordon::abi {

// Grows a contract; every function returns a reference to a type in it.
class Types {
 public:
  using Fields = std::vector<std::pair<std::string, wit::TypeRef>>;

  Types() { contract.kind = wit::Contract::Kind::kComponent; }

  wit::TypeRef Of(wit::Kind kind) { return Add(kind); }
  wit::TypeRef List(wit::TypeRef element, std::uint32_t size = 0) {
    const wit::TypeRef ref = Add(wit::Kind::kList, element);
    contract.types[ref].size = size;
    return ref;
  }
  wit::TypeRef Option(wit::TypeRef element) { return Add(wit::Kind::kOption, element); }
  wit::TypeRef ResultOf(wit::TypeRef ok, wit::TypeRef err) { return Add(wit::Kind::kResult, ok, err); }
  wit::TypeRef Map(wit::TypeRef key, wit::TypeRef value) { return Add(wit::Kind::kMap, key, value); }
  wit::TypeRef Tuple(std::initializer_list<wit::TypeRef> types) {
    Fields fields;
    for (wit::TypeRef type : types) fields.emplace_back(std::string(), type);
    return Fielded(wit::Kind::kTuple, fields, {});
  }
  wit::TypeRef Record(const Fields& fields, std::string name = {}) {
    return Fielded(wit::Kind::kRecord, fields, std::move(name));
  }
  wit::TypeRef Variant(const Fields& cases, std::string name = {}) {
    return Fielded(wit::Kind::kVariant, cases, std::move(name));
  }
  wit::TypeRef Enum(const std::vector<std::string>& names, std::string name = {}) {
    return Named(wit::Kind::kEnum, names, std::move(name));
  }
  wit::TypeRef Flags(const std::vector<std::string>& names, std::string name = {}) {
    return Named(wit::Kind::kFlags, names, std::move(name));
  }
  wit::TypeRef Resource(std::string name) { return Fielded(wit::Kind::kResource, {}, std::move(name)); }

  static wit::Function Function(std::string name, const Fields& params, wit::TypeRef result = wit::kNone) {
    wit::Function function;
    function.name = std::move(name);
    function.params = MakeFields(params);
    function.result = result;
    return function;
  }
  static wit::Item Interface(std::string name, std::vector<wit::Function> functions,
                             std::vector<std::string> resources = {}) {
    wit::Item item;
    item.name = std::move(name);
    item.functions = std::move(functions);
    item.resources = std::move(resources);
    return item;
  }
  static wit::Item RootFunction(wit::Function function) {
    wit::Item item;
    item.kind = wit::Item::Kind::kFunction;
    item.name = function.name;
    item.functions.push_back(std::move(function));
    return item;
  }
  // An import of a core module.
  static wit::Item CoreFunction(std::string module, std::string name, std::string type_text) {
    wit::Item item = RootFunction(Function(name, {}));
    item.name = module + "." + name;
    item.module = std::move(module);
    item.type_text = std::move(type_text);
    return item;
  }

  wit::Contract contract;

 private:
  static std::vector<wit::Field> MakeFields(const Fields& fields) {
    std::vector<wit::Field> made(fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      made[i].name = fields[i].first;
      made[i].type = fields[i].second;
    }
    return made;
  }
  wit::TypeRef Add(wit::Kind kind, wit::TypeRef element = wit::kNone, wit::TypeRef error = wit::kNone) {
    wit::Type& type = contract.types.emplace_back();
    type.kind = kind;
    type.element = element;
    type.error = error;
    return static_cast<wit::TypeRef>(contract.types.size() - 1);
  }
  wit::TypeRef Fielded(wit::Kind kind, const Fields& fields, std::string name) {
    const wit::TypeRef ref = Add(kind);
    contract.types[ref].name = std::move(name);
    contract.types[ref].fields = MakeFields(fields);
    return ref;
  }
  wit::TypeRef Named(wit::Kind kind, const std::vector<std::string>& names, std::string name) {
    Fields fields;
    for (const std::string& n : names) fields.emplace_back(n, wit::kNone);
    return Fielded(kind, fields, std::move(name));
  }
};

}  // namespace cordon::abi
