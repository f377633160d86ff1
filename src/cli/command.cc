#include "cli/command.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace cordon::cli {
namespace {

constexpr std::size_t kSummaryColumn = 22;

std::string_view GroupOf(std::string_view command) {
  const std::size_t space = command.find(' ');
  return space == std::string_view::npos ? std::string_view() : command.substr(0, space);
}

const Command* Find(std::string_view name) {
  const auto commands = Commands();
  const auto found = std::ranges::find_if(commands, [&](const Command& one) { return one.syntax.command == name; });
  return found == commands.end() ? nullptr : &*found;
}

bool IsGroup(std::string_view word) {
  return std::ranges::any_of(Commands(), [&](const Command& one) { return GroupOf(one.syntax.command) == word; });
}

// The first word that is no option, from `from` on. `--config` stands before its value.
std::size_t NextWord(const std::vector<std::string>& words, std::size_t from) {
  while (from < words.size() && words[from].starts_with('-')) {
    if (words[from] == "--") return words.size();
    from += words[from] == "--config" ? 2 : 1;
  }
  return std::min(from, words.size());
}

std::unexpected<Error> Unknown(const std::string& name, std::string_view group) {
  std::vector<std::string_view> candidates;
  for (const Command& one : Commands()) {
    if (GroupOf(one.syntax.command) == group) candidates.push_back(one.syntax.command);
    if (group.empty() && !GroupOf(one.syntax.command).empty()) candidates.push_back(GroupOf(one.syntax.command));
  }
  const std::string_view near = Nearest(name, candidates);
  return Fail(Code::kUsage, "unknown command '" + EscapeShort(name, 80) + "'",
              near.empty() ? "see: cordon --help" : "did you mean 'cordon " + std::string(near) + "'?");
}

}  // namespace

std::span<const Command> Commands() {
  static const auto kCommands = std::to_array<Command>({
      RunCommand(),           RecordCommand(),      ReplayCommand(),
      InspectCommand(),       ExplainCommand(),     PluginValidateCommand(),
      PluginImportCommand(),  PluginGrantCommand(), PluginRevokeCommand(),
      PluginGrantsCommand(),  ConfigSetCommand(),   ConfigListCommand(),
      ConfigRemoveCommand(),  SecretSetCommand(),   SecretListCommand(),
      SecretRemoveCommand(),  MemoryListCommand(),  MemoryForgetCommand(),
      ChannelListCommand(),   ChannelSendCommand(), ChannelReceiveCommand(),
      ChannelRelayCommand(),  TrailVerifyCommand(), TrailShowCommand(),
      TrailExportCommand(),   TrailKeyCommand(),    PluginsDisableCommand(),
      PluginsEnableCommand(), DoctorCommand(),      BindgenCommand(),
      SchemaCommand(),        CompletionCommand(),  VersionCommand(),
  });
  return kCommands;
}

Result<const Command*> FindCommand(std::vector<std::string>& words) {
  const std::size_t first = NextWord(words, 0);
  if (first == words.size()) return nullptr;
  std::string name = words[first];
  std::size_t second = words.size();
  const bool group = IsGroup(name);
  if (group) {
    second = NextWord(words, first + 1);
    if (second == words.size()) return nullptr;
    name += " " + words[second];
  }
  const Command* command = Find(name);
  if (command == nullptr) return Unknown(name, group ? words[first] : std::string());
  if (group) words.erase(words.begin() + static_cast<std::ptrdiff_t>(second));
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(first));
  return command;
}

std::string OverviewText(std::string_view group) {
  const std::string prefix = group.empty() ? "cordon" : "cordon " + std::string(group);
  std::string out = "Usage: " + prefix + " COMMAND [options]\n";
  if (group.empty()) out += "Runs WebAssembly plugins with exactly the authority that they were granted.\n";
  out += "\n";
  for (const Command& one : Commands()) {
    if (!group.empty() && GroupOf(one.syntax.command) != group) continue;
    std::string line = "  " + std::string(one.syntax.command);
    line.append(kSummaryColumn - std::min(kSummaryColumn - 1, line.size()), ' ');
    out += line + std::string(one.syntax.summary) + "\n";
  }
  out += "\nEvery command takes --json, --quiet, --verbose, --config FILE and --help.\n";
  if (group.empty()) {
    out += "Try: cordon inspect plugin.wasm, then: cordon run plugin.wasm --input '{}'. More: man cordon\n";
  }
  return out;
}

}  // namespace cordon::cli
