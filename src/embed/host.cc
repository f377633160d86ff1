#include "cordon/host.h"

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "base/file.h"
#include "base/signals_blocked.h"
#include "base/text.h"
#include "embed/deployment.h"
#include "embed/state.h"
#include "engine/compile_process.h"
#include "policy/grants_file.h"
#include "runtime/find_plugins.h"
#include "runtime/grant_store.h"
#include "runtime/kill_switch.h"
#include "worker/keeper_protocol.h"

namespace cordon {
namespace {

// A host that needs none is not kept from its work by there being none.
void SetUpWorkers(const HostOptions& options, runtime::HostOptions& out) {
  if (options.placement == HostOptions::Placement::kWorkers) out.placement = runtime::HostOptions::Placement::kWorkers;
  const std::filesystem::path beside = options.compiler_path.parent_path() / worker::kProgramName;
  std::error_code failed;
  const bool is_beside =
      options.worker_path.empty() && !options.compiler_path.empty() && std::filesystem::exists(beside, failed);
  auto program = engine::FindProgram(worker::kProgramName, is_beside ? beside : options.worker_path);
  if (program) {
    out.worker = std::move(*program);
  } else {
    out.no_worker = std::move(program).error();
  }
}

// `marks` are of the operator's files; `spans` are what the runtime was given to send them to.
Result<runtime::HostOptions> RuntimeOptions(const HostOptions& options, FileMarks& marks,
                                            std::shared_ptr<telemetry::OtlpExporter>& spans) {
  runtime::HostOptions out;
  CORDON_ASSIGN(embed::OperatorFiles files, embed::ReadOperatorFiles(options, marks));
  out.config = std::move(files.rules.config);
  out.policies = std::move(files.rules.policies);
  out.forbidden_roots = std::move(files.rules.files);
  if (!options.config_file.empty() || !options.state_folder.empty()) {
    const std::filesystem::path file =
        options.state_folder.empty() ? options.state_folder : options.state_folder / runtime::kSwitchFile;
    out.kill_switch = runtime::KillSwitch::Make(file, std::move(files.held));
  }
  if (!options.grants_file.empty()) {
    auto store = std::make_shared<const runtime::GrantStore>(runtime::GrantStore::OfFile(options.grants_file));
    // What cannot be read is an error now; later it grants nothing.
    CORDON_TRY(ReadFile(options.grants_file, policy::kGrantsBytesMax));
    CORDON_TRY(store->Read());
    out.grants = std::move(store);
    out.forbidden_roots.push_back(options.grants_file);
  }
  // A file that says nothing of a collector now may name one later.
  if (!options.config_file.empty()) {
    CORDON_ASSIGN(spans, telemetry::OtlpExporter::Make({.endpoint = out.config.otlp_endpoint}));
    out.spans = spans;
  }
  embed::SetUpState(options, out);
  out.observer = embed::ObserverOf(options.audit);
  out.log_sink = embed::LogSinkOf(options.log);
  out.on_quota = embed::AlertsOf(options.on_quota);
  for (const std::filesystem::path& root : options.forbidden_roots) out.forbidden_roots.push_back(root);
  out.max_instances = std::max<std::uint32_t>(options.max_instances, 1);
  if (options.compiler == HostOptions::Compiler::kProcess) {
    // Where there is none, the first load that has to compile says so: a program may live on its cache alone.
    auto compiler = engine::FindCompiler(options.compiler_path);
    if (compiler) {
      out.compiler = std::move(*compiler);
    } else {
      out.no_compiler = std::move(compiler).error();
    }
  }
  SetUpWorkers(options, out);
  out.compile_limits.wall = std::max<std::chrono::nanoseconds>(options.compile_timeout, std::chrono::milliseconds(1));
  out.compile_limits.memory_bytes = options.compile_memory_bytes;
  if (!options.code_cache.empty()) {
    CORDON_ASSIGN(out.code_cache, engine::CodeCache::Open(options.code_cache, options.code_cache_bytes_max));
    out.forbidden_roots.push_back(options.code_cache);
  }
  if (options.address_space == HostOptions::AddressSpace::kSmall) {
    out.address_space = engine::EngineOptions::AddressSpace::kSmall;
  }
  if (options.traps == HostOptions::Traps::kChecks) out.traps = engine::EngineOptions::Traps::kChecks;
  return out;
}

Result<runtime::LoadRequest> RequestOf(const LoadOptions& options) {
  runtime::LoadRequest request;
  if (!options.settings.empty()) {
    CORDON_ASSIGN(request.settings, json::Parse(options.settings, "LoadOptions::settings"));
    if (!request.settings.is_object()) return Fail(Code::kType, "LoadOptions::settings is not a JSON object");
  }
  request.grants = options.grants;
  request.roots = options.roots;
  request.programs = options.programs;
  for (const Mount& mount : options.mounts) {
    request.mounts.push_back({mount.host_path, mount.guest_path, static_cast<policy::Access>(mount.access)});
  }
  request.environment = options.environment;
  request.arguments = options.arguments;
  if (options.level) request.level = static_cast<policy::Level>(*options.level);
  if (options.timeout) request.timeout = Duration(*options.timeout);
  if (options.memory_bytes) request.memory = Bytes{*options.memory_bytes};
  request.fuel = options.fuel;
  if (options.native == LoadOptions::Native::kConfirmed) request.native = runtime::LoadRequest::Native::kConfirmed;
  request.progress = options.progress;
  if (options.cancel.can_be_cancelled()) request.cancelled = [token = options.cancel] { return token.cancelled(); };
  return request;
}

Status CheckLoadOptions(const LoadOptions& options) {
  const auto refuse = [](std::string_view what) {
    return Fail(Code::kRange, std::string(what) + " must be more than nothing", "leave it out for the plugin's own");
  };
  if (options.timeout && options.timeout->count() <= 0) return refuse("LoadOptions::timeout");
  if (options.memory_bytes && *options.memory_bytes == 0) return refuse("LoadOptions::memory_bytes");
  if (options.fuel && *options.fuel == 0) return refuse("LoadOptions::fuel");
  return {};
}

}  // namespace

namespace embed {
namespace {

// A call that waits for a thread, in the totals of its plugin.
class Waiting {
 public:
  explicit Waiting(std::shared_ptr<const runtime::Plugin> plugin) : plugin_(std::move(plugin)) {
    plugin_->CountWaiting(1);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { plugin_->CountWaiting(-1); }

 private:
  std::shared_ptr<const runtime::Plugin> plugin_;
};

}  // namespace

namespace {

CallQueue::Place PlaceOf(const runtime::Plugin& plugin) {
  switch (plugin.waits()) {
    case runtime::Plugin::Waits::kWithoutThread: return CallQueue::Place::kLane;
    case runtime::Plugin::Waits::kForProcess: return CallQueue::Place::kWorker;
    case runtime::Plugin::Waits::kNever: break;
  }
  return CallQueue::Place::kThread;
}

}  // namespace

void Start(const Plugin::State& plugin, CallOptions options, Executor executor, CallBody body,
           std::move_only_function<void(Status)> done) {
  // What may run out of memory is made before the job is handed over; from then on `done` is called.
  auto finish = [executor = std::move(executor), done = std::move(done)](Status status) mutable {
    auto work = std::make_shared<std::move_only_function<void()>>(
        [done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
    try {
      if (executor) return executor([work] { (*work)(); });
    } catch (...) {  // an executor that takes no more work: the completion still has to run
    }
    (*work)();
  };
  if (Status place = CheckPlace(&options); !place) return finish(std::move(place));
  if (options.timeout) {
    const MonotonicTime end = std::chrono::steady_clock::now() + *options.timeout;
    options.deadline = options.deadline ? std::min(*options.deadline, end) : end;
    options.timeout.reset();
  } else if (!options.deadline) {
    options.deadline = std::chrono::steady_clock::now() + plugin.plugin->limits().timeout;
  }
  auto given = std::make_shared<CallQueue::Given>();
  const Priority priority = options.priority;
  const MonotonicTime deadline = *options.deadline;
  CancelToken cancel = options.cancel;
  auto waiting = std::make_unique<Waiting>(plugin.plugin);
  auto job = [waiting = std::move(waiting), options = std::move(options), body = std::move(body), given,
              finish = std::move(finish)](const Error* refusal) mutable -> CallQueue::After {
    waiting.reset();
    Status status = refusal != nullptr ? Status(Fail(*refusal)) : body(options, *given);
    given->ticket.reset();
    body = nullptr;  // what it holds goes before the completion can see that it is still there
    return [finish = std::move(finish), status = std::move(status)]() mutable { finish(std::move(status)); };
  };
  CallQueue::Submit(plugin.host->queue, {.given = std::move(given),
                                         .job = std::move(job),
                                         .plugin = plugin.plugin.get(),
                                         .gate = plugin.gate,
                                         .place = PlaceOf(*plugin.plugin),
                                         .priority = priority,
                                         .deadline = deadline,
                                         .cancel = std::move(cancel)});
}

}  // namespace embed

Host::Host(std::shared_ptr<State> state) : state_(std::move(state)) {}
Host::Host(Host&&) noexcept = default;

Host& Host::operator=(Host&& other) noexcept {
  if (this != &other) {
    if (state_) (void)Shutdown();
    state_ = std::move(other.state_);
  }
  return *this;
}

Host::~Host() {
  if (!state_) return;
  state_->down.store(true);
  if (const auto watcher = embed::WatcherOf(*state_)) watcher->Stop();
  if (!state_->mark.was_forked()) state_->host->Drain();
  state_->queue->Stop();
}

Result<Host> Host::Create(HostOptions options) {
  return embed::Guarded([&]() -> Result<Host> {
    auto state = std::make_shared<State>();
    CORDON_ASSIGN(runtime::HostOptions runtime_options, RuntimeOptions(options, state->operator_marks, state->spans));
    std::uint32_t threads = options.threads != 0 ? options.threads : std::thread::hardware_concurrency();
    threads = std::clamp<std::uint32_t>(threads, 1, 1024);
    // Some instances are left for calls that do not go by the queue.
    const std::uint32_t instances = std::max(options.max_instances, 1u);
    state->queue = std::make_shared<embed::CallQueue>(
        embed::CallQueue::Bounds{.threads_max = threads,
                                 .waiting_max = std::max<std::uint32_t>(options.queue_max, 1),
                                 .lane_calls_max = instances - std::min(instances / 8, 64u),
                                 .worker_calls_max = std::max(threads, std::min(instances, 64u)),
                                 .room_wait_max = options.queue_wait_max});
    runtime_options.on_room = [queue = std::weak_ptr(state->queue)] {
      if (const auto alive = queue.lock()) embed::CallQueue::Room(alive);
    };
    CORDON_ASSIGN(state->host, runtime::Host::Create(std::move(runtime_options)));
    state->options = std::move(options);
    return Host(std::move(state));
  });
}

Status Host::Register(Service service) {
  return embed::Guarded([&]() -> Status {
    CORDON_ASSIGN(runtime::HostedInterface hosted, embed::HostedOf(std::move(service)));
    const std::lock_guard lock(state_->mutex);
    for (const runtime::HostedInterface& one : state_->hosted) {
      if (one.offer.name != hosted.offer.name) continue;
      return Fail(Code::kInvalid, "a service '" + hosted.offer.name + "' is registered already",
                  "put its functions into one Service");
    }
    state_->hosted.push_back(std::move(hosted));
    return {};
  });
}

namespace embed {

Result<runtime::LoadRequest> Prepare(Host::State& state, const LoadOptions& options) {
  if (state.down.load()) return Fail(Code::kUnavailable, "the host was shut down", "make a new Host");
  if (state.mark.was_forked()) {
    return Fail(Code::kUnavailable, "this process was forked after its host was made",
                "make a new Host in this process");
  }
  if (InsideService()) {
    return Fail(Code::kUsage, "a plugin was loaded from inside a host service", "load it before, or on another thread");
  }
  CORDON_TRY(CheckLoadOptions(options));
  CORDON_ASSIGN(runtime::LoadRequest request, RequestOf(options));
  const std::lock_guard lock(state.mutex);
  request.hosted = state.hosted;
  return request;
}

Result<std::shared_ptr<const Plugin::State>> LoadState(const std::shared_ptr<Host::State>& host,
                                                       const runtime::LoadRequest& request) {
  CORDON_ASSIGN(std::shared_ptr<const runtime::Plugin> loaded, host->host->Load(request));
  auto state = std::make_shared<Plugin::State>();
  state->host = host;
  state->digest = loaded->digest().ToString();
  state->plugin = std::move(loaded);
  if (state->plugin->HasQuota()) state->gate = std::make_shared<CallQueue::Gate>(state->plugin);
  // As for calls of plugins by plugins: hooks, services and commands are of what was loaded to stay.
  if (request.purpose == runtime::LoadRequest::Purpose::kRun &&
      request.publication == runtime::LoadRequest::Publication::kAtOnce && state->plugin->manifest() != nullptr &&
      request.recorder == nullptr && request.replayer == nullptr) {
    const std::lock_guard lock(host->mutex);
    std::erase_if(host->loaded, [](const auto& one) { return one.expired(); });
    host->loaded.push_back(state);
  }
  return std::shared_ptr<const Plugin::State>(std::move(state));
}

}  // namespace embed

Result<Plugin> Host::Load(const std::filesystem::path& source, const LoadOptions& options) {
  return embed::Guarded([&]() -> Result<Plugin> {
    CORDON_ASSIGN(runtime::LoadRequest request, embed::Prepare(*state_, options));
    request.source = source;
    CORDON_ASSIGN(auto state, embed::LoadState(state_, request));
    return Plugin(std::move(state));
  });
}

Result<LoadedPlugins> Host::LoadAll(const std::vector<std::filesystem::path>& folders, const LoadOptions& options) {
  return embed::Guarded([&]() -> Result<LoadedPlugins> {
    CORDON_ASSIGN(runtime::LoadRequest request, embed::Prepare(*state_, options));
    LoadedPlugins out;
    const auto rules = state_->host->rules();
    const std::span<const std::filesystem::path> where = folders.empty() ? rules->config.directories : folders;
    for (const std::filesystem::path& manifest : runtime::FindPlugins(where)) {
      const std::filesystem::path source = manifest.parent_path();
      request.source = source;
      auto loaded = embed::LoadState(state_, request);
      if (loaded) {
        out.plugins.push_back(Plugin(std::move(*loaded)));
        continue;
      }
      if (loaded.error().code == Code::kInterrupted || loaded.error().code == Code::kAuditUnavailable) {
        return Fail(std::move(loaded).error());
      }
      if (state_->options.log) {
        state_->options.log({.level = LogLevel::kWarn,
                             .plugin = Escape(source.filename().string()),
                             .source = "cordon",
                             .message = "skipped: " + std::string(CodeName(loaded.error().code)) + " " +
                                        EscapeShort(loaded.error().message, 1000)});
      }
      out.skipped.push_back({source, std::move(loaded).error()});
    }
    return out;
  });
}

Result<Plugin> Host::LoadBytes(std::string_view name, ByteView wasm, const LoadOptions& options) {
  return embed::Guarded([&]() -> Result<Plugin> {
    CORDON_ASSIGN(runtime::LoadRequest request, embed::Prepare(*state_, options));
    request.source = std::filesystem::path(name);
    request.bytes.emplace(reinterpret_cast<const char*>(wasm.data()), wasm.size());
    CORDON_ASSIGN(auto state, embed::LoadState(state_, request));
    return Plugin(std::move(state));
  });
}

Result<Plugin> Host::Inspect(const std::filesystem::path& source, const LoadOptions& options) {
  return embed::Guarded([&]() -> Result<Plugin> {
    CORDON_ASSIGN(runtime::LoadRequest request, embed::Prepare(*state_, options));
    request.source = source;
    request.purpose = runtime::LoadRequest::Purpose::kInspect;
    CORDON_ASSIGN(auto state, embed::LoadState(state_, request));
    return Plugin(std::move(state));
  });
}

std::string Host::Metrics() const { return state_->host->Metrics(); }

namespace {

Status BeginShutdown(Host::State& host) {
  const auto watcher = embed::WatcherOf(host);
  if (embed::InsideService() || host.queue->IsOwn() || (watcher != nullptr && watcher->IsOwn())) {
    return Fail(Code::kUsage, "the host was shut down from inside a service or a completion on its own thread",
                "shut it down from a thread of the program");
  }
  host.down.store(true);
  return {};
}

// Joins every thread.
void EndShutdown(Host::State& host) {
  if (const auto watcher = embed::WatcherOf(host)) watcher->Stop();
  if (!host.mark.was_forked()) host.host->Drain();
  host.queue->Stop();
}

}  // namespace

Status Host::Shutdown() {
  return embed::Guarded([&]() -> Status {
    CORDON_TRY(BeginShutdown(*state_));
    EndShutdown(*state_);
    return {};
  });
}

Status Host::Shutdown(std::chrono::nanoseconds within) {
  return embed::Guarded([&]() -> Status {
    CORDON_TRY(BeginShutdown(*state_));
    struct Done {
      std::mutex mutex;
      std::condition_variable changed;
      bool is_done = false;
    };
    const auto done = std::make_shared<Done>();
    std::thread ending;
    {
      const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
      ending = std::thread([host = state_, done]() mutable {
        EndShutdown(*host);
        host.reset();  // before whoever waits goes on
        const std::lock_guard lock(done->mutex);
        done->is_done = true;
        done->changed.notify_all();
      });
    }
    std::unique_lock lock(done->mutex);
    if (done->changed.wait_for(lock, within, [&] { return done->is_done; })) {
      lock.unlock();
      ending.join();
      return {};
    }
    ending.detach();
    return Fail(Code::kTimeout, "completions or services of the program run still",
                "have them come to an end, or give them more time");
  });
}

}  // namespace cordon
