#include "runtime/tool_calls.h"

#include <algorithm>
#include <ctime>

namespace cordon::runtime {
namespace {

// Counts one that waits.
class Waiting {
 public:
  explicit Waiting(std::atomic<int>& count) : count_(count), number_(count.fetch_add(1) + 1) {}
  ~Waiting() { count_.fetch_sub(1); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  int number() const { return number_; }

 private:
  std::atomic<int>& count_;
  int number_;
};

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace

void Host::State::AddCallable(const std::shared_ptr<const Plugin>& plugin) {
  const std::lock_guard lock(mutex);
  std::erase_if(callable, [](const auto& one) { return one.second.expired(); });
  callable[plugin->name()] = plugin;
}

std::shared_ptr<const Plugin> Host::State::FindCallable(std::string_view name) {
  const std::lock_guard lock(mutex);
  const auto found = callable.find(name);
  if (found == callable.end()) return nullptr;
  std::shared_ptr<const Plugin> plugin = found->second.lock();
  if (plugin == nullptr || plugin->retired()) {
    callable.erase(found);
    return nullptr;
  }
  return plugin;
}

// A manifest that lists what it provides keeps the rest to itself.
bool HostToolCalls::Provides(std::string_view name, std::string_view action) {
  const std::shared_ptr<Host::State> host = host_.lock();
  const std::shared_ptr<const Plugin> plugin = host == nullptr ? nullptr : host->FindCallable(name);
  if (plugin == nullptr) return true;
  const manifest::Provides& listed = plugin->manifest()->provides;
  if (listed.tools.empty() && listed.actions.empty()) return true;
  const auto has = [&](const std::vector<std::string>& names) {
    return std::ranges::find(names, action) != names.end();
  };
  return has(listed.tools) || has(listed.actions);
}

Result<services::ToolAnswer> HostToolCalls::Call(const services::ToolCall& call) {
  const std::string name(call.plugin);
  const std::shared_ptr<Host::State> host = host_.lock();
  if (host == nullptr) return Fail(Code::kUnavailable, "the host of " + name + " is gone");
  const std::shared_ptr<const Plugin> plugin = host->FindCallable(call.plugin);
  if (plugin == nullptr) {
    return Fail(Code::kNotFound, "the plugin " + name + " is not loaded", "load it: cordon run PLUGIN --with PATH");
  }
  const Waiting waiting(host->tool_calls);
  if (waiting.number() > kToolCallsMax) {
    return Fail(Code::kBusy, std::to_string(kToolCallsMax) + " plugins wait for others already", "try again");
  }
  CallOptions options;
  options.callers = call.chain;
  options.passed = call.passed;
  if (call.principal != nullptr) options.principal = *call.principal;
  if (call.trace) options.traceparent = call.trace->Header();
  if (call.deadline_ns != 0) {
    options.timeout = Duration(call.deadline_ns - NowNs());
    if (options.timeout->count() <= 0) return Fail(Code::kTimeout, "the caller has no time left; nothing ran");
  }
  CallReport report;
  CORDON_TRY(plugin->Call(call.action, call.input_json, options, report));
  using Form = services::ToolAnswer::Form;
  return services::ToolAnswer{std::move(report.output),
                              report.answered_with_error ? Form::kPluginError : Form::kAnswer};
}

}  // namespace cordon::runtime
