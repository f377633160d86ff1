// One command: what it takes and what it does. Each has a file of its own.
#pragma once

#include <span>

#include "cli/session.h"
#include "cli/syntax.h"

namespace cordon::cli {

struct Command {
  Syntax syntax;
  Result<int> (*run)(Session& session);  // the exit code; an error is reported by the caller
};

Command RunCommand();
Command RecordCommand();
Command ReplayCommand();
Command InspectCommand();
Command ExplainCommand();
Command PluginValidateCommand();
Command PluginImportCommand();
Command PluginGrantCommand();
Command PluginRevokeCommand();
Command PluginGrantsCommand();
Command ConfigSetCommand();
Command ConfigListCommand();
Command ConfigRemoveCommand();
Command SecretSetCommand();
Command SecretListCommand();
Command SecretRemoveCommand();
Command MemoryListCommand();
Command MemoryForgetCommand();
Command ChannelListCommand();
Command ChannelSendCommand();
Command ChannelReceiveCommand();
Command ChannelRelayCommand();
Command PluginsDisableCommand();
Command PluginsEnableCommand();
Command DoctorCommand();
Command BindgenCommand();
Command SchemaCommand();
Command TrailVerifyCommand();
Command TrailShowCommand();
Command TrailExportCommand();
Command TrailKeyCommand();
Command CompletionCommand();
Command VersionCommand();

// All of them, in the order of `cordon --help`.
std::span<const Command> Commands();

// Takes the command's words off the front of `words`, wherever the common options stand. E_USAGE for an unknown
// command, with the nearest. Null: no command was named.
Result<const Command*> FindCommand(std::vector<std::string>& words);

// The text of `cordon --help`, and of `cordon plugin --help` for a group.
std::string OverviewText(std::string_view group = {});

}  // namespace cordon::cli
