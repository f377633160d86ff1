#include "cli/calls.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/progress.h"
#include "cli/report.h"

namespace cordon::cli {

Result<std::string> ReadInput(const std::optional<std::string>& given, const manifest::Config& config) {
  if (!given) return "{}";
  const bool from_stdin = *given == "-";
  if (!from_stdin && !given->starts_with('@')) return *given;
  auto text = ReadFile(from_stdin ? "-" : given->substr(1), config.limits.input.count);
  if (text || text.error().code != Code::kLimit) return text;
  return Fail(Code::kInputSize, "the input is larger than the limit of " + FormatBytes(config.limits.input),
              "pass less, or raise plugins.limits.input in config.yaml");
}

Result<std::string> ChooseAction(const Session& session, const runtime::Plugin& plugin) {
  if (auto named = session.arguments().One("ACTION")) return *named;
  std::vector<std::string> names;
  if (plugin.manifest() != nullptr) {
    for (const auto& [name, action] : plugin.manifest()->actions) names.push_back(name);
  } else {
    for (const runtime::ActionView& view : plugin.Actions()) names.push_back(view.name);
  }
  if (names.size() == 1) return names.front();
  if (names.empty()) {
    return Fail(Code::kNotFound, plugin.name() + " exports no function that can be called with JSON",
                "see what it exports: cordon inspect PLUGIN");
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return Fail(Code::kUsage, plugin.name() + " has several actions: " + list, "name one of them after the plugin");
}

Result<std::shared_ptr<const runtime::Plugin>> LoadToRun(Session& session, runtime::Host& host,
                                                         runtime::LoadRequest& request) {
  const bool line = session.terminal().err_is_tty && !session.quiet();
  const Progress::Show show = session.verbose() ? Progress::Show::kPlain
                              : line            ? Progress::Show::kLine
                                                : Progress::Show::kNothing;
  Progress progress(show, request.source.string());
  request.progress = [&progress](std::string_view stage) { progress.Stage(stage); };
  const auto stop = std::make_shared<runtime::CallHandle>();
  request.cancelled = [stop] { return stop->interrupted(); };
  session.CatchSignals().Interrupts(stop);
  auto plugin = host.Load(request);
  session.CatchSignals().Interrupts(nullptr);
  return plugin;
}

Status CallInterruptibly(Session& session, const runtime::Plugin& plugin, const std::string& action,
                         const std::string& input, runtime::CallOptions options, runtime::CallReport& report) {
  options.handle = std::make_shared<runtime::CallHandle>();
  options.traceparent = session.environment()("TRACEPARENT").value_or("");
  session.CatchSignals().Interrupts(options.handle);
  Status done = plugin.Call(action, input, options, report);
  session.CatchSignals().Interrupts(nullptr);
  return done;
}

}  // namespace cordon::cli
