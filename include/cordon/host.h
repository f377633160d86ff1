// Where an embedder starts.
//
//   auto host = cordon::Host::Create();
//   auto plugin = host->Load("plugins/hello");
//   auto answer = plugin->Call("greet", R"({"name": "Ada"})");
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cordon/audit.h"
#include "cordon/authority.h"
#include "cordon/deployment.h"
#include "cordon/memory.h"
#include "cordon/messaging.h"
#include "cordon/plugin.h"
#include "cordon/quota.h"
#include "cordon/result.h"
#include "cordon/service.h"

namespace cordon {

// Keeps the values of plugins (wasi:keyvalue) in place of a file of Cordon's. Thread-safe; called on Cordon's threads.
// An error goes to the plugin with its code and message, so it names no place of yours.
class Storage {
 public:
  // Of one plugin. Two plugins with buckets of one name have two buckets.
  struct Bucket {
    std::string_view plugin, name;
    std::uint64_t bytes_max = 0, keys_max = 0;  // of keys and values together; beyond it E_LIMIT
  };
  struct Value {
    std::vector<std::uint8_t> bytes;
    std::uint64_t version = 0;  // 1 or more; another with every write, never one that was before
  };
  struct Change {
    std::string_view key;           // any bytes but none
    std::optional<ByteView> value;  // nothing: the key goes
  };
  struct Expected {
    std::string_view key;
    std::uint64_t version = 0;  // 0: it is not there
  };
  virtual ~Storage() = default;
  virtual Result<std::optional<Value>> Get(const Bucket& bucket, std::string_view key) = 0;
  // All changes in one step, or none. False: `expected` does not hold, and nothing was changed. Once it answers, a
  // crash does not undo it.
  virtual Result<bool> Apply(const Bucket& bucket, std::span<const Change> changes,
                             const std::optional<Expected>& expected) = 0;
  // At most `keys_max` keys behind `after`, in the order of their bytes.
  virtual Result<std::vector<std::string>> List(const Bucket& bucket, std::string_view after, std::size_t keys_max) = 0;
};

// The value of a secret for a plugin that was granted `secret:NAME`; for a secret setting the name is "config:KEY".
// Nothing: there is none. Thread-safe.
using SecretLookup = std::function<Result<std::optional<std::string>>(std::string_view plugin, std::string_view name)>;

// Everything that a Host depends on: it reads no environment variable, no locale and no working directory. The default
// is a host without an audit, without grants on disk and without a code cache.
struct HostOptions {
  // The operator's config.yaml (docs/formats/config.md): ceilings, level, disabled plugins; while `plugins.enabled` is
  // not true in it, every load is E_UNAVAILABLE. Empty: the defaults, and plugins are on.
  std::filesystem::path config_file{};
  // policy.yaml (docs/formats/policy.md), which caps every grant, beside the one that `config_file` names. Empty: none.
  std::filesystem::path policy_file{};
  // grants.yaml (docs/formats/grants.md) for plugins that have a manifest. Empty: none but those of LoadOptions.
  std::filesystem::path grants_file{};
  // Null: decisions are made and not recorded.
  std::shared_ptr<AuditSink> audit{};
  LogSink log{};              // empty: lines are dropped
  QuotaAlertSink on_quota{};  // told when a quota of config.yaml is nearly used up; may be empty
  // Compiled code is kept here, authenticated (docs/formats/code-cache.md). Empty: every load compiles.
  std::filesystem::path code_cache{};
  std::uint64_t code_cache_bytes_max = 1ull << 30;
  // Compiling hostile code can cost more than running it: the process `cordon-compile` does it under limits. kInProcess
  // trusts the code not to.
  enum class Compiler : std::uint8_t { kProcess, kInProcess } compiler = Compiler::kProcess;
  std::chrono::nanoseconds compile_timeout = std::chrono::seconds(180);
  std::uint64_t compile_memory_bytes = 3ull << 30;  // of address space
#ifdef CORDON_COMPILER_PATH                         // by CMake, for programs that have Cordon's source in their tree
  std::filesystem::path compiler_path{CORDON_COMPILER_PATH};
#else
  std::filesystem::path compiler_path{};  // of cordon-compile; empty: found beside the library or the program
#endif
  // Where plugins run of which configuration and level say nothing. kWorkers: each in processes of its own, which have
  // no network, no files but its mounts, and no secrets; what a guest asks for is decided and done here. A call there
  // costs a change of processes more; results, errors, limits and records are the same. Level paranoid always demands
  // it.
  enum class Placement : std::uint8_t { kInProcess, kWorkers };
#ifdef CORDON_DEFAULT_PLACEMENT  // for a program that is built once for each
  Placement placement = Placement::CORDON_DEFAULT_PLACEMENT;
#else
  Placement placement = Placement::kInProcess;
#endif
  std::filesystem::path worker_path{};  // of cordon-worker; empty: found beside cordon-compile or as that is
  // Where the values of plugins, memories and messages are kept (kv.db, memory.db, messages.db) and secrets are found,
  // as the command keeps them. Empty: they live as long as the host, and there are no secrets. While
  // `cordon plugins disable` holds there (plugins.off), nothing is loaded or called, and what runs ends within a second
  // with E_UNAVAILABLE.
  std::filesystem::path state_folder{};
  std::shared_ptr<Storage> storage{};  // in place of kv.db
  std::shared_ptr<Memory> memory{};    // of agents, in place of memory.db; MemoryOf makes one of a plugin
  SecretLookup secrets{};              // in place of the folder's
  // Never mapped as a root or mount, nor anything that holds one: the program's own state.
  std::vector<std::filesystem::path> forbidden_roots{};
  std::uint32_t max_instances = 64;  // live at once; in workers, of each plugin
  std::uint32_t threads = 0;         // for asynchronous calls; 0: as many as processors
  std::uint32_t queue_max = 1024;    // asynchronous calls that wait
  // How long one waits for its plugin's quota to have room; then E_BUSY. Other plugins' calls go on meanwhile.
  std::chrono::nanoseconds queue_wait_max = std::chrono::seconds(30);
  // kSmall: bounds checks in place of terabytes of reserved addresses: for `ulimit -v` and sanitizers.
  enum class AddressSpace : std::uint8_t { kLarge, kSmall } address_space = AddressSpace::kLarge;
  // kSignals: faults of guests are caught by handlers of SIGSEGV, SIGILL and SIGFPE, which pass on what is not theirs.
  // A handler installed later without passing on loses them: then choose kChecks, which is a little slower, or install
  // it before the first Host.
  enum class Traps : std::uint8_t { kSignals, kChecks } traps = Traps::kSignals;
};

// What an operator decides about one load.
struct LoadOptions {
  std::vector<std::string> grants{};  // compact: "env:TOKEN", "fs:read:/data=workspace", "host:prices"
  std::map<std::string, std::filesystem::path> roots{};            // name → folder, for grants of files
  std::map<std::string, std::filesystem::path> programs{};         // name → file, for grants of exec
  std::vector<Mount> mounts{};                                     // folder and grant in one
  std::vector<std::pair<std::string, std::string>> environment{};  // variables: named, granted and set in one
  std::vector<std::string> arguments{};
  std::string settings{};  // a JSON object over what config.yaml has for the plugin; secret ones come from `secrets`
  std::optional<Level> level{};  // the host's otherwise; what configuration and policy say of this plugin holds too
  // Within the operator's ceiling, else E_RANGE.
  std::optional<std::chrono::nanoseconds> timeout{};
  std::optional<std::uint64_t> memory_bytes{};
  std::optional<std::uint64_t> fuel{};
  // Whether somebody agreed that this plugin may be a native program, where `plugins.native` is confirm.
  enum class Native : std::uint8_t { kUnconfirmed, kConfirmed } native = Native::kUnconfirmed;
  CancelToken cancel{};                                    // ends a compilation with E_INTERRUPTED
  std::function<void(std::string_view stage)> progress{};  // "reading", "compiling", "linking"
};

// What was loaded of many, and what was not.
struct LoadedPlugins {
  struct Skipped {
    std::filesystem::path source;
    Error why;  // with the detail "backend" when the place that it is to run in is missing
  };
  std::vector<Plugin> plugins{};
  std::vector<Skipped> skipped{};
};

// What one plugin answered to a hook.
struct HookAnswer {
  std::string plugin;
  Result<Answer> answer;
};

// An action of a loaded plugin: `plugin.CallAsync(action, …)`.
struct TaskAction {
  Plugin plugin;
  std::string action;
};

// A command that a loaded plugin provides.
struct Command {
  std::string path;  // "deploy.preview"
  std::string plugin;
  std::string action;
  std::string description;  // the author's: escape before display
};

// A call with all that it asked of the host.
struct Recording {
  std::string fixture;              // JSON lines (docs/formats/fixture.md), for Replay and `cordon replay`
  std::vector<std::string> grants;  // the fewest that this call needed, compact
  Answer answer;
  std::optional<Error> failure{};  // of a call that failed, and will fail again
};

// Owns what plugins share: engines, cache, threads. Thread-safe. Many may live in one process. Plugins stay usable as
// values after it is gone; their calls are then E_UNAVAILABLE.
class Host {
 public:
  // E_NOT_FOUND, E_SYNTAX and others of the files that `options` names; starts no thread.
  static Result<Host> Create(HostOptions options = {});
  Host(Host&&) noexcept;
  Host& operator=(Host&&) noexcept;
  ~Host();  // Shutdown

  // Offers a service to plugins that are loaded from now on. E_INVALID when a name is not one or stands twice.
  Status Register(Service service);

  // A folder with a plugin.yaml, that file, or a .wasm file. Reads, checks, plans, compiles, links; no guest code runs.
  // E_DENIED or E_LINK with a cause for each thing that is missing, E_CHANGED, E_NOT_FOUND, E_NOT_WASM, E_PRECOMPILED,
  // E_COMPILE, E_COMPILE_LIMIT, E_DIGEST, E_UNENFORCEABLE, E_GRANT_FORBIDDEN, E_OVERLAP, E_RANGE, E_AUDIT_UNAVAILABLE
  // and the manifest's own errors, with file, line and column.
  Result<Plugin> Load(const std::filesystem::path& source, const LoadOptions& options = {});
  // Every plugin with a manifest beneath these folders (FOLDER/NAME, FOLDER/NAMESPACE/NAME), or beneath
  // `plugins.directories` of config.yaml when there are none, at most 1000, in the order of their paths. One that
  // cannot be loaded is skipped, with a warning in the log and one record in the audit, and the others go on. Grants
  // are those on disk, and those of `options` for each.
  Result<LoadedPlugins> LoadAll(const std::vector<std::filesystem::path>& folders = {},
                                const LoadOptions& options = {});
  // The same from memory: a binary without a manifest, called `name` in errors and the audit.
  Result<Plugin> LoadBytes(std::string_view name, ByteView wasm, const LoadOptions& options = {});
  // As far as the plan: what Load would decide, without compiling, and for plugins that would be refused too. Calls of
  // it are E_USAGE.
  Result<Plugin> Inspect(const std::filesystem::path& source, const LoadOptions& options = {});

  // Loads a plugin to stay (deployment.h): it is taken up anew when it changes. Makes one instance, so that what traps
  // at its start is never in service. As Load, and E_TRAP and what else initialisers run into.
  Result<Deployment> Deploy(const std::filesystem::path& source, const LoadOptions& options = {});
  // Reads config.yaml and the policies anew, and reloads every deployment; one answer for each. What the operator takes
  // away is gone at once, for plugins of Load and for calls that run too; what is given holds for what is loaded from
  // now on. The errors of those files: then the last good ones stay in force, and nothing is reloaded.
  Result<std::vector<Reload>> ReloadAll();
  // Does the same whenever one of the files changes: of the operator, of grants, of deployments. Starts one thread,
  // which ends with Shutdown. E_USAGE when it watches already.
  Status Watch(WatchOptions options = {});

  // A message to whoever receives by the channel, from the host itself. The id. E_LIMIT when it is full; E_NAME.
  Result<std::string> Send(std::string_view channel, ByteView body);
  // The oldest messages, at most `count_max` and 100. They are the host's for `hold`; what is not acknowledged by then
  // is delivered again.
  Result<std::vector<Message>> Receive(std::string_view channel, std::size_t count_max,
                                       std::chrono::nanoseconds hold = std::chrono::seconds(30));
  // It was worked on, and is gone. False: it is not the host's any more.
  Result<bool> Acknowledge(std::string_view channel, std::string_view id);
  // Hands what waits in a channel to a plugin that is that channel (`provides: { channels: [NAME] }`, and it exports
  // cordon:messaging/channel, for Extism channel_send and channel_listen), and puts what it heard into the channel
  // NAME.in, as sent by the plugin. Once through; call it again from a timer. E_INVALID, E_TYPE, E_NOT_FOUND.
  Result<Relayed> Relay(std::string_view channel, const Plugin& plugin);
  // Calls the action `hook` of every loaded plugin whose manifest provides it (`provides: { hooks: [saved] }`), one
  // after the other in the order in which they were loaded; of two of one name, the later one. One that fails is an
  // answer too; but of a resident that has failed and whose manifest says `on-failure: open` it is missing, as if the
  // plugin were not there, and stands in `left_out`. E_USAGE from inside a host service without CallOptions::parent;
  // E_UNAVAILABLE after Shutdown.
  Result<std::vector<HookAnswer>> Dispatch(std::string_view hook, std::string_view input_json,
                                           const CallOptions& options = {},
                                           std::vector<HookAnswer>* left_out = nullptr);
  // Calls the action `service` of the plugin whose manifest provides it. E_NOT_FOUND when none does, E_INVALID when
  // several do; then as Plugin::Call.
  Result<Answer> CallService(std::string_view service, std::string_view input_json, const CallOptions& options = {});

  // What runs a task of that type, for a program whose tasks have types of many kinds: `acme/geocode#lookup`, or as
  // workflow engines write it `acme/geocode.lookup`, is the action of that name of the plugin that was loaded last
  // under its own. Nothing: the type is the program's own. E_NOT_FOUND for one with a `#` of a plugin that is not
  // loaded or has no such action.
  Result<std::optional<TaskAction>> FindAction(std::string_view task_type) const;

  // The commands of all loaded plugins (`provides: { commands: { deploy.preview: preview } }`), sorted by path.
  std::vector<Command> Commands() const;
  // Calls the action behind exactly this path. E_NOT_FOUND, E_INVALID when several plugins have it; then as
  // Plugin::Call.
  Result<Answer> CallCommand(std::string_view path, std::string_view input_json, const CallOptions& options = {});

  // Loads a plugin for one call, and keeps everything that it asks of the host, of your services too, with the answers.
  // As Load and Plugin::Call; E_UNENFORCEABLE for what cannot be recorded; the error of a call that the clock ended,
  // which would end elsewhere the next time.
  Result<Recording> Record(const std::filesystem::path& source, std::string_view action, std::string_view input_json,
                           const LoadOptions& options = {}, const CallOptions& call_options = {});
  // Runs a recorded call again, answered from the record alone: no file, clock or service is asked. E_DIGEST when it
  // asks or answers otherwise; E_CHANGED for other bytes; the recorded error of a call that failed. `source` empty: the
  // plugin is where it was recorded.
  Result<Answer> Replay(std::string_view fixture, const std::filesystem::path& source = {});

  // Counters since it was made, in the text format that Prometheus reads: calls, loads, decisions, host calls.
  std::string Metrics() const;
  // What all plugins used, and what the quotas in sum leave to them.
  UsageTotals Totals() const;

  // Waiting asynchronous calls end with E_UNAVAILABLE and running ones are stopped; calls of residents first have the
  // time that their manifests call `drain`, all of them at once. All threads are joined. Later calls are E_UNAVAILABLE.
  // May be called again; not from inside a host service or a completion (E_USAGE).
  Status Shutdown();
  // The same, within this time: E_TIMEOUT when completions or services of the program still run then. Their threads end
  // when those do, and nothing of Cordon runs on them any more.
  Status Shutdown(std::chrono::nanoseconds within);

  struct State;

 private:
  explicit Host(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cordon
