#include "runtime/settings.h"

#include <set>

#include "base/text.h"
#include "formats/schema.h"
#include "manifest/settings_schema.h"
#include "runtime/load.h"
#include "services/secrets.h"
#include "services/vault/vault.h"

namespace cordon::runtime {
namespace {

using Keys = std::set<std::string, std::less<>>;

constexpr std::size_t kSettingsMax = 1024;

void Overlay(Json& onto, const Json& values) {
  if (!values.is_object()) return;
  for (const auto& [key, value] : values.items()) onto[key] = value;
}

Json Defaults(const Json& schema) {
  Json values = Json::object();
  const auto properties = schema.find("properties");
  if (properties == schema.end() || !properties->is_object()) return values;
  for (const auto& [key, property] : properties->items()) {
    if (property.is_object() && property.contains("default")) values[key] = property.at("default");
  }
  return values;
}

Status CheckRequired(const std::string& plugin, const Json& schema, const Json& values, const Keys& secret) {
  const auto required = schema.find("required");
  if (required == schema.end() || !required->is_array()) return {};
  for (const Json& key : *required) {
    if (!key.is_string() || values.contains(key.get_ref<const std::string&>())) continue;
    const std::string name = EscapeShort(key.get_ref<const std::string&>(), 80);
    return Fail(
        Code::kMissing, "the setting '" + name + "' of " + plugin + " is not set",
        "set it: cordon config set PLUGIN " + name +
            (secret.contains(key.get_ref<const std::string&>()) ? ", with the value on standard input" : " VALUE"));
  }
  return {};
}

// A message of the schema's may show a value; where that could be a secret, the rule is named instead.
Status CheckFit(const std::string& plugin, const Json& schema, const Json& values, const Keys& secret) {
  CORDON_ASSIGN(const Schema compiled, Schema::Compile(schema));
  const std::vector<SchemaViolation> violations = compiled.Check(values);
  if (violations.empty()) return {};
  const SchemaViolation& first = violations.front();
  const std::string key = first.instance_path.substr(std::min<std::size_t>(1, first.instance_path.size()));
  const bool may_show = secret.empty() || (!key.empty() && !secret.contains(key.substr(0, key.find('/'))));
  return Fail(Code::kInvalid,
              "the settings of " + plugin + " do not fit its schema: " + (key.empty() ? "all of them" : key) + ": " +
                  (may_show ? first.message : "not as " + first.schema_path + " says"),
              "see them: cordon config list PLUGIN");
}

}  // namespace

Result<std::vector<services::SettingValue>> SettingsOf(const std::string& plugin, const manifest::Manifest* manifest,
                                                       const manifest::Config& config, const Json& kept,
                                                       services::SecretSource& secrets) {
  const Json schema = manifest != nullptr && manifest->config ? *manifest->config : Json::object();
  const Keys secret = manifest::SecretSettings(schema);
  Json values = Defaults(schema);
  if (const auto entry = config.entries.find(plugin); entry != config.entries.end()) {
    Overlay(values, entry->second.config);
  }
  Overlay(values, kept);
  for (const std::string& key : secret) {
    if (values.contains(key)) {
      return Fail(Code::kInvalid, "the setting '" + key + "' of " + plugin + " is secret, and stands in the clear",
                  "take it out of config.yaml, then: cordon config set PLUGIN " + key);
    }
  }
  std::vector<services::SettingValue> out;
  for (const std::string& key : secret) {
    CORDON_ASSIGN(std::optional<SecretText> value, secrets.Find(plugin, services::SettingName(key)));
    if (!value) continue;
    values[key] = std::string(value->reveal());
    out.push_back({key, std::move(*value)});
  }
  Status fit = CheckRequired(plugin, schema, values, secret);
  if (fit) fit = CheckFit(plugin, schema, values, secret);
  for (const std::string& key : secret) {
    if (!values.contains(key)) continue;
    auto& text = values[key].get_ref<std::string&>();
    WipeText(text.data(), text.size());
    values.erase(key);
  }
  CORDON_TRY(fit);
  if (values.size() + out.size() > kSettingsMax) {
    return Fail(Code::kLimit, plugin + " has more than " + std::to_string(kSettingsMax) + " settings");
  }
  for (const auto& [key, value] : values.items()) {
    out.push_back({key, SecretText(value.is_string() ? value.get_ref<const std::string&>() : json::Dump(value))});
  }
  return out;
}

// Settings are of one moment, so that a call sees them all from the same; secrets are read when they are asked for.
Status Loader::SetUpSettings(PluginServices& services) {
  if (plugin_->authority.Allows(policy::Kind::kSecrets)) {
    services.router->Add(std::make_unique<services::SecretsService>(*services.guard, host_.options.secrets));
  }
  if (!plugin_->authority.Allows(policy::Kind::kConfig)) return {};
  CORDON_ASSIGN(std::vector<services::SettingValue> values, Settings());
  services.router->Add(std::make_unique<services::SettingsService>(*services.guard, std::move(values)));
  return {};
}

Result<std::vector<services::SettingValue>> Loader::Settings() const {
  const std::string& name = plugin_->source.name;
  Json kept = Json::object();
  if (host_.options.settings) {
    CORDON_ASSIGN(kept, host_.options.settings(name));
  }
  kept.update(request_.settings);
  const manifest::Manifest* manifest = plugin_->source.manifest ? &*plugin_->source.manifest : nullptr;
  return SettingsOf(name, manifest, rules_->config, kept, *host_.options.secrets);
}

}  // namespace cordon::runtime
