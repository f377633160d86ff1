#include "runtime/residence.h"

#include "base/units.h"

namespace cordon::runtime {
namespace {

// All that the answer depends on beside what the resident remembers.
Digest QuestionOf(std::string_view action, std::string_view input, const CallOptions& options) {
  std::string text;
  const auto add = [&text](std::string_view part) { text += std::to_string(part.size()) + ":" + std::string(part); };
  for (const std::string_view part :
       {action, input, std::string_view(options.principal.user), std::string_view(options.principal.session),
        std::string_view(options.principal.agent), std::string_view(options.principal.tenant)}) {
    add(part);
  }
  for (const std::string& caller : options.callers) add(caller);
  for (std::size_t kind = 0; kind < policy::kKindCount; ++kind) {
    text += options.passed.Has(static_cast<policy::Kind>(kind)) ? '1' : '0';
  }
  text += options.form == CallOptions::Form::kBytes ? 'b' : 'j';
  return Digest::Of(text);
}

Status RecordDegraded(const Plugin::State& state, std::string_view action, const Error& failure, std::string note) {
  audit::Record record = state.NewRecord(audit::Event::kNote);
  record.action = action;
  record.rule = "resident:degraded";
  record.code = failure.code;
  record.note = std::move(note);
  return state.observer().On(record);
}

}  // namespace

Error OneInstance(const Plugin::State& state) {
  return Error(Code::kUsage, state.source.name + " is a resident, which has one instance", "call the plugin itself");
}

Result<bool> SharesInstance(const Plugin::State& state, const CallOptions& options) {
  if (state.kept == nullptr) return false;
  const engine::InstanceOptions& has = state.instance;
  const bool has_more = (!options.passed.Has(policy::Kind::kFiles) && !has.preopens.empty()) ||
                        (!options.passed.Has(policy::Kind::kEnvironment) && !has.environment.empty()) ||
                        (!options.passed.Has(policy::Kind::kArguments) && !has.arguments.empty());
  const std::string& tenant = options.principal.tenant;
  if (state.resident == nullptr) return options.stdin_bytes.empty() && tenant.empty() && !has_more;
  if (!tenant.empty() && !state.serves_all_tenants) {
    return Fail(Error(Code::kDenied, state.source.name + " is a resident, whose one instance would serve every tenant",
                      "say so with plugins.entries." + state.source.name + ".tenants: shared in config.yaml")
                    .With("rule", "tenant:resident"));
  }
  if (!options.stdin_bytes.empty()) {
    return Fail(Code::kUsage, state.source.name + " is a resident, which reads no standard input of a call",
                "pass it in the action's input");
  }
  if (has_more) {
    return Fail(Code::kDenied,
                state.source.name + " is a resident, which holds files, variables or arguments its caller withholds",
                "pass them on: 'call:…; pass=files,environment,arguments'");
  }
  return true;
}

Status CallShared(const Plugin::State& state, const CallOptions& options, const BoundAction& action,
                  std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output,
                  const engine::CallLimits& limits, CallReport& report) {
  BytesSink sink(output);
  bool fell = false;
  Status done = state.kept->Call({.function = action.binding.function,
                                  .input = engine::Pieces(&input, 1),
                                  .sink = sink,
                                  .limits = limits,
                                  .own_wall = action.limits.wall,
                                  .call_id = report.call_id,
                                  .traces = {&report.usage, &report.stdout_text, &report.stderr_text},
                                  .handle = options.handle.get(),
                                  .fell = &fell});
  report.resident_failed = fell;
  if (done && sink.fell_short()) return Fail(Code::kMemory, "the result does not fit into memory");
  return done;
}

Status Degrade(const Plugin::State& state, std::string_view action, std::string_view input_json,
               const CallOptions& options, Status outcome, CallReport& report) {
  if (!outcome && !report.resident_failed && outcome.error().code == Code::kUnavailable) {
    // It was drained between the look and the call, which did not run.
    const std::string_view reason = outcome.error().Detail("reason");
    const auto next = SuccessorOf(state);
    if (next != nullptr && (reason == "draining" || reason == "closed")) {
      return next->Call(action, input_json, options, report);
    }
  }
  if (state.last_good == nullptr) return outcome;
  const MonotonicTime now = std::chrono::steady_clock::now();
  if (outcome) {
    if (!report.answered_with_error) state.last_good->Keep(QuestionOf(action, input_json, options), report.output, now);
    return outcome;
  }
  if (!report.resident_failed) return outcome;
  std::optional<LastGood::Found> found = state.last_good->Find(QuestionOf(action, input_json, options), now);
  if (!found) return outcome;
  const auto age = std::chrono::floor<std::chrono::milliseconds>(found->age);
  CORDON_TRY(RecordDegraded(state, action, outcome.error(),
                            "the last good answer, " + std::to_string(age.count()) + " ms old, stood in"));
  report.output = std::move(found->answer);
  report.degraded = found->age;
  return {};
}

std::optional<ResidentStatus> Plugin::residency() const {
  if (state_->resident == nullptr) return std::nullopt;
  return state_->resident->status();
}

Status Plugin::Start() const {
  if (state_->resident == nullptr) {
    return Fail(Code::kUsage, state_->source.name + " is no resident", "write runtime: { instance: resident }");
  }
  return state_->resident->Start();
}

void Plugin::BeginDrain() const {
  if (state_->resident != nullptr) state_->resident->BeginDrain();
}

void Plugin::Drain(std::optional<Duration> most) const {
  if (state_->resident != nullptr) state_->resident->Drain(most.value_or(state_->resident->drain_time()));
}

void Plugin::Resume() const {
  if (state_->resident != nullptr) state_->resident->Resume();
}

void Plugin::HoldCalls() const {
  if (state_->resident != nullptr) state_->resident->HoldCalls();
}

void Plugin::LetCalls() const {
  if (state_->resident != nullptr) state_->resident->LetCalls();
}

void Plugin::SucceededBy(const std::shared_ptr<const Plugin>& next) const {
  if (state_->resident != nullptr) state_->resident->SucceededBy(next);
}

std::shared_ptr<const Plugin> SuccessorOf(const Plugin::State& state) { return state.resident->successor(); }

Status Plugin::Release() const {
  if (state_->resident == nullptr) {
    return Fail(Code::kUsage, state_->source.name + " is no resident, so it is in no quarantine");
  }
  return state_->resident->Release();
}

bool Plugin::LeaveOut(std::string_view hook, const Error& failure) const {
  const auto& manifest = state_->source.manifest;
  if (state_->resident == nullptr || !manifest || manifest->lifecycle.on_failure != manifest::Degradation::kOpen) {
    return false;
  }
  // What cannot be recorded is not left out.
  return RecordDegraded(*state_, hook, failure, "the answer to the hook was left out").has_value();
}

std::uint64_t Host::State::NextCallId(std::uint64_t count) {
  const std::size_t place = next_call.HereIndex();
  return (next_call[place].fetch_add(count, std::memory_order_relaxed) + 1) * Plugin::kCallIdStep + place;
}

void Host::Drain() {
  if (state_->mark.was_forked()) return;
  std::vector<std::shared_ptr<Resident>> residents;
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& one : state_->residents) {
      if (auto resident = one.lock()) residents.push_back(std::move(resident));
    }
  }
  const MonotonicTime began = std::chrono::steady_clock::now();
  for (const auto& resident : residents) resident->BeginDrain();
  for (const auto& resident : residents) {
    const Duration left = resident->drain_time() - (std::chrono::steady_clock::now() - began);
    resident->Drain(std::max<Duration>(left, Duration(0)));
  }
  state_->timer->Stop();
  state_->delays->Stop();
}

}  // namespace cordon::runtime
