#include "manifest/settings_schema.h"

#include <algorithm>

#include "base/text.h"

namespace cordon::manifest {
namespace {

constexpr std::string_view kMark = "x-secret";
constexpr std::size_t kKeyBytesMax = 64;

// Whether the mark stands anywhere in a value. Depth is bounded by the reader of the file.
bool HasMark(const Json& value) {
  if (value.is_object() && value.contains(kMark)) return true;
  return value.is_structured() && std::ranges::any_of(value, HasMark);
}

bool IsPlainKey(std::string_view key) {
  return !key.empty() && key.size() <= kKeyBytesMax && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

Status CheckSecret(const std::string& key, const Json& schema) {
  const std::string name = "'config.properties." + EscapeShort(key, 80) + "'";
  if (!schema.at(kMark).is_boolean()) {
    return Fail(Code::kType, name + " has an x-secret that is neither true nor false", "write x-secret: true");
  }
  if (schema.value("type", Json()) != Json("string")) {
    return Fail(Code::kInvalid, name + " is secret and not a text", "write type: string beside x-secret");
  }
  if (!IsPlainKey(key)) {
    return Fail(Code::kName, name + " is secret and not a plain name", "use letters, digits and -_. in its name");
  }
  if (schema.contains("default") || schema.contains("const") || schema.contains("enum")) {
    return Fail(Code::kInvalid, name + " is secret, and its schema says what it is",
                "leave default, const and enum out");
  }
  return {};
}

}  // namespace

Status CheckSettingsSchema(const Json& schema) {
  if (!schema.is_object()) return Fail(Code::kType, "'config' must be a JSON Schema of an object");
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword != "properties" && (keyword == kMark || HasMark(value))) {
      return Fail(Code::kInvalid,
                  "x-secret stands in 'config." + EscapeShort(keyword, 80) + "', where it marks nothing",
                  "put it beside the type of a property at the top of config");
    }
  }
  const auto properties = schema.find("properties");
  if (properties == schema.end() || !properties->is_object()) return {};
  for (const auto& [key, property] : properties->items()) {
    if (!property.is_object()) continue;
    for (const auto& [keyword, value] : property.items()) {
      if (keyword == kMark || !HasMark(value)) continue;
      return Fail(Code::kInvalid, "x-secret stands inside 'config.properties." + EscapeShort(key, 80) + "'",
                  "only a text at the top of config can be secret");
    }
    if (property.contains(kMark)) CORDON_TRY(CheckSecret(key, property));
  }
  return {};
}

std::set<std::string, std::less<>> SecretSettings(const Json& schema) {
  std::set<std::string, std::less<>> keys;
  const auto properties = schema.find("properties");
  if (properties == schema.end() || !properties->is_object()) return keys;
  for (const auto& [key, property] : properties->items()) {
    if (property.is_object() && property.value(kMark, false)) keys.insert(key);
  }
  return keys;
}

}  // namespace cordon::manifest
