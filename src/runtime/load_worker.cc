// Plugins that run in processes of their own (src/worker): the same plan, linked there.
#include <algorithm>

#include "engine/code_cache.h"
#include "runtime/load.h"
#include "runtime/meter.h"
#include "worker/pool.h"

namespace cordon::runtime {
namespace {

// Of a worker, beside what its guest may use: stacks of threads, results on their way, tables of the engine.
constexpr std::uint64_t kOwnBytes = 256ull << 20;
// Of that, what is in use at once.
#ifdef CORDON_SANITIZED  // what was freed stays in use for long
constexpr std::uint64_t kOwnResidentBytes = 1ull << 30;
#else
constexpr std::uint64_t kOwnResidentBytes = 64ull << 20;
#endif

// Of one worker at once. The host has a descriptor for each, too.
constexpr std::uint32_t kSocketsMax = 64;

}  // namespace

// Whatever is demanded holds before what the embedding program chose; a native program has its own way of being apart.
void Loader::DecidePlace() {
  Place& place = plugin_->place;
  const std::string_view apart = ApartBy(*rules_, plugin_->source.name, plugin_->ceiling.level());
  const bool in_workers = host_.options.placement == HostOptions::Placement::kWorkers || !apart.empty();
  plugin_->placement = in_workers ? HostOptions::Placement::kWorkers : HostOptions::Placement::kHere;
  place.where = in_workers ? "worker" : "in-process";
  place.rule = in_workers && !apart.empty() ? apart : "host";
  if (plugin_->abi_kind == manifest::Abi::kNative) {
    place = {"bubblewrap", "abi:native"};
  } else if (rules_->config.isolation.Isolates(plugin_->source.name) && place.rule.starts_with("plugins.")) {
    using Backend = manifest::IsolationConfig::Backend;
    const Backend backend = rules_->config.isolation.backend;
    if (backend != Backend::kInProcess) place.where = manifest::BackendName(backend);
  }
}

Result<UniqueFd> Loader::SealedCode(const engine::Engine& engine, std::span<const std::uint8_t> wasm,
                                    const Digest& digest) {
  const auto& cache = host_.options.code_cache;
  if (cache != nullptr) {
    const auto refused = [this](engine::CodeCache::Refusal refusal, const std::string& entry, std::string_view why) {
      AuditRefusedCode(refusal, entry, why);
    };
    UniqueFd code = cache->FindSealed(engine, digest, refused);
    CORDON_TRY(cache_audit_);
    if (code) return code;
  }
  Stage("compiling");
  CORDON_ASSIGN(const engine::Precompiled made, MakeCode(engine, wasm));
  if (cache != nullptr) {
    const auto not_kept = [this](const std::string& entry, std::string_view why) { AuditCodeNotKept(entry, why); };
    cache->Keep(engine, digest, made.code, not_kept);
    CORDON_TRY(cache_audit_);
  }
  return engine::Sealed(made.code);
}

// A backend that this build does not have runs nothing; a plugin that must be isolated never runs in a weaker one.
Status Loader::CheckBackend() const {
  using Backend = manifest::IsolationConfig::Backend;
  const manifest::IsolationConfig& isolation = rules_->config.isolation;
  if (!isolation.Isolates(plugin_->source.name)) return {};
  if (isolation.backend == Backend::kWorker || isolation.backend == Backend::kInProcess) return {};
  const std::string name(manifest::BackendName(isolation.backend));
  return Fail(Error(Code::kUnavailable,
                    plugin_->source.name + " is to run in the backend '" + name + "', which this build does not have",
                    "set plugins.isolation.backend: worker")
                  .With("backend", name));
}

Status Loader::CompileForWorkers() {
  CORDON_TRY(CheckBackend());
  const policy::Authority& authority = plugin_->authority;
  worker::PoolOptions pool;
  if (authority.Allows(policy::Kind::kSockets)) pool.sockets = kSocketsMax;
  if (authority.Allows(policy::Kind::kHttp) || authority.Allows(policy::Kind::kSockets)) {
    CORDON_TRY(OpenNetwork());
    CORDON_ASSIGN(pool.ways, engine::Ways::Create(plugin_->instance.network));
  }
  CORDON_ASSIGN(pool.keeper, host_.Workers());
  CORDON_ASSIGN(auto engine, host_.EngineFor(request_, plugin_->limits, plugin_->contract->data_bytes,
                                             HostOptions::Placement::kWorkers, rules_->config.limits));
  CORDON_ASSIGN(UniqueFd code, SealedCode(*engine, plugin_->source.wasm(), plugin_->source.digest));
  pool.codes.push_back(std::move(code));
  if (plugin_->abi_kind == manifest::Abi::kExtism) {
    const std::vector<std::uint8_t> kernel = engine::ExtismKernel();
    CORDON_ASSIGN(UniqueFd kernel_code, SealedCode(*engine, kernel, Digest::Of(kernel)));
    pool.codes.push_back(std::move(kernel_code));
    pool.set_up.libraries.emplace_back(engine::kExtismKernel);
    for (const Source::Library& library : plugin_->source.libraries) {
      CORDON_ASSIGN(UniqueFd other, SealedCode(*engine, library.wasm(), library.digest));
      pool.codes.push_back(std::move(other));
      pool.set_up.libraries.push_back(library.name);
    }
  }
  Stage("linking");
  CORDON_ASSIGN(pool.set_up.link, LinkOf());
  pool.set_up.engine = engine->options();
  for (const OpenFolder& folder : plugin_->folders) {
    pool.folders.push_back({folder.fd.get(), folder.access == policy::Access::kWrite});
  }
  const manifest::Limits& limits = plugin_->limits;
  const manifest::WorkersConfig& workers = rules_->config.isolation.workers;
  pool.workers_max = std::min(host_.options.max_instances, workers.most.value_or(host_.options.max_instances));
  pool.idle_max = workers.idle;
  pool.calls_max = workers.calls;
  pool.age_max = workers.age;
  pool.growth_max = workers.growth.count;
  pool.on_retired = [meter = plugin_->meter](worker::Retirement why) {
    meter->CountRetired(worker::RetirementName(why));
  };
  pool.output_bytes = limits.output.count;
  pool.stream_bytes = limits.stdout_bytes.count;
  const std::uint64_t guest_bytes = limits.memory.count + 2 * (limits.output.count + limits.input.count);
  pool.data_bytes = guest_bytes + kOwnBytes;
  pool.groups = host_.Groups();
  // What a memory begins with is there once for all instances, and once more where it was written to.
  pool.resident_bytes = guest_bytes + plugin_->contract->data_bytes + kOwnResidentBytes;
  pool.files = std::max<std::uint64_t>(limits.handles, 64);
  if (const auto& isolation = rules_->config.isolation; isolation.Isolates(plugin_->source.name)) {
    pool.cpu_max = isolation.max_cpu;
  }
  // Held while it runs, too: elsewhere a share is only looked at between calls.
  if (const auto& share = limits.quota.cpu_share) pool.cpu_max = std::min(*share, pool.cpu_max.value_or(*share));
  if (plugin_->ceiling.level() == policy::Level::kParanoid) pool.demand = worker::PoolOptions::Demand::kAll;
  pool.on_broken = [observer = host_.options.observer,
                    of = plugin_->NewRecord(audit::Event::kNote)](std::string_view what) {
    audit::Record record = of;  // workers of several threads may break rules at once
    record.rule = "worker:protocol";
    record.decision = policy::Verdict::kDeny;
    record.code = Code::kWorkerLost;
    record.note = std::string(what);
    (void)observer->On(record);  // the call fails in any case
  };
  CORDON_ASSIGN(auto started, worker::Pool::Start(std::move(pool)));
  plugin_->linked = engine::Linked::At(std::move(started));
  return {};
}

}  // namespace cordon::runtime
