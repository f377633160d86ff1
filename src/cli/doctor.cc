// `doctor`: whether this machine, its configuration and its plugins are fit to run plugins.
#include <algorithm>

#include "base/text.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/doctor_checks.h"
#include "cli/report.h"
#include "runtime/find_plugins.h"
#include "runtime/source.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;
using Grade = Finding::Grade;

// Plugins in the folders of config.yaml, by name.
std::map<std::string, fs::path> PluginFolders(const manifest::Config& config) {
  std::map<std::string, fs::path> found;
  for (const fs::path& path : runtime::FindPlugins(config.directories)) {
    const auto source = runtime::ReadSource(path);
    found.emplace(source ? source->name : path.parent_path().filename().string(), path);
  }
  return found;
}

Finding CheckPlugin(runtime::Host& host, const std::string& name, const fs::path& path) {
  runtime::LoadRequest request;
  request.source = path;
  request.purpose = runtime::LoadRequest::Purpose::kInspect;
  const auto plugin = host.Load(request);
  if (!plugin) return {Grade::kFail, "plugins", name, plugin.error().message, plugin.error().remedy};
  if (const Status runnable = (*plugin)->Runnable(); !runnable) {
    return {Grade::kWarn, "plugins", name, runnable.error().message, runnable.error().remedy};
  }
  const std::string risk(policy::RiskName((*plugin)->risk()));
  return {Grade::kPass, "plugins", name, "may run " + PlacementText(**plugin) + ", risk " + risk, ""};
}

std::vector<Finding> CheckPlugins(Session& session, const manifest::Config& config) {
  std::vector<Finding> out;
  auto parts = session.Open(config, Use::kLook);
  if (!parts) return {{Grade::kFail, "plugins", "host", parts.error().message, parts.error().remedy}};
  const std::map<std::string, fs::path> folders = PluginFolders(config);
  for (const auto& [name, path] : folders) out.push_back(CheckPlugin(*parts->host, name, path));
  if (parts->grants == nullptr) return out;
  const auto book = parts->grants->Read();
  if (!book) {
    out.push_back({Grade::kFail, "plugins", "grants", book.error().message, book.error().remedy});
    return out;
  }
  for (const policy::GrantSet& set : book->sets()) {
    if (folders.contains(set.plugin)) continue;
    out.push_back({Grade::kPass, "plugins", set.plugin, "has grants, and lies in none of plugins.directories", ""});
  }
  return out;
}

void PrintFindings(Session& session, const std::vector<Finding>& findings) {
  std::string category;
  for (const Finding& finding : findings) {
    if (finding.category != category) session.Print((category.empty() ? "" : "\n") + finding.category + "\n");
    category = finding.category;
    const Style style = finding.grade == Grade::kFail   ? Style::kError
                        : finding.grade == Grade::kWarn ? Style::kWarning
                                                        : Style::kDim;
    session.Print("  " + session.terminal().Paint(style, std::string(GradeName(finding.grade))) + "  " +
                  Padded(Escape(finding.check), 16) + " " + Escape(finding.message) + "\n");
    if (!finding.hint.empty()) session.Print("        fix: " + Escape(finding.hint) + "\n");
  }
}

Result<int> Doctor(Session& session) {
  std::vector<Finding> findings;
  const auto add = [&](std::vector<Finding> more) {
    for (Finding& one : more) findings.push_back(std::move(one));
  };
  auto config = session.LoadConfig();
  add(CheckHost(config ? *config : manifest::Config{}));
  if (config) {
    const std::string file = config->file ? config->file->string() : "there is none: the defaults hold";
    add({{Grade::kPass, "configuration", "file", file, ""}});
  } else {
    add({{Grade::kFail, "configuration", "file", config.error().message, config.error().remedy}});
  }
  if (const auto folder = session.StateFolder()) {
    add(CheckState(*folder));
  } else {
    add({{Grade::kFail, "state", "folder", folder.error().message, folder.error().remedy}});
  }
  if (config) add(CheckCache(*config));
  add(CheckEngine());
  if (config) add(CheckPlugins(session, *config));
  const auto count = [&](Grade grade) { return std::ranges::count(findings, grade, &Finding::grade); };
  if (session.json()) {
    OrderedJson list = OrderedJson::array();
    for (const Finding& one : findings) {
      list.push_back({{"grade", GradeName(one.grade)},
                      {"category", one.category},
                      {"check", Escape(one.check)},
                      {"message", Escape(one.message)},
                      {"hint", Escape(one.hint)}});
    }
    session.PrintDocument({{"pass", count(Grade::kPass)},
                           {"warn", count(Grade::kWarn)},
                           {"fail", count(Grade::kFail)},
                           {"findings", std::move(list)}});
  } else {
    PrintFindings(session, findings);
    session.Print("\n" + std::to_string(count(Grade::kPass)) + " pass, " + std::to_string(count(Grade::kWarn)) +
                  " warn, " + std::to_string(count(Grade::kFail)) + " fail\n");
  }
  return count(Grade::kFail) == 0 ? 0 : ExitCode(Code::kDigest);
}

}  // namespace

Command DoctorCommand() {
  return {{.command = "doctor", .summary = "look whether this machine and its plugins are as they should be"}, Doctor};
}

}  // namespace cordon::cli
