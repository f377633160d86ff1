#include "base/text.h"
#include "cli/command.h"
#include "cli/plugin_name.h"
#include "cli/report.h"
#include "cli/secret_input.h"
#include "services/memory/sqlite_memory.h"

namespace cordon::cli {
namespace {

using services::SqliteMemory;

constexpr Positional kNameWord[] = {{"PLUGIN", "its name, such as acme/notes"}};
constexpr Option kForgetOptions[] = {
    {"--session", "ID", "what it remembers of this session"},
    {"--agent", "NAME", "what it remembers of this agent"},
    {"--all", "", "everything, of all sessions and agents"},
};

Result<std::shared_ptr<SqliteMemory>> OpenMemory(const Session& session) {
  CORDON_ASSIGN(const std::filesystem::path folder, session.StateFolder());
  return SqliteMemory::OpenAll(folder / "memory.db");
}

Result<int> List(Session& session) {
  CORDON_ASSIGN(const std::filesystem::path folder, session.StateFolder());
  std::vector<services::MemoryUse> owners;
  std::error_code ignored;
  if (std::filesystem::exists(folder / "memory.db", ignored)) {
    CORDON_ASSIGN(const auto memory, OpenMemory(session));
    CORDON_ASSIGN(owners, memory->Owners());
  }
  OrderedJson list = OrderedJson::array();
  std::string text;
  for (const services::MemoryUse& use : owners) {
    list.push_back({{"plugin", Escape(use.owner)}, {"entries", use.entries}, {"bytes", use.bytes}});
    text +=
        Escape(use.owner) + "  " + std::to_string(use.entries) + " entries, " + FormatBytes(Bytes{use.bytes}) + "\n";
  }
  if (session.json()) {
    session.PrintDocument({{"plugins", list}});
  } else {
    session.Print(text);
    if (text.empty()) session.Note("no plugin remembers anything");
  }
  return 0;
}

Result<int> Forget(Session& session) {
  CORDON_ASSIGN(const std::string plugin, PluginNameOf(session.arguments().Get("PLUGIN")));
  Memory::Place place;
  place.owner = plugin;
  const auto in_session = session.arguments().One("--session"), by_agent = session.arguments().One("--agent");
  const bool all = session.arguments().Has("--all");
  if (in_session.has_value() + by_agent.has_value() + all > 1) {
    return Fail(Code::kUsage, "--session, --agent and --all are each for themselves", "give one of them");
  }
  std::string scope = all ? "all" : "plugin";
  if (in_session || by_agent) {
    place.scope = in_session ? Memory::Scope::kSession : Memory::Scope::kAgent;
    place.name = in_session ? *in_session : *by_agent;
    scope = in_session ? "session" : "agent";
  }
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  CORDON_ASSIGN(const auto memory, OpenMemory(session));
  CORDON_TRY(AuditOperator(*log, plugin, "memory:" + scope, "the operator has the plugin forget"));
  CORDON_ASSIGN(const std::uint64_t count, all ? memory->ForgetOwner(plugin) : memory->ForgetAll(place));
  if (session.json()) {
    session.PrintDocument({{"plugin", Escape(plugin)}, {"scope", scope}, {"forgotten", count}});
  } else {
    session.Note(Escape(plugin) + " forgot " + std::to_string(count) + (count == 1 ? " entry" : " entries"));
  }
  return 0;
}

}  // namespace

Command MemoryListCommand() {
  return {{.command = "memory list", .summary = "list which plugins remember how much"}, List};
}

Command MemoryForgetCommand() {
  return {{.command = "memory forget",
           .summary = "have a plugin forget what it remembers",
           .positionals = kNameWord,
           .options = kForgetOptions},
          Forget};
}

}  // namespace cordon::cli
