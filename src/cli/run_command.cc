#include "cli/run_command.h"

#include <unistd.h>

#include "base/text.h"
#include "cli/describe.h"
#include "cli/report.h"

namespace cordon::cli {
namespace {

// What a failure of ours has above its own code, so that no script takes it for the command's status.
constexpr int kFailureBase = 120;
constexpr int kStatusMask = 0xff;  // as of any process

OrderedJson DocumentOf(const runtime::Plugin& plugin, const runtime::CallReport& report) {
  return {
      {"plugin", Escape(plugin.name())},
      {"digest", plugin.digest().ToString()},
      {"placement", PlacementJson(plugin)},
      {"exit_status", report.exit_status & kStatusMask},
      {"stdout", Escape(report.stdout_text, Lines::kKeep)},
      {"stderr", Escape(report.stderr_text, Lines::kKeep)},
  };
}

}  // namespace

bool MeansCommand(const Session& session, const runtime::Plugin& plugin) {
  const Arguments& arguments = session.arguments();
  const manifest::Manifest* manifest = plugin.manifest();
  const bool is_one = manifest == nullptr ? plugin.is_command() : manifest::IsProgram(manifest->runtime.abi);
  return is_one && !arguments.One("ACTION") && !arguments.One("--input");
}

void JudgeFailedLoad(Session& session, runtime::Host& host, const runtime::LoadRequest& request) {
  runtime::LoadRequest look = request;
  look.purpose = runtime::LoadRequest::Purpose::kInspect;
  look.progress = nullptr;  // of the load that failed
  look.cancelled = nullptr;
  const auto plugin = host.Load(look);
  if (plugin && MeansCommand(session, **plugin)) session.failure_base = kFailureBase;
}

Result<int> RunAsCommand(Session& session, const Parts& parts, const runtime::Plugin& plugin,
                         runtime::CallOptions options) {
  session.failure_base = kFailureBase;
  runtime::CommandCall command;
  command.streams.stdin_fd = STDIN_FILENO;
  if (!session.json()) {
    command.streams.stdout_fd = STDOUT_FILENO;
    command.streams.stderr_fd = STDERR_FILENO;
    if (plugin.manifest() == nullptr) command.output = runtime::CommandCall::Output::kUnlimited;
  }
  options.handle = std::make_shared<runtime::CallHandle>();
  options.traceparent = session.environment()("TRACEPARENT").value_or("");
  runtime::CallReport report;
  session.CatchSignals().Interrupts(options.handle);
  Status done = plugin.RunCommand(command, options, report);
  session.CatchSignals().Interrupts(nullptr);
  const std::uint64_t dropped = report.usage.stdout_dropped_bytes + report.usage.stderr_dropped_bytes;
  if (dropped > 0) session.Warn(std::to_string(dropped) + " bytes of output were dropped, above the plugin's limit");
  CORDON_TRY(parts.audit->Flush());
  if (!done && done.error().code != Code::kExit) {
    session.failure_fields = DocumentOf(plugin, report);
    return Fail(std::move(done).error());
  }
  if (session.json()) session.PrintDocument(DocumentOf(plugin, report));
  return report.exit_status & kStatusMask;
}

}  // namespace cordon::cli
