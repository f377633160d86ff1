#include <set>

#include "base/text.h"
#include "cli/command.h"
#include "cli/report.h"
#include "cli/secret_input.h"
#include "cli/settings_store.h"
#include "formats/schema.h"
#include "manifest/manifest.h"
#include "manifest/settings_schema.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;
using services::Vault;

constexpr Positional kSetWords[] = {
    {"PLUGIN", "a folder with a plugin.yaml", Positional::Count::kOne, Offer::kFolder},
    {"KEY", "the setting"},
    {"VALUE", "text, or JSON where the schema wants another type; never for a secret setting",
     Positional::Count::kOptional},
};
constexpr Positional kRemoveWords[] = {
    {"PLUGIN", "a folder with a plugin.yaml", Positional::Count::kOne, Offer::kFolder},
    {"KEY", "the setting"},
};
constexpr Positional kListWords[] = {
    {"PLUGIN", "a folder with a plugin.yaml", Positional::Count::kOne, Offer::kFolder}};

// A plugin whose settings are looked at or changed.
struct Subject {
  std::string name;
  Json schema = Json::object();
  std::set<std::string, std::less<>> secret;
};

Result<Subject> SubjectOf(const Session& session) {
  CORDON_ASSIGN(const manifest::Manifest manifest, manifest::LoadManifest(session.arguments().Get("PLUGIN")));
  Subject subject{manifest.name, manifest.config.value_or(Json::object()), {}};
  subject.secret = manifest::SecretSettings(subject.schema);
  return subject;
}

// A text stays a text where the schema wants one, or where it is not JSON.
Json ValueOf(const Subject& subject, const std::string& key, const std::string& text) {
  const Json property = subject.schema.value("properties", Json::object()).value(key, Json());
  if (property.is_object() && property.value("type", Json()) == Json("string")) return text;
  auto parsed = json::Parse(text, "VALUE");
  return parsed ? std::move(*parsed) : Json(text);
}

// What is set so far need not be complete; what is there has to fit.
Status CheckFit(const Subject& subject, const Json& settings) {
  Json schema = subject.schema;
  schema.erase("required");
  CORDON_ASSIGN(const Schema compiled, Schema::Compile(schema));
  const std::vector<SchemaViolation> violations = compiled.Check(settings);
  if (violations.empty()) return {};
  return Fail(Code::kInvalid,
              "the schema of " + subject.name + " does not allow that: " + violations.front().instance_path + " " +
                  violations.front().message,
              "see what it wants: config in plugin.yaml");
}

Status SetSecret(Session& session, const Subject& subject, const std::string& key, audit::AuditLog& log) {
  if (session.arguments().One("VALUE")) {
    return Fail(Code::kUsage, "'" + key + "' is secret, and others can see the words of a command",
                "give it on standard input: cordon config set PLUGIN " + key + " < FILE");
  }
  CORDON_ASSIGN(const SecretText value, ReadSecret(session, key));
  CORDON_ASSIGN(const auto vault, OpenVault(session));
  CORDON_TRY(AuditOperator(log, subject.name, "config:" + key, "a secret setting is set"));
  return vault->Set({subject.name, services::SettingName(key)}, value.reveal());
}

Status SetPlain(const Session& session, const Subject& subject, const std::string& key, audit::AuditLog& log) {
  const auto text = session.arguments().One("VALUE");
  if (!text) {
    return Fail(Code::kUsage, "there is no value for '" + EscapeShort(key, 80) + "'", "write it after the key");
  }
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  return SettingsStore(folder).Update(subject.name, [&](Json& settings) -> Status {
    settings[key] = ValueOf(subject, key, *text);
    CORDON_TRY(CheckFit(subject, settings));
    return AuditOperator(log, subject.name, "config:" + key, "a setting is set");
  });
}

Result<int> Set(Session& session) {
  CORDON_ASSIGN(const Subject subject, SubjectOf(session));
  const std::string key = session.arguments().Get("KEY");
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  const bool secret = subject.secret.contains(key);
  CORDON_TRY(secret ? SetSecret(session, subject, key, *log) : SetPlain(session, subject, key, *log));
  if (session.json()) {
    session.PrintDocument({{"plugin", subject.name}, {"key", Escape(key)}, {"secret", secret}});
  } else {
    session.Note("set " + EscapeShort(key, 80) + " of " + subject.name);
  }
  return 0;
}

Result<int> Remove(Session& session) {
  CORDON_ASSIGN(const Subject subject, SubjectOf(session));
  const std::string key = session.arguments().Get("KEY");
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  if (subject.secret.contains(key)) {
    CORDON_ASSIGN(const auto vault, OpenVault(session));
    CORDON_TRY(AuditOperator(*log, subject.name, "config:" + key, "a secret setting is removed"));
    CORDON_TRY(vault->Remove({subject.name, services::SettingName(key)}));
  } else {
    CORDON_ASSIGN(const fs::path folder, session.StateFolder());
    CORDON_TRY(SettingsStore(folder).Update(subject.name, [&](Json& settings) -> Status {
      if (settings.erase(key) == 0) {
        return Fail(Code::kNotFound, "'" + EscapeShort(key, 80) + "' of " + subject.name + " was not set here",
                    "see where it is: cordon config list PLUGIN");
      }
      return AuditOperator(*log, subject.name, "config:" + key, "a setting is removed");
    }));
  }
  if (session.json()) {
    session.PrintDocument({{"plugin", subject.name}, {"key", Escape(key)}});
  } else {
    session.Note("removed " + EscapeShort(key, 80) + " of " + subject.name);
  }
  return 0;
}

void Show(Session& session, OrderedJson& rows, const std::string& key, const Json* value, std::string_view origin) {
  OrderedJson row = {{"key", Escape(key)}, {"from", std::string(origin)}, {"secret", value == nullptr}};
  if (value != nullptr) row["value"] = *value;
  rows.push_back(row);
  if (session.json()) return;
  const std::string text = value == nullptr ? "(secret)" : EscapeShort(json::Dump(*value), 200);
  session.Print(EscapeShort(key, 80) + " = " + text + "  from " + std::string(origin) + "\n");
}

Result<int> List(Session& session) {
  CORDON_ASSIGN(const Subject subject, SubjectOf(session));
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  CORDON_ASSIGN(const Json kept, SettingsStore(folder).Of(subject.name));
  CORDON_ASSIGN(const auto vault, OpenVault(session));
  CORDON_ASSIGN(const std::vector<Vault::Name> names, vault->List());
  OrderedJson rows = OrderedJson::array();
  for (const auto& [key, value] : kept.items()) Show(session, rows, key, &value, "cordon config");
  if (const auto entry = config.entries.find(subject.name); entry != config.entries.end()) {
    for (const auto& [key, value] : entry->second.config.items()) {
      if (kept.contains(key)) continue;
      // One that is secret does not belong there; it is not shown on top of that.
      Show(session, rows, key, subject.secret.contains(key) ? nullptr : &value, "config.yaml");
    }
  }
  for (const std::string& key : subject.secret) {
    const bool set = std::ranges::find(names, Vault::Name{subject.name, services::SettingName(key)}) != names.end();
    if (set) Show(session, rows, key, nullptr, "secrets");
  }
  if (session.json()) session.PrintDocument({{"plugin", subject.name}, {"settings", rows}});
  if (rows.empty() && !session.json()) session.Note("nothing is set for " + subject.name);
  return 0;
}

}  // namespace

Command ConfigSetCommand() {
  return {{.command = "config set", .summary = "set a setting of a plugin", .positionals = kSetWords}, Set};
}

Command ConfigListCommand() {
  return {{.command = "config list", .summary = "list the settings of a plugin", .positionals = kListWords}, List};
}

Command ConfigRemoveCommand() {
  return {{.command = "config rm", .summary = "take a setting of a plugin back", .positionals = kRemoveWords}, Remove};
}

}  // namespace cordon::cli
