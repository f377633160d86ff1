// `plugins disable` and `plugins enable`: the kill switch.
#include "cli/command.h"
#include "cli/grant_records.h"
#include "cli/report.h"
#include "runtime/kill_switch.h"

namespace cordon::cli {
namespace {

enum class Position : std::uint8_t { kOff, kOn };

// Off is done before it is recorded, on is recorded before it is done: a full log must not keep plugins running.
Result<int> Turn(Session& session, Position to) {
  session.CatchSignals();
  CORDON_ASSIGN(const std::filesystem::path folder, session.StateFolder());
  const bool was_off = std::filesystem::exists(folder / runtime::kSwitchFile);
  const auto guard = session.CatchSignals().Protect();
  audit::Record record;
  record.event = audit::Event::kSwitch;
  record.actor = Actor();
  record.note = to == Position::kOff ? "plugins were switched off" : "plugins were switched on";
  if (to == Position::kOff) {
    std::error_code ignored;
    std::filesystem::create_directories(folder.parent_path(), ignored);
    if (std::filesystem::create_directory(folder, ignored)) {
      std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
    }
    CORDON_TRY(runtime::WriteSwitchFile(folder, record.actor));
    CORDON_ASSIGN(const auto log, session.OpenAudit());
    CORDON_TRY(log->On(record));
    CORDON_TRY(log->Flush());
  } else {
    CORDON_ASSIGN(const auto log, session.OpenAudit());
    CORDON_TRY(log->On(record));
    CORDON_TRY(log->Flush());
    CORDON_TRY(runtime::RemoveSwitchFile(folder));
  }
  if (session.json()) {
    session.PrintDocument({{"enabled", to == Position::kOn}, {"was_enabled", !was_off}});
  } else if (to == Position::kOff) {
    session.Note(
        "plugins are off: what runs ends within a second, and nothing is loaded or called; on again: "
        "cordon plugins enable");
  } else {
    session.Note("plugins are on");
  }
  return 0;
}

}  // namespace

Command PluginsDisableCommand() {
  return {{.command = "plugins disable", .summary = "stop every plugin of this user, and keep them stopped"},
          [](Session& session) { return Turn(session, Position::kOff); }};
}

Command PluginsEnableCommand() {
  return {{.command = "plugins enable", .summary = "let plugins run again"},
          [](Session& session) { return Turn(session, Position::kOn); }};
}

}  // namespace cordon::cli
