#include "foreign/convert.h"

#include <array>

#include "base/text.h"
#include "foreign/walk.h"
#include "formats/toml.h"
#include "formats/yaml.h"

namespace cordon::foreign {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"extism", "fledge", "zeroclaw", "nexus", "autokestra", "wassette"};

Result<Json> Parse(std::string_view text, const std::string& file) {
  if (text.size() > kSourceBytesMax) return Fail(Code::kLimit, file + " is larger than 8 MiB");
  if (file.ends_with(".toml")) return ParseToml(text, file);
  if (file.ends_with(".yaml") || file.ends_with(".yml")) {
    CORDON_ASSIGN(const yaml::Document document, yaml::Parse(text, file));
    return yaml::ToJson(document.root);
  }
  return json::Parse(text, file);
}

bool Has(const Json& root, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!root.contains(key)) return false;
  }
  return true;
}

std::optional<Format> Guess(const Json& root, const std::string& file) {
  if (!root.is_object()) return std::nullopt;
  if (Has(root, {"wasm"}) && root["wasm"].is_array()) return Format::kExtism;
  if (file.ends_with(".toml")) {
    if (Has(root, {"plugin"}) && root["plugin"].is_object()) return Format::kFledge;
    if (Has(root, {"name"})) return Format::kZeroclaw;
    return std::nullopt;
  }
  const auto permissions = root.find("permissions");
  if (permissions != root.end() && permissions->is_object()) {
    for (const char* kind : {"storage", "network", "environment", "resources", "ipc", "runtime"}) {
      const auto section = permissions->find(kind);
      if (section != permissions->end() && section->is_object()) return Format::kWassette;
    }
  }
  if (Has(root, {"actions"}) && root["actions"].is_array()) return Format::kAutokestra;
  if (Has(root, {"namespace"})) return Format::kAutokestra;
  for (const char* key : {"tools", "channels", "commands", "services", "hooks", "capabilities"}) {
    if (root.contains(key)) return Format::kNexus;
  }
  return std::nullopt;
}

void Append(std::string& out, const OrderedJson& value, int depth);

std::string Scalar(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

// A key that YAML could take for something else is quoted.
std::string Key(const std::string& key) {
  bool plain = !key.empty() && key.size() < 64;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char c = key[i];
    plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i > 0 && (c == '-' || c == '.')));
  }
  for (const char* word : {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "Y", "N"}) {
    plain = plain && key != word;
  }
  return plain ? key : Scalar(OrderedJson(key));
}

bool IsFlat(const OrderedJson& value) { return !value.is_structured() || value.empty(); }

void AppendUnder(std::string& out, const OrderedJson& value, int depth) {
  if (IsFlat(value)) {
    out += " " + Scalar(value) + "\n";
  } else {
    out += "\n";
    Append(out, value, depth);
  }
}

// Depth is bounded by the sources and by what we make of them.
void Append(std::string& out, const OrderedJson& value, int depth) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      out += indent + Key(key) + ":";
      AppendUnder(out, item, depth + 1);
    }
    return;
  }
  for (const OrderedJson& item : value) out += indent + "- " + Scalar(item) + "\n";
}

}  // namespace

std::string_view FormatName(Format format) { return kNames[static_cast<std::size_t>(format)]; }

std::optional<Format> FormatNamed(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Format>(i);
  }
  return std::nullopt;
}

Result<Imported> Convert(std::string_view text, const std::string& file, std::optional<Format> format) {
  CORDON_ASSIGN(const Json root, Parse(text, file));
  if (!format) format = Guess(root, file);
  if (!format) {
    return Fail(Code::kInvalid, EscapeShort(file, 200) + " is no manifest that Cordon knows",
                "say which one it is: --from extism, fledge, zeroclaw, nexus, autokestra or wassette");
  }
  CORDON_ASSIGN(Walk walk, Walk::Of(root, ""));
  switch (*format) {
    case Format::kExtism: return FromExtism(std::move(walk));
    case Format::kFledge: return FromFledge(std::move(walk));
    case Format::kZeroclaw: return FromZeroclaw(std::move(walk));
    case Format::kNexus: return FromNexus(std::move(walk));
    case Format::kAutokestra: return FromAutokestra(std::move(walk));
    case Format::kWassette: break;
  }
  return FromWassette(std::move(walk));
}

std::string ToYaml(const OrderedJson& manifest) {
  std::string out;
  Append(out, manifest, 0);
  return out;
}

}  // namespace cordon::foreign
