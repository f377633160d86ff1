// The WebAssembly engine: compiled code, linked code, instances, calls. RAII over the bridge (cordon_bridge.h).
//
// Engine, Code and Linked are immutable and thread-safe; share them. An Instance belongs to one thread at a time;
// only Interrupter may be used from another. Payloads are in the wire format (docs/formats/wire.md), in one piece or
// in several: pieces go from where they are straight into guest memory, and results come straight from there.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "base/units.h"
#include "cordon/result.h"

namespace cordon::engine {

// What is fixed for all code of one engine. Code compiled for one set does not run in another.
struct EngineOptions {
  bool fuel = false;                              // count instructions; costs speed, so it is an engine of its own
  bool debug = false;                             // keep DWARF, for file and line in backtraces (authors only)
  std::uint64_t max_memory_bytes = 256ull << 20;  // the largest linear memory that any instance may ask for
  std::uint32_t max_instances = 1000;             // live at once; one more is E_BUSY
  std::uint32_t max_table_elements = 20'000;
  std::uint32_t stack_bytes = 512 << 10;
  // kSmall replaces large reservations by bounds checks: for sanitizers, `ulimit -v`, 39-bit address spaces. kLarge
  // falls back to it when the system refuses the reservation.
  enum class AddressSpace : std::uint8_t { kLarge, kSmall } address_space = AddressSpace::kLarge;
  // kChecks: no handlers of SIGSEGV, SIGILL and SIGFPE; a little slower.
  enum class Traps : std::uint8_t { kSignals, kChecks } traps = Traps::kSignals;
  // kCopied: data segments are copied into each instance, which is faster for code with little data.
  enum class Segments : std::uint8_t { kMapped, kCopied } data = Segments::kMapped;
  // kParallel: on many threads, which stay until the process ends.
  enum class Compiling : std::uint8_t { kAlone, kParallel } compiling = Compiling::kAlone;
  // kNone: no checks of a deadline in the code, which is faster. Nothing in this process stops it: for code that runs
  // in a process of its own, which is ended.
  enum class Stops : std::uint8_t { kChecks, kNone } stops = Stops::kChecks;
};

class Engine {
 public:
  static Result<std::shared_ptr<const Engine>> Create(const EngineOptions& options);
  ~Engine();
  const EngineOptions& options() const { return options_; }
  // Everything that compiled code depends on beside its source: versions, settings, target, features of the processor.
  std::array<std::uint8_t, 32> Fingerprint() const;
  struct Raw;
  const Raw* raw() const { return raw_; }

 private:
  Engine() = default;
  EngineOptions options_;
  Raw* raw_ = nullptr;
};

// Whether somebody put handlers of SIGSEGV, SIGILL or SIGFPE over the engine's: then only kChecks is safe.
bool HandlersReplaced();

// For a process with a limit on its memory that is to end there: an allocation of the engine that fails ends it, where
// it is an error otherwise. Call it before anything else of the engine.
void EndWhenShortOfMemory();

// Code as a cache keeps it.
struct Precompiled {
  std::array<std::uint8_t, 32> fingerprint{};  // of the engines that it is for
  std::vector<std::uint8_t> code;
};
// Compiles for engines with these options, without making one. Errors as Compiled::Compile.
Result<Precompiled> Precompile(const EngineOptions& options, std::span<const std::uint8_t> wasm);

// A compiled component or core module.
class Compiled {
 public:
  // Compiles a binary (never text, never precompiled code: see wit::Describe, which callers run first).
  // E_COMPILE. Takes seconds for megabytes; there is no way to stop it short of a process of its own.
  static Result<std::shared_ptr<const Compiled>> Compile(std::shared_ptr<const Engine> engine,
                                                         std::span<const std::uint8_t> wasm);
  // Maps what Precompile gave, from a sealed memfd. The caller vouches for the content: it runs as native code.
  // E_INVALID when it was made for another engine.
  static Result<std::shared_ptr<const Compiled>> LoadSealed(std::shared_ptr<const Engine> engine, int fd);
  ~Compiled();
  bool is_component() const { return is_component_; }
  const std::shared_ptr<const Engine>& engine() const { return engine_; }
  struct Raw;
  const Raw* raw() const { return raw_; }

 private:
  Compiled() = default;
  std::shared_ptr<const Engine> engine_;
  Raw* raw_ = nullptr;
  bool is_component_ = false;
};

// A function that guests may import and that is answered by a HostChannel.
struct HostImport {
  std::string interface_name;  // as the guest imports it, version included; for a core import the module; "" for a bare
                               // function
  std::string function;
  // kBlocking: the answer may take long, and is awaited off the guest's thread so that the deadline holds. A call that
  // is stopped leaves the answer behind, still being made: the engine keeps the channel until that Send has returned.
  // kNested: the answer is a call of another guest. It is made on the thread of the guest that asks, which is suspended
  // off that thread's stack, and must keep to the request's deadline; what interrupts the asking guest interrupts it.
  // kTraced: of WASI. The engine answers it by itself, and then tells the channel, as "trace:" and the function's name:
  // a byte for how it ended (0 answered, 1 the guest's exit, 2 a trap), the size of what was asked as u32, that, and
  // what was answered. An empty function stands for an interface that has only resources.
  // kDeferred: the answer comes later, by HostChannel::Begin, and takes no thread until then.
  enum class Kind : std::uint8_t { kQuick, kBlocking, kNested, kTraced, kDeferred } kind = Kind::kQuick;
  // For a plugin for Extism: "tb->n" when the offset of a text and that of bytes go in, and a number comes out. What
  // lies behind an offset is what crosses.
  std::string blocks{};
};

// Exactly what the linker offers. Whatever is not here is not there.
struct LinkSpec {
  // WASI interfaces by their name without version: "wasi:io/poll", "wasi:filesystem/types", "wasi:cli/environment" ...
  // For a core module: "wasi_snapshot_preview1", whole, and "wasi_snapshot_preview1/stdio" for its descriptors 0 to 2.
  std::vector<std::string> wasi;
  std::vector<HostImport> host;  // answered by the channel
  // kExtism: a core module that imports "extism:host/env". In `host` stand those functions of it that the channel
  // answers, "http_request" (by the network of the instance) and "get_log_level" among them; memory, and variables that
  // are not in `host`, are the engine's.
  // kFledge: a core module that imports "fledge", whose functions are in `host`.
  enum class Abi : std::uint8_t { kPlain, kExtism, kFledge } abi = Abi::kPlain;
  std::vector<HostImport> stubs;  // answered by the channel too, under the function name prefixed "deny:", without
                                  // parameters. An empty function stands for an interface that has only resources
};

// A module that a plugin for Extism imports from, under this name.
struct Library {
  std::string name;
  std::shared_ptr<const Compiled> code;
};
// The module that every one of them needs under the name kExtismKernel.
inline constexpr std::string_view kExtismKernel = "extism:host/env";
std::vector<std::uint8_t> ExtismKernel();

struct FunctionId {
  std::string interface_name;  // "" for a function at the root
  std::string name;
};

class Remote;

// An exported function, looked up once for all instances of a Linked.
class Function {
 public:
  struct Raw;
  const Raw* raw() const { return raw_.get(); }

 private:
  friend class Linked;
  std::shared_ptr<const Raw> raw_;
};

// Code with its imports resolved: making an instance of it does no name look-up.
class Linked {
 public:
  // E_LINK naming the first import that has no match; callers compare imports beforehand to name them all.
  // `libraries` outlive the call only.
  static Result<std::shared_ptr<const Linked>> Link(std::shared_ptr<const Compiled> code, const LinkSpec& spec,
                                                    std::span<const Library> libraries = {});
  // Code that is linked in another process: instances of it live there.
  static std::shared_ptr<const Linked> At(std::shared_ptr<Remote> remote);
  ~Linked();
  // E_NOT_FOUND when the code has no such export.
  Result<Function> Find(const FunctionId& id) const;
  Remote* remote() const { return remote_.get(); }  // null: it runs here
  // Whether a call of it that waits for the host can leave its thread to others (engine/lane.h).
  bool waits() const;
  struct Raw;
  const Raw* raw() const { return raw_; }

 private:
  Linked() = default;
  std::shared_ptr<const Compiled> code_;
  std::shared_ptr<Remote> remote_;
  Raw* raw_ = nullptr;
};

struct Preopen {
  int dir_fd = -1;         // an O_PATH or readable directory descriptor; the instance duplicates it
  std::string guest_path;  // "/data"
  bool writable = false;
};

// kStepped: 1 ms at each look, and nothing between.
enum class ClockKind : std::uint8_t { kCoarse /* 1 ms */, kFine, kNone, kStepped };

// Limits of one store: sums over everything inside it.
struct StoreLimits {
  std::uint64_t memory_bytes = 64ull << 20;  // all linear memories and tables together
  std::uint32_t table_elements = 20'000;     // per table
  std::uint32_t instances = 32;              // core instances
  std::uint32_t tables = 8;
  std::uint32_t memories = 4;
  std::uint32_t handles = 4096;                // component resource handles, and 1/4 of it host resources
  std::uint64_t host_call_bytes = 4ull << 20;  // data lifted from the guest in one host call or result
  std::uint64_t random_bytes = 64 << 10;       // one request for random bytes
  std::uint64_t stdout_bytes = 64 << 10;       // kept of stdout; and as much of stderr; the rest is counted
  // Of a plugin for Extism: its variables, and one answer by HTTP.
  std::uint64_t var_bytes = 1 << 20;
  std::uint64_t http_response_bytes = 8 << 20;
};

class Network;

// Stops a running call from another thread. Copyable; may outlive the instance, then it does nothing.
class Interrupter {
 public:
  // For an instance that is not made yet: pass it in its options.
  static Interrupter Make();
  void Interrupt() const;  // the call ends with E_INTERRUPTED, blocked in a host call or not
  void* raw() const { return raw_.get(); }

  // How what runs in another process is stopped. Thread-safe.
  class Brake {
   public:
    // Called by Interrupt, on its thread; at once, when it was interrupted before. An empty function: none any more.
    // Returns when no call of an earlier one is under way.
    void Set(std::function<void()> stop);
    void Pull();
    bool pulled() const { return pulled_.load(); }

   private:
    std::atomic<bool> pulled_{false};
    std::mutex mutex_;
    std::function<void()> stop_;
  };
  Brake* brake() const { return brake_.get(); }
  // For an instance in another process.
  static Interrupter WithBrakeAlone();

 private:
  friend class Instance;
  std::shared_ptr<void> raw_;
  std::shared_ptr<Brake> brake_;
};

// Descriptors for a guest's standard streams, duplicated by the instance; -1: stdin_bytes, or output that is kept.
// Input is read when the guest asks for it. Output goes on as it is written, up to StoreLimits::stdout_bytes each, and
// without control characters to a terminal; when nobody reads it, the guest ends as by SIGPIPE: E_EXIT, status 141.
struct Streams {
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
};

struct InstanceOptions {
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> arguments;
  std::vector<Preopen> preopens;
  std::string stdin_bytes;
  std::optional<Streams> streams;  // in place of stdin_bytes and of output that is kept
  ClockKind clock = ClockKind::kCoarse;
  std::shared_ptr<const Network> network;  // null: every request is denied
  Interrupter interrupter;                 // of Make: stops the instance from its first instruction on
  StoreLimits limits;
  // kAsked: each operation on a file asks the channel ("cordon:host/files", "spend") how long to wait.
  enum class FileRate : std::uint8_t { kNone, kAsked } file_rate = FileRate::kNone;
  // For whom it runs: processes that ran something for one are not used for another. Empty is one, too.
  std::string tenant;
};

struct CallLimits {
  // From the start of the call, never less, and a tick (1 ms) more at most; also ends a call that is blocked in a host
  // call.
  Duration wall{std::chrono::seconds(30)};
  std::optional<Duration> cpu;        // of the calling thread
  std::optional<std::uint64_t> fuel;  // needs EngineOptions::fuel
};

struct Usage {
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t fuel = 0;
  std::uint64_t host_calls = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of the call's payloads
  std::uint64_t stdout_dropped_bytes = 0, stderr_dropped_bytes = 0;
  // Exact for making an instance, for CallOnce and for code that may block. Calls of other instances are timed by the
  // engine's ticks of a millisecond: zero for most short calls, right in the sum over many.
  Duration wall{0};
  Duration cpu{0};  // sampled each millisecond
  std::uint64_t file_read_bytes = 0, file_written_bytes = 0, file_operations = 0;
};

// What a later account has beyond an earlier one; the peak is the later one's.
Usage UsageSince(const Usage& before, Usage usage);
void AddUsage(Usage& sum, const Usage& more);

// Bytes in several places that are one payload, in this order. They may be cut anywhere; a long string or block of
// numbers that is a piece of its own is copied once, straight into guest memory.
using Pieces = std::span<const std::span<const std::uint8_t>>;

// Receives the result of a call.
class ResultSink {
 public:
  // Called at most once, while the call is made and on its thread. The pieces are checked (lengths, UTF-8, cases); long
  // strings and blocks of numbers lie in guest memory: copy what should stay, and do not use the instance here. The
  // call may still fail afterwards, in the guest's own clean-up: then what was taken means nothing.
  virtual void Take(Pieces pieces) noexcept = 0;

 protected:
  ~ResultSink() = default;
};

class Instance {
 public:
  // Runs start functions and initialisers under `limits`. `channel` may be null when nothing in the LinkSpec needs one.
  // E_BUSY when the engine's pool is full; E_MEMORY, E_INSTANCES, E_TIMEOUT, E_TRAP from initialisation.
  static Result<Instance> Create(std::shared_ptr<const Linked> linked, const InstanceOptions& options,
                                 std::shared_ptr<HostChannel> channel, const CallLimits& limits,
                                 std::uint64_t call_id = 0);
  Instance(Instance&&) noexcept;
  Instance& operator=(Instance&&) noexcept;
  ~Instance();

  // Calls an export. After any error the instance is poisoned: every later call is E_POISONED.
  // Errors: E_TIMEOUT, E_CPU, E_FUEL, E_MEMORY (a trap right after a denied growth), E_STACK_OVERFLOW, E_TRAP,
  // E_LIFT_LIMIT, E_HANDLE, E_EXIT (detail "status"), E_INTERRUPTED, E_INVALID (payload does not fit the type).
  Status Call(const Function& function, Pieces input, ResultSink& sink, const CallLimits& limits,
              std::uint64_t call_id = 0);
  // The same with one buffer each way; `output` is replaced, and means nothing after an error.
  Status Call(const Function& function, std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output,
              const CallLimits& limits, std::uint64_t call_id = 0);

  bool poisoned() const;
  Usage usage() const;       // cumulative over the instance
  std::string TakeStdout();  // what the guest wrote, bounded; bytes as they are, so escape them
  std::string TakeStderr();
  Interrupter interrupter() const;
  // Keeps something for as long as the instance lives.
  void Hold(std::shared_ptr<void> held) { held_ = std::move(held); }

 private:
  Instance() = default;
  struct Raw;
  Raw* raw_ = nullptr;
  std::shared_ptr<const Linked> linked_;
  std::shared_ptr<void> held_;
};

// What a call in a fresh instance leaves behind, failed or not. Any may be null.
struct CallTraces {
  Usage* usage = nullptr;
  std::string* out = nullptr;  // standard output and error, as TakeStdout gives them
  std::string* err = nullptr;
};

// Create, Call, destroy in one crossing, under one deadline: the hot path of "a fresh sandbox per call".
Status CallOnce(const std::shared_ptr<const Linked>& linked, const InstanceOptions& options,
                const std::shared_ptr<HostChannel>& channel, const Function& function, Pieces input, ResultSink& sink,
                const CallLimits& limits, std::uint64_t call_id, const CallTraces& traces);
Status CallOnce(const std::shared_ptr<const Linked>& linked, const InstanceOptions& options,
                const std::shared_ptr<HostChannel>& channel, const Function& function,
                std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output, const CallLimits& limits,
                std::uint64_t call_id, const CallTraces& traces);

// "wasmtime 48.0.8" and the features compiled in, for `cordon version`.
std::string EngineVersion();

}  // namespace cordon::engine
