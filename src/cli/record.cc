// `record` and `replay`: what a plugin asked of the host and was answered, kept, and answered again without the host.
#include "base/file.h"
#include "base/text.h"
#include "cli/calls.h"
#include "cli/command.h"
#include "cli/grant_records.h"
#include "cli/load_flags.h"
#include "cli/report.h"
#include "policy/grants_file.h"
#include "runtime/recorded_call.h"
#include "runtime/source.h"

namespace cordon::cli {
namespace {

constexpr Positional kRecordWords[] = {
    kPluginWord,
    {"ACTION", "an action of the manifest, or an export; may be left out when there is one",
     Positional::Count::kOptional},
};
constexpr Option kRecordOptions[] = {
    {"--fixture", "FILE", "what was asked and answered goes there, for `cordon replay`", Option::Times::kOnce,
     Offer::kFile},
    {"--write-grants", "FILE", "the grants that this call needed go there, as `--grants` reads them",
     Option::Times::kOnce, Offer::kFile},
    kInputOption,
    kGrantOption,
    kGrantsOption,
    kMountOption,
    kEnvironmentOption,
    kRootOption,
    kLevelOption,
    kPolicyOption,
    kTimeoutOption,
    kMemoryOption,
};

// The file that `--grants` reads. Roots are those of this run.
Result<std::string> GrantsText(const runtime::Plugin& plugin, const runtime::LoadRequest& request,
                               const std::vector<policy::Capability>& used) {
  if (plugin.manifest() == nullptr) {
    return Fail(Code::kUsage, "a .wasm file without a plugin.yaml has no grants file",
                "leave --write-grants out: the grants are printed, for --grant");
  }
  CORDON_ASSIGN(const runtime::Source source, runtime::ReadSource(request.source));
  policy::GrantSet set;
  set.plugin = source.name;
  set.artifact = source.digest;
  set.manifest = source.manifest_digest;
  set.by = Actor();
  set.at = Now();
  for (const policy::Capability& capability : used) {
    set.granted.push_back({capability, policy::Lifetime::kPermanent});
    const policy::FilesScope* files = capability.files();
    if (files == nullptr) continue;
    for (const runtime::Mount& mount : plugin.mounts()) {
      if (mount.guest_path == files->mount && files->below.empty()) set.roots[files->root] = mount.host_path;
    }
    const auto root = request.roots.find(files->root);
    if (root != request.roots.end()) set.roots[files->root] = root->second;
  }
  policy::GrantBook book;
  book.Put(std::move(set));
  return book.ToYaml();
}

Result<int> Record(Session& session) {
  session.CatchSignals();
  const Arguments& arguments = session.arguments();
  const auto file = arguments.One("--fixture");
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(runtime::LoadRequest request, ReadLoadFlags(session));
  CORDON_ASSIGN(const Parts parts, session.Open(config, Use::kRun));
  CORDON_ASSIGN(const std::string input, ReadInput(arguments.One("--input"), config));
  runtime::BeginRecording(request);
  CORDON_ASSIGN(const auto plugin, LoadToRun(session, *parts.host, request));
  CORDON_ASSIGN(const std::string action, ChooseAction(session, *plugin));
  runtime::CallReport report;
  const Status done = CallInterruptibly(session, *plugin, action, input, {}, report);
  CORDON_TRY(parts.audit->Flush());
  CORDON_ASSIGN(const runtime::RecordedCall recorded,
                runtime::EndRecording(request, *plugin, action, input, done, report.output));
  const auto& [fixture, used] = recorded;
  if (file) CORDON_TRY(WriteFileAtomically(*file, runtime::FixtureText(fixture), FileMode::kPrivate));
  if (const auto grants_file = arguments.One("--write-grants")) {
    CORDON_ASSIGN(const std::string text, GrantsText(*plugin, request, used));
    CORDON_TRY(WriteFileAtomically(*grants_file, text, FileMode::kPrivate));
  }
  OrderedJson grants = OrderedJson::array();
  for (const policy::Capability& capability : used) grants.push_back(capability.ToString());
  if (session.json()) {
    OrderedJson fields = {{"plugin", Escape(plugin->name())},
                          {"action", Escape(action)},
                          {"host_calls", fixture.exchanges.size()},
                          {"grants", std::move(grants)}};
    if (!done) fields["failed"] = CodeName(done.error().code);
    session.PrintDocument(fields);
    return 0;
  }
  for (const auto& grant : grants) session.Print(grant.get<std::string>() + "\n");
  session.Note(std::to_string(fixture.exchanges.size()) + " calls of the host; " +
               (grants.empty() ? "no grant is needed" : "the grants above are all that it needs"));
  if (!done) session.Warn("the call itself failed: " + Escape(done.error().message));
  return 0;
}

constexpr Positional kReplayWords[] = {
    {"FIXTURE", "what `cordon record` wrote", Positional::Count::kOne, Offer::kFile},
};
constexpr Option kReplayOptions[] = {
    {"--plugin", "PLUGIN", "the plugin, where it is not where it was recorded", Option::Times::kOnce, Offer::kFile},
};

Result<int> Replay(Session& session) {
  session.CatchSignals();
  const Arguments& arguments = session.arguments();
  const std::string file = *arguments.One("FIXTURE");
  CORDON_ASSIGN(const std::string text, ReadFile(file, runtime::kFixtureBytesMax));
  CORDON_ASSIGN(runtime::Fixture fixture, runtime::ParseFixture(text, EscapeShort(file, 200)));
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(const Parts parts, session.Open(config, Use::kRun));
  const std::size_t count = fixture.exchanges.size();
  runtime::LoadRequest request;
  request.source = arguments.One("--plugin").value_or("");
  runtime::BeginReplay(request, fixture);
  CORDON_ASSIGN(const auto plugin, LoadToRun(session, *parts.host, request));
  runtime::CallReport report;
  const Status done = CallInterruptibly(session, *plugin, fixture.action, fixture.input, {}, report);
  CORDON_TRY(parts.audit->Flush());
  CORDON_TRY(runtime::CheckReplay(request, fixture, done, report.output));
  if (session.json()) {
    OrderedJson fields = {
        {"plugin", Escape(plugin->name())}, {"action", Escape(fixture.action)}, {"host_calls", count}};
    if (fixture.code) fields["failed"] = CodeName(*fixture.code);
    session.PrintDocument(fields);
    return 0;
  }
  session.PrintJson(fixture.code ? "null" : report.output);
  session.Note(std::to_string(count) + " calls of the host, all as they were recorded" +
               (fixture.code ? "; the call fails with " + std::string(CodeName(*fixture.code)) + ", as it did" : ""));
  return 0;
}

}  // namespace

Command RecordCommand() {
  return {{.command = "record",
           .summary = "call an action, and keep what it asked for and what it needs",
           .positionals = kRecordWords,
           .options = kRecordOptions,
           .rest = Syntax::Rest::kTaken,
           .settings = Syntax::Settings::kTaken},
          Record};
}

Command ReplayCommand() {
  return {{.command = "replay",
           .summary = "run a recorded call again, with no live input or output",
           .positionals = kReplayWords,
           .options = kReplayOptions,
           .settings = Syntax::Settings::kTaken},
          Replay};
}

}  // namespace cordon::cli
