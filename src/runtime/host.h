// The embedder's root object: loads plugins and owns what they share (engines, audit, the operator's configuration).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/observer.h"
#include "base/trace.h"
#include "cordon/memory.h"
#include "engine/code_cache.h"
#include "engine/compile_process.h"
#include "isolation/bubblewrap.h"
#include "manifest/config.h"
#include "policy/audit_detail.h"
#include "policy/grant_source.h"
#include "runtime/plugin.h"
#include "runtime/rules.h"
#include "runtime/standing.h"
#include "services/kv/backend.h"
#include "services/log.h"
#include "services/messaging/queue.h"
#include "services/quota.h"
#include "services/secret_source.h"
#include "services/tally.h"

namespace cordon::runtime {

struct HostOptions {
  manifest::Config config;                                      // limits, level, entries; as they are at first
  std::shared_ptr<audit::Observer> observer;                    // REQUIRED
  std::shared_ptr<services::LogSink> log_sink;                  // REQUIRED
  std::vector<std::shared_ptr<const policy::Policy>> policies;  // each of them caps every grant
  std::shared_ptr<const policy::GrantSource> grants;            // grants on disk; may be null
  std::vector<std::filesystem::path> forbidden_roots;  // state, config and cache folders: never mapped as a root
  std::uint32_t max_instances = 64;                    // live at once, for each engine
  enum class Channel : std::uint8_t {
    kDirect,
    kCodec /* every message through bytes: tests */
  } channel = Channel::kDirect;
  engine::EngineOptions::AddressSpace address_space = engine::EngineOptions::AddressSpace::kLarge;
  engine::EngineOptions::Traps traps = engine::EngineOptions::Traps::kSignals;
  std::shared_ptr<engine::CodeCache> code_cache;  // may be null
  std::filesystem::path compiler;                 // cordon-compile; empty: this process compiles
  std::optional<Error> no_compiler;               // set: there is none, and this process must not compile
  engine::CompileLimits compile_limits;
  // Where plugins run for which configuration and level say nothing. kWorkers: in processes of their own that can do
  // nothing by themselves, made by the program `worker`.
  enum class Placement : std::uint8_t { kHere, kWorkers } placement = Placement::kHere;
  std::filesystem::path worker;                                        // cordon-worker
  std::optional<Error> no_worker;                                      // set: there is none
  policy::AuditDetail audit_detail = policy::AuditDetail::kDecisions;  // at least; a plugin's level may want more
  std::shared_ptr<SpanSink> spans;                                     // may be null: then there are no traces
  std::shared_ptr<class KillSwitch> kill_switch;                       // may be null: then calls cost nothing for it
  // Opens what keeps the values of plugins; asked when the first one is loaded that may store any, and until it
  // succeeds. Empty: they are kept in memory, for as long as this host lives.
  std::function<Result<std::shared_ptr<services::KvBackend>>()> open_storage{};
  // The same for memories and messages.
  std::function<Result<std::shared_ptr<Memory>>()> open_memory{};
  std::function<Result<std::shared_ptr<services::MessageQueue>>(const services::QueueLimits& limits)> open_messages{};
  std::shared_ptr<services::SecretSource> secrets{};  // null: there are none
  // Counts what grants on disk with limits were used for; opened when the first one is loaded. Empty: such a grant is
  // E_UNENFORCEABLE.
  std::function<Result<std::shared_ptr<services::Tally>>()> open_tally{};
  // An object of what was set for a plugin beside config.yaml. Empty: nothing.
  std::function<Result<Json>(const std::string& plugin)> settings{};
  std::filesystem::path bubblewrap = isolation::kBubblewrap;  // what confines native plugins
  // Told when a threshold of a quota is passed, on the thread that used it: must be quick, and not call in here. May be
  // empty.
  std::function<void(const services::QuotaAlert&)> on_quota{};
  // Told on any thread when a place under a quota was let go, so that who waits for one may ask again; must not throw.
  // May be empty.
  std::function<void()> on_room{};
};

// `--mount HOST:GUEST[:ro|rw]`: names the folder and grants it in one word, for this load only.
struct MountFlag {
  std::filesystem::path host_path;
  std::string guest_path;
  policy::Access access = policy::Access::kRead;
};

// An interface that the embedding program answers.
struct HostedInterface {
  abi::OfferedInterface offer;
  // Makes what answers for one plugin; the guard outlives it.
  std::function<std::unique_ptr<services::HostService>(const services::Guard& guard)> serve;
};

struct LoadRequest {
  std::filesystem::path source;      // folder with a plugin.yaml, the file itself, or a .wasm file
  std::optional<std::string> bytes;  // a binary without a manifest; `source` is then only its name
  std::vector<HostedInterface> hosted;
  std::vector<std::string> grants;                          // compact text, as --grant gives them
  std::optional<policy::GrantSet> grant_set;                // of a --grants file; its digests must match (E_CHANGED)
  std::map<std::string, std::filesystem::path> roots;       // --root NAME=PATH
  std::map<std::string, std::filesystem::path> programs{};  // --program NAME=PATH: the file behind `exec:NAME …`
  std::vector<MountFlag> mounts;
  std::vector<std::pair<std::string, std::string>> environment;  // --env NAME=VALUE: names and grants
  std::vector<std::string> arguments;                            // after `--`: grants `args` when not empty
  Json settings = Json::object();                                // of the plugin, over all that was kept
  std::optional<policy::Level> level;
  std::optional<Duration> timeout;  // within the ceiling, else E_RANGE
  std::optional<Bytes> memory;
  std::optional<std::uint64_t> fuel;
  enum class Debug : std::uint8_t { kOff, kOn } debug = Debug::kOff;
  // Of a native plugin: that the operator was asked and agreed.
  enum class Native : std::uint8_t { kUnconfirmed, kConfirmed } native = Native::kUnconfirmed;
  // kInspect: describe and plan, do not compile; Runnable() then tells what Call would meet.
  enum class Purpose : std::uint8_t { kRun, kInspect } purpose = Purpose::kRun;
  // A call that is recorded: everything that the guest asks is told to `recorder`, and each decision of the guard to
  // `witness` too. E_UNENFORCEABLE when it imports what cannot be recorded.
  std::shared_ptr<class Recorder> recorder;
  std::shared_ptr<audit::MemoryObserver> witness;
  // A call that is answered from a record alone: nothing is granted, opened or asked. E_CHANGED when these are other
  // bytes than `replayed_digest`.
  std::shared_ptr<class Replayer> replayer;
  Digest replayed_digest{};
  // Called with every file and folder that the plugin is read from, those that are missing too; may be empty.
  std::function<void(const std::filesystem::path& path)> reads;
  // kLater: nobody else calls it by its name until Publish.
  enum class Publication : std::uint8_t { kAtOnce, kLater } publication = Publication::kAtOnce;
  PluginStanding::Regranted regranted = PluginStanding::Regranted::kEnds;
  std::shared_ptr<services::Tally> tally;                // counts grants of flags; null: a new one, for this load
  std::function<void(std::string_view stage)> progress;  // "reading", "compiling", "linking"; may be empty
  std::function<bool()> cancelled;                       // asked while compiling; may be empty
};

// Thread-safe. Plugins keep alive what they need of it.
class Host {
 public:
  static Result<std::unique_ptr<Host>> Create(HostOptions options);
  ~Host();

  // Reads, checks, plans, compiles, links. Before any guest code runs: E_DENIED or E_LINK with every cause, E_CHANGED,
  // E_NOT_WASM, E_PRECOMPILED, E_COMPILE, E_COMPILE_LIMIT, E_DIGEST, E_UNENFORCEABLE, E_GRANT_FORBIDDEN, E_OVERLAP, and
  // the manifest's own errors. One audit record for the load, one for each denied permission.
  Result<std::shared_ptr<const Plugin>> Load(const LoadRequest& request);

  // Others call `plugin` by its name from now on, in place of `before`, which may be null; where another one took the
  // name meanwhile, that one stays.
  void Publish(const std::shared_ptr<const Plugin>& plugin, const Plugin* before);

  // What the operator's files say now, for loads from now on. What is less than a loaded plugin has is taken from it at
  // once, in calls that run too; what is more it gets when it is loaded anew. A level or an isolation that it does not
  // meet: see EndMisplaced.
  void Adopt(Rules rules);
  // Ends every plugin in service that has to run in a process of its own by now and does not: later calls are E_DENIED.
  void EndMisplaced();
  std::shared_ptr<const Rules> rules() const;
  // Why the operator's configuration keeps plugins off from now on; nothing: it does not.
  void Hold(std::optional<std::string> why);
  // Writes a record of what was done to plugins from above.
  Status Tell(const audit::Record& record) const;

  // Ends every resident, each with the time that its manifest gives it, all at once; and the thread that looks after
  // them. Its plugins answer nothing from then on that needs one.
  void Drain();

  // What the host itself sends and receives by. E_IO, E_UNAVAILABLE.
  Result<std::shared_ptr<services::MessageQueue>> Messages() const;
  // The bounds of channels that the operator's configuration sets.
  static services::QueueLimits LimitsOf(const manifest::MessagingConfig& config);
  // Counters since it was made, in the text format of Prometheus.
  std::string Metrics() const;
  // What all plugins did together, and what is left to them.
  Totals Sums() const;

  struct State;

 private:
  explicit Host(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cordon::runtime
