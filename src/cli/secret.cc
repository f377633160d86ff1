#include "base/text.h"
#include "cli/command.h"
#include "cli/plugin_name.h"
#include "cli/secret_input.h"

namespace cordon::cli {
namespace {

using services::Vault;

constexpr Positional kNameWord[] = {{"NAME", "as in the grant secret:NAME"}};
constexpr Option kPluginOption[] = {
    {"--plugin", "NAME", "for this plugin alone; without it, for every plugin that is granted the name"}};

Result<Vault::Name> NameOf(const Session& session) {
  const std::string name = session.arguments().Get("NAME");
  CORDON_TRY(policy::MakeSecret(name));
  Vault::Name out{"", name};
  if (const auto plugin = session.arguments().One("--plugin")) {
    CORDON_ASSIGN(out.plugin, PluginNameOf(*plugin));
  }
  return out;
}

std::string Shown(const Vault::Name& name) { return name.plugin.empty() ? name.name : name.plugin + " " + name.name; }

Result<int> Set(Session& session) {
  CORDON_ASSIGN(const Vault::Name name, NameOf(session));
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  CORDON_ASSIGN(const SecretText value, ReadSecret(session, name.name));
  CORDON_ASSIGN(const auto vault, OpenVault(session));
  CORDON_TRY(AuditOperator(*log, name.plugin, "secret:" + name.name, "a secret is set"));
  CORDON_TRY(vault->Set(name, value.reveal()));
  if (session.json()) {
    session.PrintDocument({{"name", name.name}, {"plugin", name.plugin}});
  } else {
    session.Note("set " + Shown(name));
  }
  return 0;
}

Result<int> Remove(Session& session) {
  CORDON_ASSIGN(const Vault::Name name, NameOf(session));
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  CORDON_ASSIGN(const auto vault, OpenVault(session));
  CORDON_TRY(AuditOperator(*log, name.plugin, "secret:" + name.name, "a secret is removed"));
  CORDON_TRY(vault->Remove(name));
  if (session.json()) {
    session.PrintDocument({{"name", name.name}, {"plugin", name.plugin}});
  } else {
    session.Note("removed " + Shown(name));
  }
  return 0;
}

Result<int> List(Session& session) {
  CORDON_ASSIGN(const auto vault, OpenVault(session));
  CORDON_ASSIGN(const std::vector<Vault::Name> names, vault->List());
  OrderedJson list = OrderedJson::array();
  std::string text;
  for (const Vault::Name& name : names) {
    if (name.name.starts_with(services::SettingName(""))) continue;  // cordon config shows those
    list.push_back({{"name", name.name}, {"plugin", name.plugin}});
    text += name.name + (name.plugin.empty() ? "" : "  for " + name.plugin) + "\n";
  }
  if (session.json()) {
    session.PrintDocument({{"secrets", list}});
  } else {
    session.Print(text);
    if (text.empty()) session.Note("there are no secrets");
  }
  return 0;
}

}  // namespace

Command SecretSetCommand() {
  return {{.command = "secret set",
           .summary = "keep a secret, from standard input or a prompt",
           .positionals = kNameWord,
           .options = kPluginOption},
          Set};
}

Command SecretListCommand() { return {{.command = "secret list", .summary = "list the names of secrets"}, List}; }

Command SecretRemoveCommand() {
  return {{.command = "secret rm", .summary = "remove a secret", .positionals = kNameWord, .options = kPluginOption},
          Remove};
}

}  // namespace cordon::cli
