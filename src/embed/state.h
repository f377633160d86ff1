// What the public classes hold; the files of this room share it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file_marks.h"
#include "base/fork_mark.h"
#include "cordon/host.h"
#include "embed/call_queue.h"
#include "runtime/host.h"
#include "telemetry/otlp.h"

namespace cordon {

namespace embed {
class Watcher;
}

struct CancelToken::State {
  std::mutex mutex;
  bool cancelled = false;
  std::vector<runtime::CallHandle*> running;
};

struct Host::State {
  HostOptions options;
  std::unique_ptr<runtime::Host> host;
  std::atomic<bool> down{false};
  ForkMark mark;
  std::mutex operator_files;  // held by whoever takes them up
  std::mutex mutex;           // guards hosted, loaded, deployments, operator_marks, watcher
  std::vector<runtime::HostedInterface> hosted;
  std::vector<std::weak_ptr<const Plugin::State>> loaded;  // with a manifest, to run; in the order of their loads
  std::vector<std::weak_ptr<Deployment::State>> deployments;
  FileMarks operator_marks;                 // of config.yaml and the policies, when they were last read
  std::shared_ptr<embed::Watcher> watcher;  // null until Watch
  std::shared_ptr<embed::CallQueue> queue;
  std::shared_ptr<telemetry::OtlpExporter> spans;  // null: no file says where they go
};

struct Plugin::State {
  std::shared_ptr<Host::State> host;
  std::shared_ptr<const runtime::Plugin> plugin;
  std::string digest;
  std::shared_ptr<embed::CallQueue::Gate> gate;  // of asynchronous calls; null: it has no quota
  mutable std::atomic<bool> unloaded{false};
};

namespace detail {

struct BoundFunction {
  std::shared_ptr<const Plugin::State> plugin;
  runtime::Plugin::Target target;
  runtime::CallOptions plain;  // of a call without options
};

struct InstanceState {
  InstanceState(std::shared_ptr<const Plugin::State> of, engine::Instance made, std::string whose)
      : plugin(std::move(of)), instance(std::move(made)), tenant(std::move(whose)) {}
  InstanceState(const InstanceState&) = delete;
  InstanceState& operator=(const InstanceState&) = delete;
  ~InstanceState() {
    (void)plugin->plugin->CountCalls(uncounted, std::chrono::nanoseconds(0));
    CountUse();
  }

  // What its typed calls used since the last time; calls by name count their own.
  void CountUse() {
    const engine::Usage now = instance.usage();
    plugin->plugin->CountUse(engine::UsageSince(counted, now));
    counted = now;
  }
  void LeaveOut(const engine::Usage& usage) { engine::AddUsage(counted, usage); }

  // What a call that went well leaves for the audit: calls are counted here first, so that a warm call shares nothing
  // with other threads.
  Status CountOne() {
    if (++uncounted < batch) [[likely]]
      return {};
    batch = std::min<std::uint64_t>(batch * 2, kBatchMax);
    CountUse();
    return plugin->plugin->CountCalls(std::exchange(uncounted, 0), std::chrono::nanoseconds(0));
  }
  std::uint64_t NextCallId() {
    if (ids_left == 0) next_id = plugin->plugin->NextCallId(ids_left = kBatchMax);
    --ids_left;
    return std::exchange(next_id, next_id + runtime::Plugin::kCallIdStep);
  }

  static constexpr std::uint64_t kBatchMax = 1024;
  std::shared_ptr<const Plugin::State> plugin;
  engine::Instance instance;
  const std::string tenant;  // all its calls are for this one
  std::uint64_t uncounted = 0, batch = 1;
  engine::Usage counted;  // of `instance`, in the totals already
  std::uint64_t next_id = 0, ids_left = 0;
  // One thread at a time; this sees a call from inside a service of the same call, and most misuse by two threads.
  std::atomic<bool> busy{false};
};

}  // namespace detail

namespace embed {

// Passes a token's cancellation on to a running call, while it lives.
class CancelWatch {
 public:
  CancelWatch(const CancelToken& token, runtime::CallHandle& handle);
  ~CancelWatch();
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;

 private:
  std::shared_ptr<CancelToken::State> state_;
  runtime::CallHandle& handle_;
};

// As Plugin::Call. `leave_out`: it failed, and is not to be an answer to the hook.
Result<Answer> CallForHook(const Plugin::State& state, std::string_view hook, std::string_view input_json,
                           const CallOptions& options, bool& leave_out);
// E_UNAVAILABLE after Unload or Shutdown.
Status CheckUsable(const Plugin::State& plugin);
// E_USAGE inside a host service, without a parent.
Status CheckPlace(const CallOptions* options);
// The public options as the runtime's. `handle` is set when the call can be cancelled; E_TIMEOUT for a deadline that
// has passed, E_USAGE for a cycle, E_LIMIT for a chain that is too long.
Result<runtime::CallOptions> OptionsOf(const Plugin::State& plugin, const CallOptions& options);

// The same for a call in an instance, which is for its tenant: E_DENIED for another one's.
Result<runtime::CallOptions> OptionsIn(const detail::InstanceState& instance, const CallOptions& options);

// The public options as the runtime's. E_UNAVAILABLE after Shutdown; E_USAGE inside a host service.
Result<runtime::LoadRequest> Prepare(Host::State& host, const LoadOptions& options);
Result<std::shared_ptr<const Plugin::State>> LoadState(const std::shared_ptr<Host::State>& host,
                                                       const runtime::LoadRequest& request);

// What an asynchronous call runs on a thread of the queue.
using CallBody = std::move_only_function<Status(const CallOptions& options, const CallQueue::Given& given)>;
// Queues it; `done` runs exactly once, on the executor.
void Start(const Plugin::State& plugin, CallOptions options, Executor executor, CallBody body,
           std::move_only_function<void(Status)> done);

// A service's interface, ready to be offered. E_NAME, E_INVALID.
Result<runtime::HostedInterface> HostedOf(Service service);
// Whether this thread runs a function of a service.
bool InsideService();

// The public sinks as the rooms'.
std::shared_ptr<audit::Observer> ObserverOf(std::shared_ptr<AuditSink> sink);
std::shared_ptr<services::LogSink> LogSinkOf(LogSink sink);

// Storage and secrets, of a folder or the program's own.
void SetUpState(const HostOptions& options, runtime::HostOptions& out);

Usage UsageOf(const engine::Usage& usage);
// As the rooms' own; an empty one stays empty.
std::function<void(const services::QuotaAlert&)> AlertsOf(QuotaAlertSink sink);
Limits LimitsOf(const manifest::Limits& limits);
Authority AuthorityOf(const runtime::Plugin& plugin);
RiskLevel RiskOf(policy::RiskLevel risk);
std::vector<Action> ActionsOf(const runtime::Plugin& plugin);
// Never throws.
Error NoMemory() noexcept;
// A fault of ours, or E_MEMORY when not even that can be said.
Error Unexpected(std::string_view what) noexcept;

// Runs `body`; running out of memory becomes E_MEMORY, and what else is thrown E_INTERNAL.
template <typename Body>
auto Guarded(Body&& body) noexcept -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Fail(NoMemory());
  } catch (const std::exception& fault) {
    return Fail(Unexpected(fault.what()));
  } catch (...) {
    return Fail(Unexpected("an unknown exception"));
  }
}

}  // namespace embed
}  // namespace cordon
