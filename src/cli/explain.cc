#include <algorithm>

#include "base/text.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/grant_records.h"
#include "cli/load_flags.h"
#include "cli/report.h"
#include "cli/what_if.h"

namespace cordon::cli {
namespace {

constexpr Positional kWords[] = {kPluginWord};
constexpr Option kOptions[] = {
    {"--what-if", "GRANTS.yaml", "as if these grants were given", Option::Times::kOnce, Offer::kFile},
    {"--ask", "CALL", "what would become of it: 'POST https://host/path', 'write /data/x', a capability",
     Option::Times::kMany},
    kGrantOption,
    kMountOption,
    kEnvironmentOption,
    kRootOption,
    kLevelOption,
    kPolicyOption,
};

constexpr std::string_view kUnusable = "W_UNUSABLE";
constexpr std::string_view kUnusableText = "preview 1 has no function for it, so granting it changes nothing";

OrderedJson Document(const runtime::Plugin& plugin) {
  OrderedJson json = {{"plugin", Escape(plugin.name())},
                      {"digest", plugin.digest().ToString()},
                      {"link", plugin.authority().link() == policy::LinkMode::kStrict ? "strict" : "lenient"},
                      {"risk", policy::RiskName(plugin.risk())},
                      {"runnable", plugin.Runnable().has_value()},
                      {"placement", PlacementJson(plugin)},
                      {"permissions", PermissionsJson(plugin.authority())},
                      {"imports", ImportsJson(plugin.link_plan())},
                      {"unused_grants", OrderedJson::array()}};
  if (!plugin.programs().empty()) json["programs"] = ProgramsJson(plugin.programs());
  for (const policy::Grant& grant : plugin.authority().unused()) json["unused_grants"].push_back(grant.ToString());
  json["warnings"] = OrderedJson::array();
  for (const std::string& capability : plugin.link_plan().unusable) {
    json["warnings"].push_back({{"code", kUnusable}, {"capability", Escape(capability)}, {"message", kUnusableText}});
  }
  if (Status why = plugin.Runnable(); !why) json["why_not"] = ErrorJson(why.error());
  return json;
}

std::string Text(const runtime::Plugin& plugin, const Terminal& terminal) {
  const auto heading = [&](std::string_view text) { return "\n" + terminal.Paint(Style::kStrong, text) + "\n"; };
  const Status runnable = plugin.Runnable();
  std::string out = terminal.Paint(Style::kStrong, Escape(plugin.name())) + " (" + plugin.digest().Short() + ") ";
  if (runnable) {
    out += terminal.Paint(Style::kGood, "can run") +
           "; risk as granted: " + std::string(policy::RiskName(plugin.risk())) + "\n";
  } else {
    out += terminal.Paint(Style::kError, "cannot run") + ": " + EscapeShort(runnable.error().message, 400) + "\n";
    // The remedy of unlinked imports is to look at what follows.
    const Error& why = runnable.error();
    if (!why.remedy.empty() && why.code != Code::kLink) out += "  fix: " + EscapeShort(why.remedy, 800) + "\n";
  }
  out += "runs " + PlacementText(plugin) + "\n";
  out += heading("permissions") + PermissionsText(plugin.authority(), terminal);
  for (const auto& [name, pin] : plugin.programs()) out += ProgramText(name, pin);
  for (const policy::Grant& grant : plugin.authority().unused()) {
    out += "  " + terminal.Paint(Style::kWarning, Padded("unused", 14)) + Padded("grant", 10) + grant.ToString() +
           "  (the plugin does not ask for it)\n";
  }
  for (const std::string& capability : plugin.link_plan().unusable) {
    out += "  " + terminal.Paint(Style::kWarning, Padded("unusable", 14)) + Padded("grant", 10) + Escape(capability) +
           "  (" + std::string(kUnusable) + ": " + std::string(kUnusableText) + ")\n";
  }
  out += heading("imports");
  out += plugin.link_plan().decisions.empty() ? "  none\n" : ImportsText(plugin.link_plan(), terminal);
  return out;
}

Result<std::vector<WhatIf>> Answers(const Session& session, const runtime::Plugin& plugin) {
  std::vector<WhatIf> answers;
  for (const std::string& question : session.arguments().All("--ask")) {
    CORDON_ASSIGN(WhatIf answer, AskWhatIf(plugin.authority(), question));
    answers.push_back(std::move(answer));
  }
  return answers;
}

OrderedJson AnswersJson(const std::vector<WhatIf>& answers) {
  OrderedJson list = OrderedJson::array();
  for (const WhatIf& one : answers) {
    OrderedJson json = {{"ask", Escape(one.question)},
                        {"capability", Escape(one.capability)},
                        {"decision", one.decision.allowed() ? "allow" : "deny"},
                        {"rule", one.decision.rule}};
    if (!one.decision.allowed()) json["remedy"] = Escape(one.decision.remedy);
    if (!one.note.empty()) json["note"] = one.note;
    list.push_back(std::move(json));
  }
  return list;
}

std::string AnswersText(const std::vector<WhatIf>& answers, const Terminal& terminal) {
  std::string out;
  for (const WhatIf& one : answers) {
    const bool allowed = one.decision.allowed();
    out += terminal.Paint(allowed ? Style::kGood : Style::kError, allowed ? "allow" : "deny") + "  " +
           EscapeShort(one.question, 300) + "  (" + Escape(one.decision.rule) + ")\n";
    if (!allowed && !one.decision.remedy.empty()) out += "  fix: " + EscapeShort(one.decision.remedy, 400) + "\n";
    if (allowed && !one.note.empty()) out += "  " + one.note + "\n";
  }
  return out;
}

Result<int> Explain(Session& session) {
  session.CatchSignals();
  CORDON_ASSIGN(runtime::LoadRequest request, ReadLoadFlags(session, "--what-if"));
  Parts parts;
  CORDON_ASSIGN(const auto plugin, Look(session, request, parts));
  CORDON_ASSIGN(const std::vector<WhatIf> answers, Answers(session, *plugin));
  if (!answers.empty() && !session.json()) {
    session.Print(AnswersText(answers, session.terminal().ForResults()));
    return 0;
  }
  if (session.json()) {
    OrderedJson document = Document(*plugin);
    if (!answers.empty()) document["answers"] = AnswersJson(answers);
    session.PrintDocument(document);
  } else {
    session.Print(Text(*plugin, session.terminal().ForResults()));
  }
  return 0;
}

}  // namespace

Command ExplainCommand() {
  return {{.command = "explain",
           .summary = "say what is linked and what is not, by which rule, and what would change it",
           .positionals = kWords,
           .options = kOptions,
           .settings = Syntax::Settings::kTaken},
          Explain};
}

}  // namespace cordon::cli
