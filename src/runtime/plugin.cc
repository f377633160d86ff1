#include "runtime/plugin.h"

#include <algorithm>

#include "abi/json_schema.h"
#include "abi/type_shape.h"
#include "base/text.h"
#include "runtime/admission.h"
#include "runtime/call_scope.h"
#include "runtime/command.h"
#include "runtime/kill_switch.h"
#include "runtime/residence.h"
#include "runtime/state.h"
#include "services/principal.h"

namespace cordon::runtime {
namespace {

// What stands for the program in the audit.
constexpr std::string_view kNativeEntry = "main";

Error SchemaError(Code code, std::string_view what, const std::vector<SchemaViolation>& violations) {
  const SchemaViolation& first = violations.front();
  Error error = Error(code,
                      "the " + std::string(what) + " does not fit the action's schema at '" + first.instance_path +
                          "': " + first.message,
                      code == Code::kInputSchema ? "see the schema with: cordon inspect PLUGIN --json"
                                                 : "report this to the plugin's author")
                    .With("path", first.instance_path)
                    .With("schema", first.schema_path);
  for (std::size_t i = 1; i < violations.size(); ++i) {
    error.causes.push_back(Error(code, violations[i].message).With("path", violations[i].instance_path));
  }
  return error;
}

Error NotLoadedToRun() { return Error(Code::kUsage, "the plugin was loaded to be looked at, not to run"); }

// Of what is done with exports and instances.
Error NothingLinked(const Plugin::State& state) {
  if (state.native == nullptr) return NotLoadedToRun();
  return Error(Code::kUsage, state.source.name + " is a native plugin, which has no exports and keeps no instance",
               "call an action by its name");
}

Error OwnInstance(std::string_view action) {
  return Error(Code::kUsage, "'" + std::string(action) + "' is an action of a command, which keeps no instance",
               "call it by its name");
}

Error SizeError(Code code, std::string_view what, std::size_t size, Bytes limit) {
  return Error(
      code,
      "the " + std::string(what) + " has " + std::to_string(size) + " bytes, above the limit of " + FormatBytes(limit),
      "pass less, or raise plugins.limits." + std::string(what) + " in config.yaml");
}

}  // namespace

void CallHandle::Interrupt() {
  interrupted_.store(true);
  const std::lock_guard lock(mutex_);
  interrupter_.Interrupt();
}

void CallHandle::Watch(engine::Interrupter interrupter) {
  const std::lock_guard lock(mutex_);
  interrupter_ = std::move(interrupter);
  if (interrupted_.load()) interrupter_.Interrupt();
}

audit::Record Plugin::State::NewRecord(audit::Event event) const {
  audit::Record record;
  record.event = event;
  record.plugin = source.name;
  if (!source.digest.IsZero()) record.digest = source.digest.ToString();
  return record;
}

Plugin::Plugin(std::unique_ptr<State> state) : state_(std::move(state)) {}

Plugin::~Plugin() {
  Drain();
  const CallCounter::Group group = state_->calls.Take();
  if (group.count == 0) return;
  // The log may be gone; there is nobody left to tell.
  (void)state_->observer().OnCalls(
      {state_->source.name, state_->source.digest.ToString(), "", group.count, 0, Duration(group.total_ns)});
}

const std::string& Plugin::name() const { return state_->source.name; }
const Digest& Plugin::digest() const { return state_->source.digest; }
const manifest::Manifest* Plugin::manifest() const {
  return state_->source.manifest ? &*state_->source.manifest : nullptr;
}
const wit::Contract& Plugin::contract() const { return *state_->contract; }
const policy::Authority& Plugin::authority() const { return state_->authority; }
const abi::LinkPlan& Plugin::link_plan() const { return state_->plan; }
const manifest::Limits& Plugin::limits() const { return state_->limits; }
std::span<const Mount> Plugin::mounts() const { return state_->mounts; }
const std::map<std::string, policy::ProgramPin>& Plugin::programs() const { return state_->programs; }
Status Plugin::Revoke(const policy::Capability& capability) const {
  if (state_->standing == nullptr) return Fail(NotLoadedToRun());
  audit::Record record = state_->NewRecord(audit::Event::kRevoke);
  record.capability = capability.ToString();
  // What cannot be written down is taken back all the same.
  Status written = state_->observer().On(record);
  state_->is_plain.store(false, std::memory_order_relaxed);
  state_->standing->Revoke(capability);
  return written;
}
bool Plugin::GrantsDiffer() const { return state_->standing != nullptr && state_->standing->GrantsDiffer(); }
void Plugin::Retire() const { state_->retired.store(true); }
bool Plugin::retired() const { return state_->retired.load(); }
policy::RiskLevel Plugin::risk() const {
  // Its confinement is the kernel's alone.
  const bool is_native = state_->abi_kind == manifest::Abi::kNative;
  return is_native ? std::max(state_->authority.risk(), policy::RiskLevel::kHigh) : state_->authority.risk();
}

const Place& Plugin::place() const { return state_->place; }
bool Plugin::TakesBytes() const { return state_->abi_kind == manifest::Abi::kExtism; }
manifest::Abi Plugin::abi() const { return state_->abi_kind; }

Plugin::Waits Plugin::waits() const {
  // Whoever waits for its turn keeps a thread, and must not keep the one on which the call before it goes on.
  if (state_->resident != nullptr) return Waits::kForProcess;
  if (state_->linked == nullptr) return state_->native == nullptr ? Waits::kNever : Waits::kForProcess;
  if (state_->linked->remote() != nullptr) return Waits::kForProcess;
  return state_->linked->waits() ? Waits::kWithoutThread : Waits::kNever;
}

Status Plugin::Runnable() const {
  if (state_->not_runnable) return Fail(*state_->not_runnable);
  return {};
}

std::vector<ActionView> Plugin::Actions() const {
  const wit::Contract& contract = *state_->contract;
  std::vector<ActionView> views;
  // Nothing in the binary says what the bytes are that a plugin for Extism takes and gives.
  const bool any = state_->abi_kind == manifest::Abi::kExtism;
  const auto view = [&](std::string name, const abi::ExportRef& target) {
    return ActionView{
        .name = std::move(name),
        .description = target.function->docs,
        .export_name = target.ToString(),
        .wit = wit::FunctionText(contract, *target.function),
        .input_schema = any ? Json::object() : abi::InputSchema(contract, *target.function),
        .output_schema = any ? Json::object() : abi::OutputSchema(contract, *target.function),
        .risk = risk(),
    };
  };
  if (!state_->source.manifest) {
    for (const abi::ExportRef& target : abi::Exports(contract)) {
      // Of a reactor, called before anything else of it.
      if (target.interface_name.empty() && target.function->name == "_initialize") continue;
      if (abi::CheckCrossable(contract, *target.function)) views.push_back(view(target.ToString(), target));
    }
    return views;
  }
  const bool is_command = manifest::IsProgram(state_->source.manifest->runtime.abi);
  for (const auto& [name, action] : state_->source.manifest->actions) {
    const auto entry = is_command ? abi::CommandEntry(contract) : std::nullopt;
    const auto target = abi::ResolveExport(contract, entry ? entry->ToString() : action.export_name);
    ActionView one = target ? view(name, *target)
                            : ActionView{.name = name,
                                         .description = {},
                                         .export_name = action.export_name,
                                         .wit = {},
                                         .input_schema = {},
                                         .output_schema = {},
                                         .risk = risk()};
    if (is_command) {
      one.input_schema = CommandInputSchema(action.command);
      one.output_schema = CommandOutputSchema(action.command);
    }
    if (!action.description.empty()) one.description = action.description;
    if (action.input) one.input_schema = *action.input;
    if (action.output) one.output_schema = *action.output;
    if (action.risk) one.risk = std::max(one.risk, *action.risk);
    views.push_back(std::move(one));
  }
  return views;
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

namespace {

// Finds the action, or binds an export of a plugin without a manifest for this one call.
Result<const BoundAction*> FindAction(const Plugin::State& state, std::string_view action, BoundAction& local) {
  if (state.linked == nullptr && state.native == nullptr) return Fail(NotLoadedToRun());
  if (state.source.manifest) {
    if (const auto found = state.actions.find(action); found != state.actions.end()) return &found->second;
    std::vector<std::string_view> names;
    std::string list;
    for (const auto& [name, _] : state.actions) {
      names.push_back(name);
      list += (list.empty() ? "" : ", ") + name;
    }
    const std::string_view nearest = Nearest(action, names);
    return Fail(Code::kNotFound,
                "there is no action '" + std::string(action) + "' in " + state.source.name + "; it has: " + list,
                nearest.empty() ? "name one of them" : "did you mean '" + std::string(nearest) + "'?");
  }
  CORDON_ASSIGN(local.binding, state.abi->Bind(*state.linked, action));
  local.limits = {.wall = state.limits.timeout, .cpu = state.limits.cpu, .fuel = state.limits.fuel};
  return &local;
}

// The options of an instance that can be stopped from its first instruction on.
engine::InstanceOptions Stoppable(const engine::InstanceOptions& options) {
  engine::InstanceOptions stoppable = options;
  stoppable.interrupter = engine::Interrupter::Make();
  return stoppable;
}

// Runs the guest in a fresh instance, with everything that can be known of it put into the report.
Status RunAdmitted(const Plugin::State& state, const engine::InstanceOptions& options, const CallOptions& call,
                   const BoundAction& action, std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output,
                   const engine::CallLimits& limits, CallReport& report) {
  if (state.native != nullptr) {
    NativeCall native{.options = &options, .limits = limits, .call_id = report.call_id};
    if (call.handle) native.stopped = [handle = call.handle] { return handle->interrupted(); };
    native.terminal = call.terminal.get();
    return state.native->Run(native, state.channel, report);
  }
  CORDON_ASSIGN(const bool shares, SharesInstance(state, call));
  const auto once = [&](const engine::CallLimits& of) {
    if (shares) return CallShared(state, call, action, input, output, of, report);
    return engine::CallOnce(state.linked, options, state.channel, action.binding.function, input, output, of,
                            report.call_id, {&report.usage, &report.stdout_text, &report.stderr_text});
  };
  const MonotonicTime began = std::chrono::steady_clock::now();
  Status outcome = once(limits);
  if (outcome || outcome.error().code != Code::kWorkerLost || !action.idempotent) return outcome;
  // Nothing but the worker is known to have failed. Once more, within the same time.
  engine::CallLimits left = limits;
  left.wall -= std::chrono::steady_clock::now() - began;
  if (left.wall <= Duration(0)) return outcome;
  return once(left);
}

Status RunOnce(const Plugin::State& state, const engine::InstanceOptions& options, const CallOptions& call,
               const BoundAction& action, std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output,
               const engine::CallLimits& limits, CallReport& report) {
  return Admitted(
      state, call, Admission::For::kCall, limits,
      [&](const engine::CallLimits& within) {
        return RunAdmitted(state, options, call, action, input, output, within, report);
      },
      [&] { return report.usage.cpu; });
}

Status CheckSchema(const std::optional<Schema>& schema, std::string_view json, Code code, std::string_view what) {
  if (!schema) return {};
  const std::vector<SchemaViolation> violations = schema->CheckText(json);
  if (violations.empty()) return {};
  return Fail(SchemaError(code, what, violations));
}

engine::CallLimits LimitsFor(const engine::CallLimits& limits, const CallOptions& options) {
  engine::CallLimits narrowed = limits;
  if (options.timeout) narrowed.wall = std::min(narrowed.wall, *options.timeout);
  return narrowed;
}

bool IsOpen(const Plugin::State& state, const CallOptions& options) {
  return state.host->options.kill_switch != nullptr && options.kill == CallOptions::Switch::kOpen;
}

// Makes a call that the kill switch can stop; `call` is given the options for it.
template <typename Call>
Status UnderSwitch(const Plugin::State& state, std::string_view action, const CallOptions& options, Call&& call) {
  auto running = state.host->options.kill_switch->Enter(options.handle, state.standing);
  if (!running) {
    CallScope scope(state, options.call_id, options);
    return scope.Settle(Fail(std::move(running).error()), action, {}, CallScope::Account::kOwn);
  }
  CallOptions entered = options;
  entered.handle = running->handle();
  entered.kill = CallOptions::Switch::kEntered;
  return running->Judge(call(entered));
}

}  // namespace

const engine::InstanceOptions& Plugin::OptionsOf(const CallOptions& options, engine::InstanceOptions& own) const {
  const engine::InstanceOptions& all = state_->instance;
  const bool is_plain = options.stdin_bytes.empty() && options.principal.tenant.empty();
  if (!options.handle && is_plain && options.passed == policy::KindSet::All()) return all;
  own = options.handle ? Stoppable(all) : all;
  if (options.handle) options.handle->Watch(own.interrupter);
  own.stdin_bytes = options.stdin_bytes;
  own.tenant = options.principal.tenant;
  // What an instance is given without asking the guard.
  if (!options.passed.Has(policy::Kind::kFiles)) own.preopens.clear();
  if (!options.passed.Has(policy::Kind::kEnvironment)) own.environment.clear();
  if (!options.passed.Has(policy::Kind::kArguments)) own.arguments.clear();
  return own;
}

std::uint64_t Plugin::NextCallId(std::uint64_t count) const { return state_->host->NextCallId(count); }

Status Plugin::CallIn(std::string_view action_name, std::string_view input_json, const CallOptions& options,
                      CallReport& report, const RunGuest& run) const {
  if (state_->linked == nullptr && state_->native == nullptr) return Fail(NotLoadedToRun());
  report = CallReport{};
  report.call_id = options.call_id != 0 ? options.call_id : NextCallId();
  CallScope scope(*state_, report.call_id, options);
  Status outcome = Answer(scope, action_name, input_json, options, report, run);
  const bool own = state_->calls.Admits();
  return scope.Settle(std::move(outcome), action_name, report.usage,
                      own ? CallScope::Account::kOwn : CallScope::Account::kTally);
}

// Everything between the question and the answer: whatever of it fails is what the record says of the call.
Status Plugin::Answer(CallScope& scope, std::string_view action_name, std::string_view input_json,
                      const CallOptions& options, CallReport& report, const RunGuest& run) const {
  const auto digest = [](std::string_view text) { return Digest::Of(text).ToString(); };
  if (scope.wants_digests()) scope.input_digest = digest(input_json);
  BoundAction local;
  CORDON_TRY(state_->CheckStanding());
  CORDON_ASSIGN(const BoundAction* action, FindAction(*state_, action_name, local));
  if (action->command) return Fail(OwnInstance(action_name));
  if (input_json.size() > state_->limits.input.count) {
    return Fail(SizeError(Code::kInputSize, "input", input_json.size(), state_->limits.input));
  }
  const bool raw = options.form == CallOptions::Form::kBytes;
  if (!raw) CORDON_TRY(CheckSchema(action->input, input_json, Code::kInputSchema, "input"));
  std::vector<std::uint8_t> input, output;
  CORDON_TRY(raw ? state_->abi->LowerRaw(action->binding, input_json, input)
                 : state_->abi->Lower(action->binding, input_json, input));
  CORDON_TRY(services::CheckPrincipal(options.principal));
  CORDON_TRY(run(*action, input, output, LimitsFor(action->limits, options)));
  CORDON_ASSIGN(abi::Outcome answer,
                raw ? state_->abi->LiftRaw(action->binding, output) : state_->abi->Lift(action->binding, output));
  if (answer.json.size() > state_->limits.output.count) {
    return Fail(SizeError(Code::kOutputSize, "output", answer.json.size(), state_->limits.output));
  }
  if (!raw) CORDON_TRY(CheckSchema(action->output, answer.json, Code::kOutputSchema, "output"));
  if (scope.wants_digests()) scope.output_digest = digest(answer.json);
  report.output = std::move(answer.json);
  report.answered_with_error = answer.answer == abi::Outcome::Answer::kPluginError;
  return {};
}

Status Plugin::Call(std::string_view action_name, std::string_view input_json, const CallOptions& options,
                    CallReport& report) const {
  if (IsOpen(*state_, options)) [[unlikely]] {
    return UnderSwitch(*state_, action_name, options,
                       [&](const CallOptions& entered) { return Call(action_name, input_json, entered, report); });
  }
  if (const auto found = state_->actions.find(action_name); found != state_->actions.end() && found->second.command) {
    return CallCommand(action_name, found->second, input_json, options, report);
  }
  engine::InstanceOptions own;
  const engine::InstanceOptions& instance_options = OptionsOf(options, own);
  const auto run = [&](const BoundAction& action, std::span<const std::uint8_t> input,
                       std::vector<std::uint8_t>& output, const engine::CallLimits& limits) {
    return RunOnce(*state_, instance_options, options, action, input, output, limits, report);
  };
  if (state_->resident == nullptr) return CallIn(action_name, input_json, options, report, run);
  if (const auto next = SuccessorOf(*state_)) return next->Call(action_name, input_json, options, report);
  Status outcome = CallIn(action_name, input_json, options, report, run);
  return Degrade(*state_, action_name, input_json, options, std::move(outcome), report);
}

Status Plugin::CallCommand(std::string_view action_name, const BoundAction& action, std::string_view input_json,
                           const CallOptions& options, CallReport& report) const {
  report = CallReport{};
  report.call_id = options.call_id != 0 ? options.call_id : NextCallId();
  CallScope scope(*state_, report.call_id, options);
  const auto run = [&]() -> Status {
    if (scope.wants_digests()) scope.input_digest = Digest::Of(input_json).ToString();
    CORDON_TRY(state_->CheckStanding());
    if (input_json.size() > state_->limits.input.count) {
      return Fail(SizeError(Code::kInputSize, "input", input_json.size(), state_->limits.input));
    }
    CORDON_TRY(CheckSchema(action.input, input_json, Code::kInputSchema, "input"));
    CORDON_ASSIGN(CommandInput given, CommandInputOf(*action.command, input_json));
    CORDON_TRY(services::CheckPrincipal(options.principal));
    engine::InstanceOptions own;
    if (const auto& base = OptionsOf(options, own); &base != &own) own = base;
    own.arguments = std::move(given.arguments);
    own.arguments.insert(own.arguments.begin(), CommandName(state_->source.name));
    if (action.command->standard_input != manifest::CommandShape::Stdin::kNone) own.stdin_bytes = given.stdin_bytes;
    // What it writes is the output.
    own.limits.stdout_bytes = state_->limits.output.count;
    std::vector<std::uint8_t> wire;
    Status done = RunOnce(*state_, own, options, action, {}, wire, LimitsFor(action.limits, options), report);
    CORDON_TRY(SettleExit(std::move(done), wire, report));
    const std::size_t written = report.stdout_text.size() + report.usage.stdout_dropped_bytes;
    if (written > state_->limits.output.count) {
      return Fail(SizeError(Code::kOutputSize, "output", written, state_->limits.output));
    }
    CORDON_ASSIGN(std::string output, CommandOutputOf(*action.command, report.stdout_text));
    CORDON_TRY(CheckSchema(action.output, output, Code::kOutputSchema, "output"));
    if (scope.wants_digests()) scope.output_digest = Digest::Of(output).ToString();
    report.output = std::move(output);
    report.stdout_text.clear();
    return {};
  };
  const bool own_record = state_->calls.Admits();
  return scope.Settle(run(), action_name, report.usage,
                      own_record ? CallScope::Account::kOwn : CallScope::Account::kTally);
}

bool Plugin::is_command() const {
  return state_->abi_kind == manifest::Abi::kNative || abi::CommandEntry(*state_->contract).has_value();
}

Status Plugin::RunCommand(const CommandCall& command, const CallOptions& options, CallReport& report) const {
  const bool is_native = state_->native != nullptr;
  if (state_->linked == nullptr && !is_native) return Fail(NotLoadedToRun());
  const auto entry = abi::CommandEntry(*state_->contract);
  if (!entry && !is_native) return Fail(abi::NoCommand(state_->source.name));
  const std::string name = is_native ? std::string(kNativeEntry) : entry->ToString();
  if (IsOpen(*state_, options)) [[unlikely]] {
    return UnderSwitch(*state_, name, options,
                       [&](const CallOptions& entered) { return RunCommand(command, entered, report); });
  }
  report = CallReport{};
  report.call_id = options.call_id != 0 ? options.call_id : NextCallId();
  CallScope scope(*state_, report.call_id, options);
  engine::InstanceOptions own;
  if (const auto& given = OptionsOf(options, own); &given != &own) own = given;
  own.streams = command.streams;
  if (command.output == CommandCall::Output::kUnlimited) own.limits.stdout_bytes = UINT64_MAX;
  own.arguments.insert(own.arguments.begin(), CommandName(state_->source.name));
  const auto run = [&]() -> Status {
    CORDON_TRY(state_->CheckStanding());
    CORDON_TRY(services::CheckPrincipal(options.principal));
    BoundAction action;
    if (!is_native) {
      CORDON_ASSIGN(action.binding, state_->abi->Bind(*state_->linked, name));
    }
    const engine::CallLimits limits = {
        .wall = state_->limits.timeout, .cpu = state_->limits.cpu, .fuel = state_->limits.fuel};
    std::vector<std::uint8_t> output;
    Status done = RunOnce(*state_, own, options, action, {}, output, LimitsFor(limits, options), report);
    return SettleExit(std::move(done), output, report);
  };
  return scope.Settle(run(), name, report.usage, CallScope::Account::kOwn);
}

Status Plugin::CallIn(engine::Instance& instance, std::string_view action_name, std::string_view input_json,
                      const CallOptions& options, CallReport& report) const {
  if (IsOpen(*state_, options)) [[unlikely]] {
    return UnderSwitch(*state_, action_name, options, [&](const CallOptions& entered) {
      return CallIn(instance, action_name, input_json, entered, report);
    });
  }
  const engine::Usage before = instance.usage();
  const auto run = [&](const BoundAction& action, std::span<const std::uint8_t> input,
                       std::vector<std::uint8_t>& output, const engine::CallLimits& limits) {
    if (options.handle) options.handle->Watch(instance.interrupter());
    Status done = Admitted(
        *state_, options, Admission::For::kCallInInstance, limits,
        [&](const engine::CallLimits& within) {
          return instance.Call(action.binding.function, input, output, within, report.call_id);
        },
        [&] { return engine::UsageSince(before, instance.usage()).cpu; });
    report.usage = engine::UsageSince(before, instance.usage());
    report.stdout_text = instance.TakeStdout();
    report.stderr_text = instance.TakeStderr();
    return done;
  };
  return CallIn(action_name, input_json, options, report, run);
}

Result<Plugin::Target> Plugin::FindTarget(std::string_view name) const {
  if (state_->linked == nullptr) return Fail(NothingLinked(*state_));
  Target target;
  target.limits = {.wall = state_->limits.timeout, .cpu = state_->limits.cpu, .fuel = state_->limits.fuel};
  target.input_bytes_max = state_->limits.input.count;
  abi::Binding binding;
  if (const auto found = state_->actions.find(name); found != state_->actions.end()) {
    if (found->second.command) return Fail(OwnInstance(name));
    binding = found->second.binding;
    target.limits = found->second.limits;
  } else {
    CORDON_ASSIGN(binding, state_->abi->Bind(*state_->linked, name));
  }
  target.function = binding.function;
  target.shape = abi::FunctionShape(*state_->contract, *binding.target.function);
  target.export_name = binding.target.ToString();
  return target;
}

Status Plugin::CheckInput(engine::Pieces input) const {
  std::size_t size = 0;
  for (const std::span<const std::uint8_t> piece : input) size += piece.size();
  if (size > state_->limits.input.count) {
    return Fail(SizeError(Code::kInputSize, "input", size, state_->limits.input));
  }
  return {};
}

Status Plugin::State::Count(std::uint64_t count, Duration total) const {
  meter->CountCalls(count, total);
  if (detail != policy::AuditDetail::kCalls) return {};  // none is recorded, or each has been
  const CallCounter::Group group = calls.Add(count, static_cast<std::uint64_t>(total.count()));
  if (group.count == 0) return {};
  return observer().OnCalls({source.name, source.digest.ToString(), "", group.count, 0, Duration(group.total_ns)});
}

Status Plugin::CountCalls(std::uint64_t count, Duration total) const { return state_->Count(count, total); }

Status Plugin::CallTarget(const Target& target, engine::Pieces input, engine::ResultSink& sink,
                          const CallOptions& options) const {
  if (IsOpen(*state_, options)) [[unlikely]] {
    return UnderSwitch(*state_, target.export_name, options,
                       [&](const CallOptions& entered) { return CallTarget(target, input, sink, entered); });
  }
  if (state_->linked == nullptr) return Fail(NothingLinked(*state_));
  const std::uint64_t id = options.call_id != 0 ? options.call_id : NextCallId();
  CallScope scope(*state_, id, options);
  engine::Usage usage;
  if (!scope.wants_digests()) [[likely]] {
    return scope.Settle(RunTarget(target, input, sink, options, id, usage), target.export_name, usage,
                        CallScope::Account::kTally);
  }
  scope.input_digest = DigestOf(input);
  DigestingSink digesting(sink, scope.output_digest);
  return scope.Settle(RunTarget(target, input, digesting, options, id, usage), target.export_name, usage,
                      CallScope::Account::kTally);
}

Status Plugin::RunTarget(const Target& target, engine::Pieces input, engine::ResultSink& sink,
                         const CallOptions& options, std::uint64_t call_id, engine::Usage& usage) const {
  CORDON_TRY(state_->CheckStanding());
  CORDON_TRY(CheckInput(input));
  CORDON_TRY(services::CheckPrincipal(options.principal));
  const engine::CallLimits limits = LimitsFor(target.limits, options);
  if (state_->kept != nullptr) [[unlikely]] {
    CORDON_ASSIGN(const bool shares, SharesInstance(*state_, options));
    if (shares) {
      const auto shared = [&](const engine::CallLimits& within) {
        return state_->kept->Call({.function = target.function,
                                   .input = input,
                                   .sink = sink,
                                   .limits = within,
                                   .own_wall = target.limits.wall,
                                   .call_id = call_id,
                                   .traces = {.usage = &usage},
                                   .handle = options.handle.get()});
      };
      return Admitted(*state_, options, Admission::For::kCall, limits, shared, [&] { return usage.cpu; });
    }
  }
  const auto call = [&](const engine::InstanceOptions& instance) {
    return Admitted(
        *state_, options, Admission::For::kCall, limits,
        [&](const engine::CallLimits& within) {
          return engine::CallOnce(state_->linked, instance, state_->channel, target.function, input, sink, within,
                                  call_id, {.usage = &usage, .out = nullptr, .err = nullptr});
        },
        [&] { return usage.cpu; });
  };
  engine::InstanceOptions own;
  return call(OptionsOf(options, own));
}

Status Plugin::CallTargetIn(engine::Instance& instance, const Target& target, engine::Pieces input,
                            engine::ResultSink& sink, const CallOptions& options, std::uint64_t call_id) const {
  if (IsOpen(*state_, options)) [[unlikely]] {
    return UnderSwitch(*state_, target.export_name, options, [&](const CallOptions& entered) {
      return CallTargetIn(instance, target, input, sink, entered, call_id);
    });
  }
  CallScope scope(*state_, call_id, options);
  if (options.handle) options.handle->Watch(instance.interrupter());
  const auto run = [&](engine::ResultSink& to) -> Status {
    CORDON_TRY(state_->CheckStanding());
    CORDON_TRY(CheckInput(input));
    CORDON_TRY(services::CheckPrincipal(options.principal));
    const engine::CallLimits limits = LimitsFor(target.limits, options);
    if (state_->enforcer == nullptr) return instance.Call(target.function, input, to, limits, call_id);
    const Duration before = instance.usage().cpu;
    return Admitted(
        *state_, options, Admission::For::kCallInInstance, limits,
        [&](const engine::CallLimits& within) { return instance.Call(target.function, input, to, within, call_id); },
        [&] { return instance.usage().cpu - before; });
  };
  const auto settle = [&](Status outcome) {
    return scope.Settle(std::move(outcome), target.export_name, engine::Usage{}, CallScope::Account::kByOwner);
  };
  if (!scope.wants_digests()) return settle(run(sink));
  scope.input_digest = DigestOf(input);
  DigestingSink digesting(sink, scope.output_digest);
  return settle(run(digesting));
}

Status Plugin::CallTargetIn(engine::Instance& instance, const Target& target, engine::Pieces input,
                            engine::ResultSink& sink, std::uint64_t call_id) const {
  if (!state_->is_plain.load(std::memory_order_relaxed)) [[unlikely]] {
    return CallTargetIn(instance, target, input, sink, CallOptions{}, call_id);
  }
  std::size_t size = 0;
  for (const auto& piece : input) size += piece.size();
  const bool fits = size <= target.input_bytes_max;
  Status outcome = fits ? instance.Call(target.function, input, sink, target.limits, call_id) : CheckInput(input);
  if (outcome) [[likely]]
    return outcome;
  const CallOptions none;
  return CallScope(*state_, call_id, none)
      .Settle(std::move(outcome), target.export_name, engine::Usage{}, CallScope::Account::kByOwner);
}

Result<engine::Function> Plugin::Resolve(std::string_view action) const {
  BoundAction local;
  CORDON_ASSIGN(const BoundAction* found, FindAction(*state_, action, local));
  return found->binding.function;
}

Status Plugin::CallRaw(const engine::Function& function, std::span<const std::uint8_t> input,
                       std::vector<std::uint8_t>& output, const CallOptions& options) const {
  if (state_->linked == nullptr) return Fail(NothingLinked(*state_));
  CORDON_TRY(state_->CheckStanding());
  engine::CallLimits limits = {.wall = state_->limits.timeout, .cpu = state_->limits.cpu, .fuel = state_->limits.fuel};
  if (options.timeout) limits.wall = std::min(limits.wall, *options.timeout);
  const std::uint64_t id = options.call_id != 0 ? options.call_id : NextCallId();
  engine::Usage usage;
  CallScope scope(*state_, id, options);
  const auto run = [&](const engine::CallLimits& within) -> Status {
    CORDON_ASSIGN(const bool shares, SharesInstance(*state_, options));
    if (!shares) {
      return engine::CallOnce(state_->linked, state_->instance, state_->channel, function, input, output, within, id,
                              {.usage = &usage, .out = nullptr, .err = nullptr});
    }
    BytesSink sink(output);
    return state_->kept->Call({.function = function,
                               .input = engine::Pieces(&input, 1),
                               .sink = sink,
                               .limits = within,
                               .call_id = id,
                               .traces = {.usage = &usage},
                               .handle = options.handle.get()});
  };
  Status outcome = Admitted(*state_, options, Admission::For::kCall, limits, run, [&] { return usage.cpu; });
  return scope.Settle(std::move(outcome), "", usage, CallScope::Account::kTally);
}

Result<engine::Instance> Plugin::NewInstance(const CallOptions& options) const {
  if (state_->ceiling.level() >= policy::Level::kStrict) {
    const std::string level(policy::LevelName(state_->ceiling.level()));
    return Fail(Error(Code::kDenied, "level " + level + " gives each call an instance of its own",
                      "call the plugin itself, or use level default")
                    .With("rule", "ceiling:level-" + level));
  }
  if (state_->resident != nullptr) return Fail(OneInstance(*state_));
  if (state_->enforcer == nullptr) [[likely]]
    return MakeInstance(options);
  auto ticket = state_->enforcer->Admit(Admission::For::kInstance, state_->limits.memory.count);
  if (!ticket) return Fail(services::BusyError(ticket.error()));
  CORDON_ASSIGN(engine::Instance instance, MakeInstance(options));
  state_->enforcer->ChargeCpu(instance.usage().cpu);
  instance.Hold(std::make_shared<services::CallTicket>(std::move(*ticket)));
  return instance;
}

Status Plugin::Prove(const CallOptions& options) const {
  if (state_->native != nullptr) return {};
  CORDON_TRY(MakeInstance(options));
  return {};
}

Result<engine::Instance> Plugin::MakeInstance(const CallOptions& options) const {
  if (state_->linked == nullptr) return Fail(NothingLinked(*state_));
  CORDON_TRY(state_->CheckStanding());
  engine::CallLimits limits = {.wall = state_->limits.timeout, .cpu = state_->limits.cpu, .fuel = state_->limits.fuel};
  if (options.timeout) limits.wall = std::min(limits.wall, *options.timeout);
  KillSwitch* const kill_switch = state_->host->options.kill_switch.get();
  const std::string& tenant = options.principal.tenant;
  if (kill_switch == nullptr && !options.handle && tenant.empty()) [[likely]] {
    return engine::Instance::Create(state_->linked, state_->instance, state_->channel, limits, options.call_id);
  }
  CORDON_TRY(services::CheckPrincipal(options.principal));
  // Its initialisers are the guest's code too.
  engine::InstanceOptions stoppable = Stoppable(state_->instance);
  stoppable.tenant = tenant;
  const auto make = [&](CallHandle& handle) {
    handle.Watch(stoppable.interrupter);
    return engine::Instance::Create(state_->linked, stoppable, state_->channel, limits, options.call_id);
  };
  if (kill_switch == nullptr) {
    CallHandle none;
    return make(options.handle != nullptr ? *options.handle : none);
  }
  CORDON_ASSIGN(const KillSwitch::Running running, kill_switch->Enter(options.handle, state_->standing));
  auto made = make(*running.handle());
  if (made) return made;
  return Fail(running.Judge(Fail(std::move(made).error())).error());
}

}  // namespace cordon::runtime
