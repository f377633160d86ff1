#include <pwd.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "base/text.h"
#include "cli/command.h"
#include "cli/grant_records.h"
#include "cli/load_flags.h"
#include "policy/ceiling.h"
#include "policy/exec_match.h"
#include "policy/roots.h"
#include "runtime/source.h"
#include "services/exec/program.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

constexpr Positional kGrantWords[] = {
    kPluginWord,
    {"CAP", "capabilities; without one, all that the manifest requires", Positional::Count::kAny},
};
constexpr Option kGrantOptions[] = {
    {"--grant", "CAP", "the same as CAP", Option::Times::kMany},
    kRootOption,
    kProgramOption,
    kPolicyOption,
    {"--yes", "", "grant without asking"},
};
// The operator's home, from the password database: an environment variable is the caller's word.
fs::path Home() {
  struct passwd entry{};
  struct passwd* found = nullptr;
  char buffer[4096];
  if (::getpwuid_r(::geteuid(), &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) return {};
  std::error_code error;
  return fs::canonical(found->pw_dir, error);
}

// What is about to be granted.
struct Plan {
  policy::GrantSet set;
  std::vector<policy::Grant> added;
  std::map<std::string, fs::path> mapped;  // roots and programs that are new, or lead elsewhere
  bool changed_since = false;              // the earlier grants were for other bytes

  bool Empty() const { return added.empty() && mapped.empty() && !changed_since; }
};

// The capabilities that were named, or else those that the manifest requires and that are not on by default.
Result<std::vector<policy::Grant>> Asked(const Session& session, const manifest::Manifest& manifest) {
  std::vector<std::string> texts = session.arguments().All("CAP");
  for (const std::string& text : session.arguments().All("--grant")) texts.push_back(text);
  std::vector<policy::Grant> grants;
  for (const std::string& text : texts) {
    CORDON_ASSIGN(policy::Grant grant, policy::Grant::Parse(text));
    if (grant.lifetime == policy::Lifetime::kSession) {
      return Fail(Code::kUsage, "'" + EscapeShort(text, 120) + "' is for one run only",
                  "give it to the run: cordon run PLUGIN --grant '" + grant.capability.ToString() + "'");
    }
    grants.push_back(std::move(grant));
  }
  if (!texts.empty()) return grants;
  for (const policy::Request& request : manifest.permissions) {
    const policy::Kind kind = request.capability.kind();
    if (request.need != policy::Need::kRequired || !policy::EnforceableNow(kind)) continue;
    if (policy::OnByDefault(kind) && request.capability.clock() == nullptr) continue;
    grants.push_back({request.capability, policy::Lifetime::kPermanent});
  }
  return grants;
}

// What level and policies would leave nothing of is not granted to begin with.
Status CheckGrants(const std::vector<policy::Grant>& grants, const policy::Ceiling& ceiling) {
  for (const policy::Grant& grant : grants) {
    const policy::Ceiling::Capped capped = ceiling.Cap(grant.capability);
    if (!capped.capability) {
      return Fail(Error(Code::kGrantTooWide, "'" + grant.capability.ToString() + "' cannot be granted: " + capped.why,
                        "ask the operator of the policy, or grant something narrower")
                      .With("rule", capped.rule));
    }
    if (policy::EnforceableNow(grant.capability.kind())) continue;
    return Fail(Code::kUnenforceable, "this build cannot hold a plugin to " + grant.capability.ToString(),
                "grant it when a build can");
  }
  return {};
}

Result<std::map<std::string, fs::path>> Roots(const Session& session, const manifest::Config& config) {
  std::map<std::string, fs::path> roots;
  const std::vector<fs::path> own = session.OwnFolders(config);
  for (const std::string& text : session.arguments().All("--root")) {
    CORDON_ASSIGN(const auto root, ParseRoot(text));
    std::error_code error;
    const fs::path canonical = fs::canonical(root.second, error);
    if (error || !fs::is_directory(canonical, error)) {
      return Fail(Code::kNotFound,
                  "the root '" + root.first + "' is no folder: " + EscapeShort(root.second.string(), 200),
                  "name a folder that exists: --root " + root.first + "=PATH");
    }
    CORDON_TRY(policy::CheckRoot(root.first, canonical, own, Home()));
    roots[root.first] = canonical;
  }
  return roots;
}

// The files of the programs that were named, and of those that are to be granted.
Result<std::map<std::string, policy::ProgramPin>> Programs(const Session& session,
                                                           const std::vector<policy::Grant>& asked) {
  std::map<std::string, policy::ProgramPin> pins;
  for (const std::string& text : session.arguments().All("--program")) {
    CORDON_ASSIGN(const auto named, ParseProgram(text));
    CORDON_ASSIGN(const services::Program program, services::OpenProgram(named.second));
    pins[named.first] = program.pin;
  }
  for (const policy::Grant& grant : asked) {
    const policy::ExecScope* scope = grant.capability.exec();
    if (scope == nullptr) continue;
    if (!pins.contains(scope->program)) {
      CORDON_ASSIGN(const fs::path path, services::FindProgram(scope->program));
      CORDON_ASSIGN(const services::Program program, services::OpenProgram(path));
      pins[scope->program] = program.pin;
    }
    CORDON_TRY(policy::CheckLauncher(*scope, pins[scope->program].path.filename().string()));
  }
  return pins;
}

Plan MakePlan(const policy::GrantBook& book, const runtime::Source& source, const std::vector<policy::Grant>& asked,
              const std::map<std::string, fs::path>& roots, const std::map<std::string, policy::ProgramPin>& programs) {
  Plan plan;
  const auto old = std::ranges::find(book.sets(), source.name, &policy::GrantSet::plugin);
  if (old != book.sets().end()) {
    plan.set = *old;
    plan.changed_since = old->artifact != source.digest || old->manifest != source.manifest_digest;
  }
  plan.set.plugin = source.name;
  plan.set.artifact = source.digest;
  plan.set.manifest = source.manifest_digest;
  plan.set.by = Actor();
  plan.set.at = Now();
  for (const policy::Grant& grant : asked) {
    const auto held = std::ranges::find(plan.set.granted, grant.capability, &policy::Grant::capability);
    // One that was counted begins anew.
    if (held != plan.set.granted.end() && *held == grant && !grant.limits.counted()) continue;
    if (held != plan.set.granted.end()) {
      *held = grant;  // with another quota
    } else {
      plan.set.granted.push_back(grant);
    }
    plan.added.push_back(grant);
  }
  for (const auto& [name, path] : roots) {
    const auto known = plan.set.roots.find(name);
    if (known == plan.set.roots.end() || known->second != path) plan.mapped[name] = path;
    plan.set.roots[name] = path;
  }
  for (const auto& [name, pin] : programs) {
    const auto known = plan.set.programs.find(name);
    if (known == plan.set.programs.end() || known->second != pin) plan.mapped[name] = pin.path;
    plan.set.programs[name] = pin;
  }
  return plan;
}

std::string PlanText(const Plan& plan, const manifest::Manifest& manifest, const Terminal& terminal) {
  std::string out = "grants to " + terminal.Paint(Style::kStrong, Escape(plan.set.plugin)) + "\n  artifact " +
                    plan.set.artifact.ToString() + "\n  manifest " + plan.set.manifest.ToString() + "\n";
  if (plan.changed_since) out += "  the plugin has changed since it was granted anything; what it had goes on:\n";
  for (const policy::Grant& grant : plan.set.granted) {
    const bool added = Holds(plan.added, grant.capability);
    out += "  " + terminal.Paint(added ? Style::kStrong : Style::kDim, added ? "+ " : "  ") + grant.ToString() + "  (" +
           std::string(policy::RiskName(policy::RiskOf(grant.capability))) + " risk)\n";
    for (const policy::Request& request : manifest.permissions) {
      if (request.capability != grant.capability || request.reason.empty()) continue;
      out += "      the author's reason: " + EscapeShort(request.reason, 400) + "\n";
    }
  }
  for (const auto& [name, path] : plan.set.roots) out += "  root " + name + " is " + Escape(path.string()) + "\n";
  for (const auto& [name, pin] : plan.set.programs) out += ProgramText(name, pin);
  return out;
}

void WarnOf(const Session& session, const Plan& plan, const manifest::Manifest& manifest) {
  for (const policy::Grant& grant : plan.set.granted) {
    const bool asked_for = std::ranges::any_of(manifest.permissions, [&](const policy::Request& request) {
      return policy::Intersect(request.capability, grant.capability).has_value();
    });
    if (!asked_for) session.Warn("the plugin does not ask for " + grant.ToString() + ", so it will get nothing of it");
    const policy::FilesScope* files = grant.capability.files();
    if (files != nullptr && !plan.set.roots.contains(files->root)) {
      session.Warn("the root '" + files->root + "' is not mapped: add --root " + files->root +
                   "=PATH, here or to the run");
    }
  }
}

// A question never hides what it is about, whatever --quiet says.
Status Confirm(const Session& session, const std::string& shown) {
  if (session.arguments().Has("--yes")) {
    session.Note(std::string_view(shown).substr(0, shown.size() - 1));
    return {};
  }
  (void)WriteAll(STDERR_FILENO, shown);
  if (::isatty(STDIN_FILENO) != 1 || !session.terminal().err_is_tty) {
    return Fail(Code::kUsage, "there is no terminal to ask on", "read what is listed above, then add --yes");
  }
  (void)WriteAll(STDERR_FILENO, "grant this? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return Fail(Code::kDenied, "nothing was granted");
}

// Writes what was shown and agreed to; nothing is written before it was audited.
Status Commit(Session& session, const GrantStore& store, audit::AuditLog& log, const policy::GrantBook& shown,
              const Plan& plan, const fs::path& folder) {
  const auto set_of = [&](const policy::GrantBook& book) -> std::optional<policy::GrantSet> {
    const auto found = std::ranges::find(book.sets(), plan.set.plugin, &policy::GrantSet::plugin);
    return found == book.sets().end() ? std::nullopt : std::optional(*found);
  };
  std::unique_lock<std::mutex> lock;
  return store.Update([&](policy::GrantBook& book) -> Status {
    if (set_of(book) != set_of(shown)) {
      return Fail(Code::kBusy, "the grants of " + plan.set.plugin + " were changed meanwhile",
                  "look again, and try again");
    }
    lock = session.CatchSignals().Protect();
    CORDON_TRY(AuditGrants(log, audit::Event::kGrant, plan.set, plan.changed_since ? plan.set.granted : plan.added));
    CORDON_TRY(ForgetUses(folder, plan.set.plugin, plan.added));
    book.Put(plan.set);
    return {};
  });
}

Result<int> Grant(Session& session) {
  session.CatchSignals();
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(const runtime::Source source, runtime::ReadSource(session.arguments().Get("PLUGIN")));
  if (!source.manifest) {
    return Fail(Code::kUsage, "a bare .wasm has no name that grants could be kept under",
                "grant it for a run: cordon run PLUGIN --grant CAP, or write a plugin.yaml");
  }
  CORDON_ASSIGN(const std::vector<policy::Grant> asked, Asked(session, *source.manifest));
  CORDON_ASSIGN(auto policies, session.LoadPolicies(config));
  const policy::Level level = config.LevelFor(source.name, std::chrono::system_clock::now());
  CORDON_TRY(CheckGrants(asked, policy::Ceiling::For(level, std::move(policies), source.name, source.digest)));
  CORDON_ASSIGN(const auto roots, Roots(session, config));
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  // Found fit to be written to before anybody is asked.
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  const GrantStore store(folder);
  CORDON_ASSIGN(const policy::GrantBook before, store.Read());
  CORDON_ASSIGN(const auto programs, Programs(session, asked));
  const Plan plan = MakePlan(before, source, asked, roots, programs);
  const std::string shown = PlanText(plan, *source.manifest, session.terminal());
  WarnOf(session, plan, *source.manifest);
  if (!plan.Empty()) {
    CORDON_TRY(Confirm(session, shown));
    CORDON_TRY(Commit(session, store, *log, before, plan, folder));
  }
  if (session.json()) {
    OrderedJson fields = GrantSetJson(plan.set);
    fields["added"] = OrderedJson::array();
    for (const policy::Grant& grant : plan.added) fields["added"].push_back(grant.ToString());
    session.PrintDocument(fields);
  } else {
    session.Note(plan.Empty() ? "nothing to grant that it does not have" : "granted");
  }
  return 0;
}

}  // namespace

Command PluginGrantCommand() {
  return {{.command = "plugin grant",
           .summary = "grant capabilities to a plugin for good, bound to its exact bytes",
           .positionals = kGrantWords,
           .options = kGrantOptions,
           .settings = Syntax::Settings::kTaken},
          Grant};
}

}  // namespace cordon::cli
