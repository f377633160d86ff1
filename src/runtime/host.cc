#include "runtime/host.h"

#include <chrono>
#include <thread>

#include "runtime/kill_switch.h"
#include "runtime/load.h"
#include "runtime/state.h"
#include "services/kv/sqlite_backend.h"
#include "services/memory/sqlite_memory.h"

namespace cordon::runtime {

Result<std::unique_ptr<Host>> Host::Create(HostOptions options) {
  if (options.observer == nullptr || options.log_sink == nullptr) {
    return Fail(Code::kUsage, "a host needs an audit observer and a log sink");
  }
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  state->rules = std::make_shared<const Rules>(Rules{state->options.config, state->options.policies, {}});
  if (state->options.secrets == nullptr) state->options.secrets = std::make_shared<services::NoSecrets>();
  state->options.observer = std::make_shared<MeteredObserver>(std::move(state->options.observer), state->meter);
  if (const policy::Quota& quota = state->options.config.quota; quota.any()) {
    state->quota_in_sum = state->NewAccount("", quota);
  }
  return std::unique_ptr<Host>(new Host(std::move(state)));
}

Host::Host(std::shared_ptr<State> state) : state_(std::move(state)) {}

// Calls of plugins by plugins end when their callers do, but for a moment; their records belong to this host.
Host::~Host() {
  Drain();
  constexpr auto kGrace = std::chrono::seconds(2);
  const MonotonicTime until = std::chrono::steady_clock::now() + kGrace;
  while (state_->tool_calls.load() > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Result<std::shared_ptr<const engine::Engine>> Host::State::EngineFor(const LoadRequest& request,
                                                                     const manifest::Limits& limits,
                                                                     std::uint64_t data_bytes,
                                                                     HostOptions::Placement placement,
                                                                     const manifest::CeilingLimits& ceiling) {
  const bool apart = placement == HostOptions::Placement::kWorkers;
  const bool fuel = limits.fuel.has_value();
  const bool debug = request.debug == LoadRequest::Debug::kOn;
  // Copying this much takes as long as the page faults of mapping it.
  const bool copy = data_bytes <= (32u << 10);
  const std::lock_guard lock(mutex);
  bool checks = options.traps == engine::EngineOptions::Traps::kChecks;
  if (apart) {
    checks = false;  // a worker's handlers are its own
  } else if (!checks && engine::HandlersReplaced()) {
    // Somebody put handlers over the engine's, and whether they pass signals on cannot be seen: what is loaded from now
    // on does without.
    checks = true;
    audit::Record note;
    note.event = audit::Event::kNote;
    note.note = "the handlers of SIGSEGV, SIGILL or SIGFPE were replaced: plugins loaded now check by themselves";
    CORDON_TRY(options.observer->On(note));
  }
  auto& engine = engines[{fuel, debug, checks, copy, apart}];
  const auto fits = [&](const engine::EngineOptions& made) {
    return made.max_memory_bytes == ceiling.memory.count && made.max_table_elements == ceiling.tables &&
           made.stack_bytes == ceiling.stack.count;
  };
  if (engine != nullptr && !fits(engine->options())) {  // the operator changed a ceiling: plugins keep theirs
    kernels.erase(engine.get());
    engine = nullptr;
  }
  if (engine == nullptr) {
    CORDON_ASSIGN(
        engine, engine::Engine::Create({
                    .fuel = fuel,
                    .debug = debug,
                    .max_memory_bytes = ceiling.memory.count,
                    // A worker runs one call at a time; here it is only known what to compile for.
                    .max_instances = apart ? 2 : options.max_instances,
                    .max_table_elements = ceiling.tables,
                    .stack_bytes = static_cast<std::uint32_t>(ceiling.stack.count),
                    .address_space = options.address_space,
                    .traps = checks ? engine::EngineOptions::Traps::kChecks : engine::EngineOptions::Traps::kSignals,
                    .data = copy ? engine::EngineOptions::Segments::kCopied : engine::EngineOptions::Segments::kMapped,
                    .stops = apart ? engine::EngineOptions::Stops::kNone : engine::EngineOptions::Stops::kChecks,
                }));
  }
  return engine;
}

std::shared_ptr<const Rules> Host::State::RulesNow() {
  const std::lock_guard lock(mutex);
  return rules;
}

std::shared_ptr<services::QuotaAccount> Host::State::QuotaInSum() {
  const std::lock_guard lock(mutex);
  return quota_in_sum;
}

void Host::State::Restrict(const Plugin& plugin, const Rules& by) const {
  Plugin::State& state = *plugin.state_;
  if (state.standing == nullptr) return;
  state.is_plain.store(false, std::memory_order_relaxed);
  if (!IsForAllTenants(by, state.source.name)) state.serves_all_tenants = false;
  if (state.enforcer != nullptr && state.enforcer->own() != nullptr) {
    manifest::Limits limits;
    manifest::AddQuota(state.source.manifest ? &*state.source.manifest : nullptr, by.config, state.source.name, limits);
    state.enforcer->own()->SetQuota(limits.quota);
  }
  policy::Ceiling ceiling = CeilingOf(by, state.ceiling_subject);
  if (Status enabled = CheckEnabled(by, state.source.name); !enabled) state.standing->End(std::move(enabled).error());
  if (Status may = ceiling.CheckRunnable(); !may) state.standing->End(std::move(may).error());
  state.standing->Restrict(std::move(ceiling));
}

Result<std::shared_ptr<worker::Keeper>> Host::State::Workers() {
  const std::lock_guard lock(mutex);
  if (keeper != nullptr) return keeper;
  if (options.no_worker) return Fail(*options.no_worker);
  if (options.worker.empty()) {
    return Fail(Code::kUnavailable, "this host has no program for workers", "name cordon-worker");
  }
  CORDON_ASSIGN(keeper, worker::Keeper::Start(options.worker));
  return keeper;
}

std::shared_ptr<groups::Home> Host::State::Groups() {
  const std::lock_guard lock(mutex);
  if (!std::exchange(looked_for_groups, true)) groups = groups::Home::Make();
  return groups;
}

Result<std::shared_ptr<services::KvBackend>> Host::State::Storage() {
  const std::lock_guard lock(mutex);
  if (storage == nullptr) {
    if (options.open_storage) {
      CORDON_ASSIGN(storage, options.open_storage());
    } else {
      CORDON_ASSIGN(storage, services::SqliteBackend::InMemory());
    }
  }
  return storage;
}

Result<std::shared_ptr<Memory>> Host::State::Memories() {
  const std::lock_guard lock(mutex);
  if (memory == nullptr) {
    CORDON_ASSIGN(memory, options.open_memory ? options.open_memory() : services::SqliteMemory::InMemory());
  }
  return memory;
}

services::QueueLimits Host::LimitsOf(const manifest::MessagingConfig& config) {
  return {config.messages, config.bytes.count, config.attempts};
}

Result<std::shared_ptr<services::MessageQueue>> Host::State::Messages() {
  const std::lock_guard lock(mutex);
  if (messages == nullptr) {
    const services::QueueLimits limits = Host::LimitsOf(rules->config.messaging);
    CORDON_ASSIGN(messages,
                  options.open_messages ? options.open_messages(limits) : services::MessageQueue::InMemory(limits));
  }
  return messages;
}

Result<std::shared_ptr<services::Tally>> Host::State::DiskTally() {
  const std::lock_guard lock(mutex);
  if (tally == nullptr) {
    if (!options.open_tally) {
      return Fail(Code::kUnenforceable, "a grant on disk is counted, and this host has no state folder to count in",
                  "set HostOptions::state_folder, or grant it without uses, rate and bytes");
    }
    CORDON_ASSIGN(tally, options.open_tally());
  }
  return tally;
}

Result<std::shared_ptr<services::MessageQueue>> Host::Messages() const { return state_->Messages(); }

std::string Host::Metrics() const {
  const HostOptions& options = state_->options;
  Meter::Now now;
  now.plugins_on = options.kill_switch == nullptr || options.kill_switch->Check().has_value();
  if (options.spans != nullptr) {
    const SpanSink::Counts counts = options.spans->counts();
    if (options.spans->wanted() || counts.taken != 0) now.spans = counts;
  }
  if (const auto sum = state_->QuotaInSum()) now.quotas.emplace_back("", sum->Usage());
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [plugin, account] : state_->quotas) now.quotas.emplace_back(plugin, account->Usage());
  }
  return state_->meter->Text(now);
}

Result<std::shared_ptr<const Plugin>> Host::Load(const LoadRequest& request) {
  Loader loader(state_, request);
  CORDON_ASSIGN(std::unique_ptr<Plugin::State> state, loader.Run());
  // One that is loaded to be recorded or replayed must not take the place of the one that others call.
  const bool callable = request.purpose == LoadRequest::Purpose::kRun && state->source.manifest.has_value() &&
                        request.recorder == nullptr && request.replayer == nullptr;
  std::shared_ptr<const Plugin> plugin(new Plugin(std::move(state)));
  if (request.purpose == LoadRequest::Purpose::kRun) {
    std::shared_ptr<const Rules> now;
    {
      const std::lock_guard lock(state_->mutex);
      std::erase_if(state_->living, [](const auto& one) { return one.expired(); });
      state_->living.push_back(plugin);
      now = state_->rules;
    }
    // The operator's files may have changed while it was compiled.
    if (now != loader.rules()) {
      state_->Restrict(*plugin, *now);
      state_->EndMisplaced(*plugin, *now);
    }
  }
  if (callable && request.publication == LoadRequest::Publication::kAtOnce) state_->AddCallable(plugin);
  return plugin;
}

void Host::Publish(const std::shared_ptr<const Plugin>& plugin, const Plugin* before) {
  if (plugin->manifest() == nullptr) return;
  const std::shared_ptr<const Plugin> there = state_->FindCallable(plugin->name());
  if (there == nullptr || before == nullptr || there.get() == before) state_->AddCallable(plugin);
}

std::shared_ptr<const Rules> Host::rules() const { return state_->RulesNow(); }

void Host::Hold(std::optional<std::string> why) {
  if (state_->options.kill_switch != nullptr) state_->options.kill_switch->Hold(std::move(why));
}

Status Host::Tell(const audit::Record& record) const { return state_->options.observer->On(record); }

std::vector<std::shared_ptr<const Plugin>> Host::State::Living() {
  std::vector<std::shared_ptr<const Plugin>> found;
  const std::lock_guard lock(mutex);
  for (const auto& one : living) {
    if (auto plugin = one.lock()) found.push_back(std::move(plugin));
  }
  return found;
}

void Host::Adopt(Rules rules) {
  const auto now = std::make_shared<const Rules>(std::move(rules));
  {
    const std::lock_guard lock(state_->mutex);
    state_->rules = now;
    if (state_->messages != nullptr) state_->messages->SetLimits(LimitsOf(now->config.messaging));
    if (state_->quota_in_sum == nullptr && now->config.quota.any()) {
      state_->quota_in_sum = state_->NewAccount("", now->config.quota);
    }
  }
  if (const auto sum = state_->QuotaInSum()) sum->SetQuota(now->config.quota);
  for (const auto& plugin : state_->Living()) state_->Restrict(*plugin, *now);
}

void Host::State::EndMisplaced(const Plugin& plugin, const Rules& by) {
  const Plugin::State& state = *plugin.state_;
  if (state.standing == nullptr || plugin.retired() || state.placement == HostOptions::Placement::kWorkers) return;
  const policy::Level level = CeilingOf(by, state.ceiling_subject).level();
  if (state.native != nullptr || ApartBy(by, state.source.name, level).empty()) return;
  state.standing->End(
      Error(Code::kDenied, state.source.name + " runs in this process, and is to have one of its own", "load it again")
          .With("rule", "isolation"));
}

void Host::EndMisplaced() {
  const std::shared_ptr<const Rules> now = rules();
  for (const auto& plugin : state_->Living()) State::EndMisplaced(*plugin, *now);
}

}  // namespace cordon::runtime
