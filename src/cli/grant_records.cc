#include "cli/grant_records.h"

#include <pwd.h>
#include <sys/types.h>
#include <unistd.h>
#include <chrono>

#include <algorithm>

#include "base/text.h"
#include "base/timestamp.h"
#include "services/tally.h"

namespace cordon::cli {

std::string Actor() {
  struct passwd entry{};
  struct passwd* found = nullptr;
  char buffer[4096];
  const uid_t uid = ::getuid();
  if (::getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) return found->pw_name;
  return "uid " + std::to_string(uid);
}

bool Holds(const std::vector<policy::Grant>& grants, const policy::Capability& capability) {
  return std::ranges::any_of(grants, [&](const policy::Grant& grant) { return grant.capability == capability; });
}

Status ForgetUses(const std::filesystem::path& state_folder, const std::string& plugin,
                  const std::vector<policy::Grant>& grants) {
  const auto is_counted = [](const policy::Grant& grant) { return grant.limits.counted(); };
  if (std::ranges::none_of(grants, is_counted)) return {};
  CORDON_ASSIGN(const auto tally, services::Tally::Open(state_folder / services::kTallyFile));
  for (const policy::Grant& grant : grants) {
    if (is_counted(grant)) CORDON_TRY(tally->Forget(plugin, grant.ToString()));
  }
  return {};
}

Status AuditGrants(audit::AuditLog& log, audit::Event event, const policy::GrantSet& set,
                   const std::vector<policy::Grant>& grants) {
  audit::Record record;
  record.event = event;
  record.plugin = set.plugin;
  record.digest = set.artifact.ToString();
  record.rule = "operator";
  record.actor = Actor();
  if (grants.empty()) {
    record.note = "roots and programs only";
    CORDON_TRY(log.On(record));
  }
  for (const policy::Grant& grant : grants) {
    record.capability = grant.ToString();
    const policy::FilesScope* files = grant.capability.files();
    const auto root = files == nullptr ? set.roots.end() : set.roots.find(files->root);
    record.target = root == set.roots.end() ? "" : root->second.string();
    const policy::ExecScope* exec = grant.capability.exec();
    const auto program = exec == nullptr ? set.programs.end() : set.programs.find(exec->program);
    if (program != set.programs.end()) {
      record.target = program->second.path.string() + " " + program->second.digest.ToString();
    }
    CORDON_TRY(log.On(record));
  }
  return log.Flush();
}

std::string ProgramText(const std::string& name, const policy::ProgramPin& pin) {
  return "  program " + name + " is " + Escape(pin.path.string()) + ", " + pin.digest.ToString() + "\n";
}

OrderedJson ProgramsJson(const std::map<std::string, policy::ProgramPin>& programs) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, pin] : programs) {
    json[name] = {{"path", Escape(pin.path.string())}, {"digest", pin.digest.ToString()}};
  }
  return json;
}

OrderedJson GrantSetJson(const policy::GrantSet& set) {
  OrderedJson json = {{"plugin", Escape(set.plugin)},
                      {"artifact", set.artifact.ToString()},
                      {"manifest", set.manifest.ToString()},
                      {"granted", OrderedJson::array()},
                      {"roots", OrderedJson::object()},
                      {"programs", ProgramsJson(set.programs)},
                      {"deny", OrderedJson::array()},
                      {"by", Escape(set.by)},
                      {"at", Escape(set.at)}};
  for (const policy::Grant& grant : set.granted) json["granted"].push_back(grant.ToString());
  for (const auto& [name, path] : set.roots) json["roots"][name] = Escape(path.string());
  for (policy::Kind kind : set.denied) json["deny"].push_back(policy::KindName(kind));
  return json;
}

std::string GrantSetText(const policy::GrantSet& set, const Terminal& terminal) {
  std::string out = terminal.Paint(Style::kStrong, Escape(set.plugin)) + "  " + set.artifact.Short();
  if (!set.at.empty()) out += "  " + Escape(set.at);
  if (!set.by.empty()) out += " by " + Escape(set.by);
  out += "\n";
  for (const policy::Grant& grant : set.granted) out += "  " + grant.ToString() + "\n";
  for (const auto& [name, path] : set.roots) out += "  root " + name + " is " + Escape(path.string()) + "\n";
  for (const auto& [name, pin] : set.programs) out += ProgramText(name, pin);
  for (policy::Kind kind : set.denied) out += "  denied: " + std::string(policy::KindName(kind)) + "\n";
  return out;
}

std::string Now() {
  return FormatTimestamp(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

}  // namespace cordon::cli
