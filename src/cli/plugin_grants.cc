#include <filesystem>

#include "base/text.h"
#include "cli/command.h"
#include "cli/grant_records.h"
#include "cli/plugin_name.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

constexpr Positional kListWords[] = {{"PLUGIN", "only what this one is granted", Positional::Count::kOptional}};

Result<int> List(Session& session) {
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  const GrantStore store(folder);
  CORDON_ASSIGN(const policy::GrantBook book, store.Read());
  std::string only;
  if (const auto word = session.arguments().One("PLUGIN")) {
    CORDON_ASSIGN(only, PluginNameOf(*word));
  }
  OrderedJson list = OrderedJson::array();
  std::string text;
  for (const policy::GrantSet& set : book.sets()) {
    if (!only.empty() && set.plugin != only) continue;
    list.push_back(GrantSetJson(set));
    text += GrantSetText(set, session.terminal().ForResults());
  }
  if (session.json()) {
    session.PrintDocument({{"file", Escape(store.file().string())}, {"grants", list}});
  } else {
    session.Print(text);
    if (text.empty()) session.Note("nothing is granted" + (only.empty() ? "" : " to " + Escape(only)));
  }
  return 0;
}

}  // namespace

Command PluginGrantsCommand() {
  return {{.command = "plugin grants", .summary = "list what is granted", .positionals = kListWords}, List};
}

}  // namespace cordon::cli
