#include "cordon/plugin.h"

#include <algorithm>

#include "embed/state.h"
#include "runtime/native.h"
#include "runtime/resident.h"

namespace cordon {
namespace {

constexpr std::size_t kChainMax = 8;

Answer AnswerOf(runtime::CallReport&& report) {
  Answer answer;
  answer.json = std::move(report.output);
  answer.is_plugin_error = report.answered_with_error;
  answer.stdout_text = std::move(report.stdout_text);
  answer.stderr_text = std::move(report.stderr_text);
  answer.usage = embed::UsageOf(report.usage);
  answer.call_id = report.call_id;
  if (report.degraded) answer.degraded = *report.degraded;
  return answer;
}

// Holds an instance for one call.
class BusyScope {
 public:
  explicit BusyScope(std::atomic<bool>& busy) : busy_(busy), mine_(!busy.exchange(true, std::memory_order_acquire)) {}
  ~BusyScope() {
    if (mine_) busy_.store(false, std::memory_order_release);
  }
  BusyScope(const BusyScope&) = delete;
  BusyScope& operator=(const BusyScope&) = delete;
  bool mine() const { return mine_; }

 private:
  std::atomic<bool>& busy_;
  bool mine_;
};

// `resident_failed` may be null.
Status CallPlugin(const Plugin::State& state, std::string_view action, std::string_view input_json,
                  const CallOptions& options, const embed::CallQueue::Given* given, Answer& answer,
                  bool* resident_failed = nullptr) {
  CORDON_TRY(embed::CheckUsable(state));
  CORDON_ASSIGN(runtime::CallOptions call, embed::OptionsOf(state, options));
  if (given != nullptr) {
    call.handle = given->handle;
    call.ticket = given->ticket;
  }
  runtime::CallReport report;
  Status outcome;
  if (call.handle != nullptr) {
    const embed::CancelWatch watch(options.cancel, *call.handle);
    outcome = state.plugin->Call(action, input_json, call, report);
  } else {
    outcome = state.plugin->Call(action, input_json, call, report);
  }
  if (resident_failed != nullptr) *resident_failed = report.resident_failed;
  answer = AnswerOf(std::move(report));
  return outcome;
}

}  // namespace

namespace embed {

Result<Answer> CallForHook(const Plugin::State& state, std::string_view hook, std::string_view input_json,
                           const CallOptions& options, bool& leave_out) {
  return Guarded([&]() -> Result<Answer> {
    Answer answer;
    bool failed = false;
    Status outcome = CallPlugin(state, hook, input_json, options, nullptr, answer, &failed);
    leave_out = !outcome && failed && state.plugin->LeaveOut(hook, outcome.error());
    CORDON_TRY(outcome);
    return answer;
  });
}

Status CheckUsable(const Plugin::State& plugin) {
  if (plugin.unloaded.load(std::memory_order_relaxed)) [[unlikely]] {
    return Fail(Code::kUnavailable, plugin.plugin->name() + " was unloaded", "load it again");
  }
  if (plugin.host->down.load(std::memory_order_relaxed)) [[unlikely]] {
    return Fail(Code::kUnavailable, "the host of " + plugin.plugin->name() + " was shut down", "make a new Host");
  }
  // Before anything is locked: another thread may have held it when the process was forked.
  if (plugin.host->mark.was_forked()) [[unlikely]] {
    return Fail(Code::kUnavailable, "this process was forked after its host was made",
                "make a new Host in this process");
  }
  return {};
}

Status CheckPlace(const CallOptions* options) {
  if (!InsideService() || (options != nullptr && options->parent != nullptr)) [[likely]]
    return {};
  return Fail(Code::kUsage, "a plugin was called from inside a host service, in nobody's name",
              "pass the ServiceCall as CallOptions::parent");
}

namespace {

// Whoever embeds shows what it likes of what a plugin is doing, which is what the plugin logs.
class Answers final : public runtime::NativeTerminal {
 public:
  explicit Answers(std::function<std::optional<std::string>(std::string_view)> answer) : answer_(std::move(answer)) {}
  std::optional<std::string> Ask(std::string_view question, std::int64_t, const std::function<bool()>&) override {
    try {
      return answer_(question);
    } catch (...) {  // the program's own fault: nobody answered
      return std::nullopt;
    }
  }
  void Progress(std::string_view) override {}

 private:
  std::function<std::optional<std::string>(std::string_view)> answer_;
};

Status AddCallers(const Plugin::State& plugin, const ServiceCall& parent, runtime::CallOptions& call) {
  call.callers = parent.callers();
  call.callers.emplace_back(parent.plugin());
  if (call.callers.size() > kChainMax) {
    return Fail(Code::kLimit, "calls of plugins by plugins are " + std::to_string(call.callers.size()) + " deep",
                "at most " + std::to_string(kChainMax) + " call each other");
  }
  if (std::ranges::find(call.callers, plugin.plugin->name()) != call.callers.end()) {
    return Fail(Code::kUsage, plugin.plugin->name() + " would be called in the service of itself",
                "break the cycle: a plugin is not entered again by what it asked for");
  }
  return {};
}

}  // namespace

Result<runtime::CallOptions> OptionsOf(const Plugin::State& plugin, const CallOptions& options) {
  CORDON_TRY(CheckPlace(&options));
  runtime::CallOptions call;
  call.timeout = options.timeout;
  std::optional<MonotonicTime> deadline = options.deadline;
  if (options.parent != nullptr) {
    CORDON_TRY(AddCallers(plugin, *options.parent, call));
    const MonotonicTime inherited = options.parent->deadline();
    deadline = deadline ? std::min(*deadline, inherited) : inherited;
  }
  if (deadline && *deadline != MonotonicTime::max()) {
    const Duration left = *deadline - std::chrono::steady_clock::now();
    call.timeout = call.timeout ? std::min(*call.timeout, left) : left;
  }
  if (call.timeout && call.timeout->count() <= 0) {
    return Fail(Error(Code::kTimeout, "the deadline of the call has passed; nothing ran", "give it more time")
                    .With("limit", "timeout"));
  }
  if (options.cancel.can_be_cancelled()) {
    if (options.cancel.cancelled()) return Fail(Code::kInterrupted, "the call was cancelled before it began");
    call.handle = std::make_shared<runtime::CallHandle>();
  }
  call.traceparent = options.traceparent;
  if (options.answer) call.terminal = std::make_shared<Answers>(options.answer);
  if (call.traceparent.empty() && options.parent != nullptr) call.traceparent = options.parent->traceparent();
  call.stdin_bytes = options.stdin_bytes;
  call.principal = options.principal;
  if (options.parent != nullptr) {
    const Principal& inherited = options.parent->principal();
    if (call.principal.empty()) call.principal = inherited;
    if (call.principal.tenant.empty()) call.principal.tenant = inherited.tenant;
  }
  return call;
}

Result<runtime::CallOptions> OptionsIn(const detail::InstanceState& instance, const CallOptions& options) {
  CORDON_ASSIGN(runtime::CallOptions call, OptionsOf(*instance.plugin, options));
  std::string& tenant = call.principal.tenant;
  if (tenant.empty()) tenant = instance.tenant;
  if (tenant == instance.tenant) return call;
  return Fail(
      Error(Code::kDenied, "the instance is not of the tenant that the call is for", "make an instance for each tenant")
          .With("rule", "tenant:instance"));
}

}  // namespace embed

// ---- Instance
// ----------------------------------------------------------------------------------------------------------

Instance::Instance(std::unique_ptr<detail::InstanceState> state) : state_(std::move(state)) {}
Instance::Instance(Instance&&) noexcept = default;
Instance& Instance::operator=(Instance&&) noexcept = default;
Instance::~Instance() = default;

detail::InstanceState& detail::StateOf(Instance& instance) { return *instance.state_; }

bool Instance::poisoned() const { return state_ == nullptr || state_->instance.poisoned(); }

Usage Instance::usage() const { return state_ == nullptr ? Usage{} : embed::UsageOf(state_->instance.usage()); }

Result<Answer> Instance::Call(std::string_view action, std::string_view input_json, const CallOptions& options) {
  return embed::Guarded([&]() -> Result<Answer> {
    if (state_ == nullptr) return Fail(Code::kUsage, "the instance was moved from", "make a new one");
    CORDON_TRY(embed::CheckUsable(*state_->plugin));
    const BusyScope scope(state_->busy);
    if (!scope.mine())
      return Fail(Code::kBusy, "the instance is in a call already", "use one instance for each thread");
    CORDON_ASSIGN(runtime::CallOptions call, embed::OptionsIn(*state_, options));
    runtime::CallReport report;
    Status outcome;
    if (call.handle != nullptr) {
      const embed::CancelWatch watch(options.cancel, *call.handle);
      outcome = state_->plugin->plugin->CallIn(state_->instance, action, input_json, call, report);
    } else {
      outcome = state_->plugin->plugin->CallIn(state_->instance, action, input_json, call, report);
    }
    state_->LeaveOut(report.usage);
    CORDON_TRY(outcome);
    return AnswerOf(std::move(report));
  });
}

// ---- Plugin
// ------------------------------------------------------------------------------------------------------------

const std::string& Plugin::name() const { return state_->plugin->name(); }
const std::string& Plugin::digest() const { return state_->digest; }
std::vector<Action> Plugin::Actions() const { return embed::ActionsOf(*state_->plugin); }
Authority Plugin::authority() const { return embed::AuthorityOf(*state_->plugin); }
Limits Plugin::limits() const { return embed::LimitsOf(state_->plugin->limits()); }
Status Plugin::Revoke(std::string_view capability) const {
  return embed::Guarded([&]() -> Status {
    CORDON_ASSIGN(const policy::Capability parsed, policy::Capability::Parse(capability));
    return state_->plugin->Revoke(parsed);
  });
}

void Plugin::Unload() const {
  state_->unloaded.store(true);
  state_->plugin->Retire();
  if (embed::InsideService()) {
    state_->plugin->BeginDrain();  // the call that runs here may be one of its own
  } else {
    state_->plugin->Drain();
  }
}

std::optional<Residency> Plugin::residency() const {
  std::optional<runtime::ResidentStatus> status = state_->plugin->residency();
  if (!status) return std::nullopt;
  Residency residency;
  residency.state = static_cast<Residency::State>(status->state);
  residency.restarts = status->restarts;
  for (auto& failure : status->failures) residency.failures.push_back({failure.when, std::move(failure.error)});
  residency.snapshot = status->snapshot;
  residency.snapshot_bytes = status->snapshot_bytes;
  residency.next_start = status->next_start;
  return residency;
}

Status Plugin::Start() const {
  return embed::Guarded([&]() -> Status {
    CORDON_TRY(embed::CheckUsable(*state_));
    CORDON_TRY(embed::CheckPlace(nullptr));
    return state_->plugin->Start();
  });
}

Status Plugin::Release() const {
  return embed::Guarded([&]() -> Status {
    CORDON_TRY(embed::CheckUsable(*state_));
    return state_->plugin->Release();
  });
}

Status Plugin::Call(std::string_view action, std::string_view input_json, const CallOptions& options,
                    Answer& answer) const {
  return embed::Guarded([&] { return CallPlugin(*state_, action, input_json, options, nullptr, answer); });
}

Result<Answer> Plugin::Call(std::string_view action, std::string_view input_json, const CallOptions& options) const {
  return embed::Guarded([&]() -> Result<Answer> {
    Answer answer;
    CORDON_TRY(CallPlugin(*state_, action, input_json, options, nullptr, answer));
    return answer;
  });
}

Pending<Answer> Plugin::CallAsync(std::string action, std::string input_json, Executor executor,
                                  CallOptions options) const {
  return Pending<Answer>([state = state_, action = std::move(action), input = std::move(input_json),
                          executor = std::move(executor),
                          options = std::move(options)](Pending<Answer>::Done done) mutable {
    auto answer = std::make_shared<Answer>();
    auto body = [state, action = std::move(action), input = std::move(input), answer](
                    const CallOptions& call, const embed::CallQueue::Given& given) -> Status {
      return embed::Guarded([&] { return CallPlugin(*state, action, input, call, &given, *answer); });
    };
    embed::Start(*state, std::move(options), std::move(executor), std::move(body),
                 [answer, done = std::move(done)](Status status) mutable {
                   if (status) {
                     done(std::move(*answer));
                   } else {
                     done(Fail(std::move(status).error()));
                   }
                 });
  });
}

std::future<Result<Answer>> Plugin::Submit(std::string action, std::string input_json, CallOptions options) const {
  std::promise<Result<Answer>> promise;
  std::future<Result<Answer>> future = promise.get_future();
  CallAsync(std::move(action), std::move(input_json), {}, std::move(options))
      .Then([promise = std::move(promise)](Result<Answer> answer) mutable { promise.set_value(std::move(answer)); });
  return future;
}

Result<Instance> Plugin::NewInstance(const CallOptions& options) const {
  return embed::Guarded([&]() -> Result<Instance> {
    CORDON_TRY(embed::CheckUsable(*state_));
    CORDON_ASSIGN(runtime::CallOptions call, embed::OptionsOf(*state_, options));
    CORDON_ASSIGN(engine::Instance instance, state_->plugin->NewInstance(call));
    return Instance(
        std::make_unique<detail::InstanceState>(state_, std::move(instance), std::move(call.principal.tenant)));
  });
}

}  // namespace cordon
