#include <algorithm>
#include <cstdio>

#include "base/file.h"
#include "base/text.h"
#include "cli/calls.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/load_flags.h"
#include "cli/native_terminal.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/run_command.h"
#include "cli/watch.h"
#include "services/principal.h"

namespace cordon::cli {
namespace {

constexpr Positional kWords[] = {
    kPluginWord,
    {"ACTION", "an action of the manifest, or an export; may be left out when there is one",
     Positional::Count::kOptional},
};
constexpr Option kOptions[] = {
    kInputOption,
    kGrantOption,
    kGrantsOption,
    kMountOption,
    kEnvironmentOption,
    kRootOption,
    kProgramOption,
    kLevelOption,
    kPolicyOption,
    kTimeoutOption,
    kMemoryOption,
    kFuelOption,
    {"--context", "NAME=VALUE", "in whose name: user, session, agent (as granted) or tenant", Option::Times::kMany},
    {"--with", "PLUGIN", "a plugin that it may call, with its own grants", Option::Times::kMany, Offer::kFile},
    {"--watch", "", "run again whenever what it depends on changes"},
    {"--metrics", "FILE", "write counters there when it ends, as Prometheus reads them", Option::Times::kOnce,
     Offer::kFile},
    {"--allow-native", "", "the plugin may be a native program, where plugins.native is confirm"},
    {"--no-cache", "", "compile anew, and keep nothing of it"},
    {"--raw", "", "input and output are bytes as they are, for plugins for Extism"},
    {"--debug", "", "file and line in backtraces, for authors"},
};

// Guest text, a line each, marked as the plugin's.
void ShowGuestText(const Session& session, std::string_view plugin, std::string_view stream, std::string_view text,
                   std::uint64_t dropped_bytes) {
  const std::string mark =
      session.terminal().Paint(Style::kDim, "[" + Escape(plugin) + " " + std::string(stream) + "]") + " ";
  std::string out;
  const std::string escaped = Escape(text, Lines::kKeep);
  for (std::string_view rest = escaped; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    out += mark + std::string(rest.substr(0, end)) + "\n";
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  if (dropped_bytes > 0) out += mark + "… (" + std::to_string(dropped_bytes) + " more bytes were dropped)\n";
  if (!out.empty()) session.Note(std::string_view(out).substr(0, out.size() - 1));
}

OrderedJson UsageJson(const engine::Usage& usage) {
  const auto micros = [](Duration d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); };
  return {
      {"memory_peak_bytes", usage.memory_peak_bytes},
      {"fuel", usage.fuel},
      {"host_calls", usage.host_calls},
      {"bytes_in", usage.bytes_in},
      {"bytes_out", usage.bytes_out},
      {"wall_us", micros(usage.wall)},
      {"cpu_us", micros(usage.cpu)},
      {"stdout_dropped_bytes", usage.stdout_dropped_bytes},
      {"stderr_dropped_bytes", usage.stderr_dropped_bytes},
  };
}

std::string UsageText(const engine::Usage& usage) {
  const auto millis = [](Duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
  char text[200];
  std::snprintf(text, sizeof text, "%.2f ms wall, %.2f ms CPU, %llu bytes of memory at most, %llu host calls",
                millis(usage.wall), millis(usage.cpu), static_cast<unsigned long long>(usage.memory_peak_bytes),
                static_cast<unsigned long long>(usage.host_calls));
  return text;
}

void WarnOf(const Session& session, const runtime::Plugin& plugin) {
  for (const policy::Grant& grant : plugin.authority().unused()) {
    session.Warn(plugin.name() + " does not ask for " + grant.ToString() + ", so granting it changes nothing");
  }
  for (const std::string& capability : plugin.link_plan().unusable) {
    session.Warn("W_UNUSABLE: " + plugin.name() + " is a module of preview 1, which cannot use " + Escape(capability));
  }
  std::string stood;
  for (const policy::Ruling& ruling : plugin.authority().rulings()) {
    if (ruling.rule == "level:relaxed") stood += (stood.empty() ? "" : ", ") + ruling.effective->ToString();
  }
  if (!stood.empty()) session.Warn("level relaxed: granted because the plugin asks for it: " + stood);
  for (const std::string& sentence : plugin.limits().narrowed) session.Warn(Escape(sentence));
  for (const runtime::Mount& mount : plugin.mounts()) {
    session.Detail("mount " + mount.guest_path + " is " + Escape(mount.host_path.string()) +
                   (mount.access == policy::Access::kWrite ? " (read and write)" : " (read-only)"));
  }
}

// What both documents hold.
OrderedJson CallFields(const Session& session, const runtime::Plugin& plugin, const std::string& action,
                       const runtime::CallReport& report) {
  OrderedJson fields = {
      {"plugin", Escape(plugin.name())},
      {"digest", plugin.digest().ToString()},
      {"action", Escape(action)},
      {"placement", PlacementJson(plugin)},
      {"stdout", Escape(report.stdout_text, Lines::kKeep)},
      {"stderr", Escape(report.stderr_text, Lines::kKeep)},
      {"usage", UsageJson(report.usage)},
  };
  if (session.changed) fields["changed"] = *session.changed;
  return fields;
}

// The document with the plugin's own JSON in it as it is.
void PrintResult(Session& session, const OrderedJson& fields, const runtime::CallReport& report) {
  if (!session.json()) {
    session.PrintJson(report.output);
    return;
  }
  std::string text = session.DocumentText(fields);
  text.pop_back();
  text += ",\"answered_with_error\":";
  text += report.answered_with_error ? "true" : "false";
  text += ",\"output\":" + report.output + "}";
  session.PrintJson(text);
}

Result<Principal> ReadPrincipal(const Arguments& arguments) {
  Principal principal;
  for (const std::string& text : arguments.All("--context")) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    std::string* part = name == "user"      ? &principal.user
                        : name == "session" ? &principal.session
                        : name == "agent"   ? &principal.agent
                        : name == "tenant"  ? &principal.tenant
                                            : nullptr;
    if (part == nullptr || equals == std::string::npos || equals + 1 == text.size()) {
      return Fail(Code::kUsage, "--context cannot be '" + EscapeShort(text, 120) + "'",
                  "write --context user=NAME, session=ID, agent=NAME or tenant=NAME");
    }
    if (!part->empty()) return Fail(Code::kUsage, "--context says the " + name + " twice", "say each once");
    *part = text.substr(equals + 1);
  }
  CORDON_TRY(services::CheckPrincipal(principal));
  return principal;
}

Status WriteMetrics(const Session& session, const runtime::Host& host) {
  const auto file = session.arguments().One("--metrics");
  return file ? WriteFileAtomically(*file, host.Metrics(), FileMode::kShared) : Status();
}

// What runs, and what it may call.
struct InService {
  std::shared_ptr<const runtime::Plugin> plugin;
  std::vector<std::shared_ptr<const runtime::Plugin>> others;
};

// Loads what `--with` names.
Result<std::vector<std::shared_ptr<const runtime::Plugin>>> LoadOthers(Session& session, runtime::Host& host,
                                                                       const Reads& reads) {
  std::vector<std::shared_ptr<const runtime::Plugin>> others;
  for (const std::string& source : session.arguments().All("--with")) {
    runtime::LoadRequest other;
    other.source = source;
    other.reads = reads;
    auto loaded = LoadToRun(session, host, other);
    if (!loaded && !loaded.error().Detail("backend").empty()) {
      // Its place is missing. Whoever calls it is told that it is not loaded; all the others go on.
      session.Warn("skipped " + Escape(source) + ": " + Escape(loaded.error().message));
      continue;
    }
    CORDON_ASSIGN(others.emplace_back(), std::move(loaded));
    WarnOf(session, *others.back());
    if (others.back()->manifest() != nullptr) continue;
    return Fail(Code::kUsage, "a bare .wasm has no name by which a plugin could call it",
                "write a plugin.yaml beside it, and name the folder: --with PLUGIN");
  }
  return others;
}

Result<int> CallAndPrint(Session& session, const Parts& parts, const runtime::Plugin& plugin, const std::string& input,
                         const runtime::CallOptions& options) {
  CORDON_ASSIGN(const std::string action, ChooseAction(session, plugin));
  runtime::CallReport report;
  const Status done = CallInterruptibly(session, plugin, action, input, options, report);
  const OrderedJson fields = CallFields(session, plugin, action, report);
  if (!session.json()) {
    ShowGuestText(session, plugin.name(), "stdout", report.stdout_text, report.usage.stdout_dropped_bytes);
    const bool told = !done && !done.error().Detail("stderr").empty();
    if (!told) {
      ShowGuestText(session, plugin.name(), "stderr", report.stderr_text, report.usage.stderr_dropped_bytes);
    }
  }
  session.Detail(UsageText(report.usage));
  session.failure_fields = fields;
  const Status flushed = parts.audit->Flush();
  CORDON_TRY(WriteMetrics(session, *parts.host));
  CORDON_TRY(done);
  CORDON_TRY(flushed);
  if (options.form == runtime::CallOptions::Form::kBytes && !report.answered_with_error) {
    session.PrintBytes(report.output);
    return 0;
  }
  PrintResult(session, fields, report);
  if (!report.answered_with_error) return 0;
  if (!session.json()) session.Note(Escape(plugin.name()) + " answered with an error");
  return ExitCode(Code::kGuest);
}

// Opens the parts for the first run; later ones go by what the operator's files say by now.
Status TakeUpParts(Session& session, const manifest::Config& config, const Reads& reads, Parts& parts) {
  if (!config.policy.empty() && reads) reads(config.policy);
  if (parts.host == nullptr) {
    CORDON_ASSIGN(parts, session.Open(config, Use::kRun));
    return {};
  }
  CORDON_ASSIGN(auto policies, session.LoadPolicies(config));
  parts.host->Adopt({config, std::move(policies), {}});
  return {};
}

Result<int> RunOnce(Session& session, const Reads& reads, Parts& parts, InService& in_service) {
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(runtime::LoadRequest request, ReadLoadFlags(session));
  request.reads = reads;
  runtime::CallOptions options;
  CORDON_ASSIGN(options.principal, ReadPrincipal(session.arguments()));
  options.terminal = FindTerminal();
  CORDON_TRY(TakeUpParts(session, config, reads, parts));
  const bool raw = session.arguments().Has("--raw");
  if (raw) options.form = runtime::CallOptions::Form::kBytes;
  if (raw && session.json()) {
    return Fail(Code::kUsage, "--raw and --json cannot be given together", "leave one of them out");
  }
  CORDON_ASSIGN(std::string input, ReadInput(session.arguments().One("--input"), config));
  auto loaded = LoadToRun(session, *parts.host, request);
  if (!loaded) {
    JudgeFailedLoad(session, *parts.host, request);
    return Fail(std::move(loaded).error());
  }
  const auto plugin = *std::move(loaded);
  if (!session.arguments().One("--input") && plugin->TakesBytes()) input = raw ? "" : "null";
  WarnOf(session, *plugin);
  if (plugin->abi() == manifest::Abi::kNative && config.native == manifest::Config::Native::kWarn) {
    session.Warn(Escape(plugin->name()) + " is a native plugin: bubblewrap alone stands between it and this machine");
  }
  InService now = {plugin, {}};
  CORDON_ASSIGN(now.others, LoadOthers(session, *parts.host, reads));
  if (in_service.plugin != nullptr) {
    for (const std::string& line : Differences(*in_service.plugin, *plugin)) session.Note(line);
  }
  in_service = std::move(now);
  if (MeansCommand(session, *plugin)) {
    auto ended = RunAsCommand(session, parts, *plugin, options);
    CORDON_TRY(WriteMetrics(session, *parts.host));
    return ended;
  }
  return CallAndPrint(session, parts, *plugin, input, options);
}

Result<int> Watch(Session& session, Parts& parts, InService& in_service) {
  if (session.arguments().One("--input") == "-") {
    return Fail(Code::kUsage, "--watch runs again, and standard input can be read once", "name a file: --input @FILE");
  }
  return RunUntilStopped(session, [&](const Reads& reads, std::string& note) -> Result<int> {
    SeeNamedFiles(session, reads);
    const auto before = in_service.plugin;
    auto outcome = RunOnce(session, reads, parts, in_service);
    if (outcome || before == nullptr || in_service.plugin != before) return outcome;
    // It did not come as far as a call.
    session.failure_fields["in_force"] = before->digest().ToString();
    note = Escape(before->name()) + " (" + before->digest().Short() + ") stays in force";
    return outcome;
  });
}

Result<int> Run(Session& session) {
  session.CatchSignals();
  Parts parts;
  InService in_service;
  if (session.arguments().Has("--watch")) return Watch(session, parts, in_service);
  return RunOnce(session, {}, parts, in_service);
}

}  // namespace

Command RunCommand() {
  return {{.command = "run",
           .summary = "call an action of a plugin, with exactly the authority that is granted",
           .positionals = kWords,
           .options = kOptions,
           .rest = Syntax::Rest::kTaken,
           .settings = Syntax::Settings::kTaken},
          Run};
}

}  // namespace cordon::cli
