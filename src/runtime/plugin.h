// A Plugin: found, read, compiled, linked, with its authority computed. Immutable and thread-safe; each call gets a
// fresh instance, unless it was granted to keep them. Made by Host::Load.
#pragma once

#include <atomic>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "abi/guest_abi.h"
#include "abi/link_plan.h"
#include "base/digest.h"
#include "engine/engine.h"
#include "formats/json.h"
#include "formats/wit.h"
#include "manifest/limits.h"
#include "manifest/manifest.h"
#include "policy/authority.h"
#include "policy/grant.h"
#include "services/log.h"
#include "services/quota.h"

namespace cordon::runtime {

class Host;
struct ResidentStatus;  // resident.h

// One file system folder that the plugin sees, opened once when it was loaded.
struct Mount {
  std::string guest_path;
  std::filesystem::path host_path;  // for people: the descriptor is what counts
  policy::Access access = policy::Access::kRead;
};

// Where the code of a plugin runs, and what decided that: "in-process", "worker", "bubblewrap" or another backend;
// "level:paranoid", "plugins.isolation.force", "plugins.isolation.enabled", "abi:native" or "host".
struct Place {
  std::string_view where = "in-process", rule = "host";
};

// What one call may be given beyond its input.
struct CallOptions {
  std::optional<Duration> timeout;                  // never beyond the plugin's own limit
  std::uint64_t call_id = 0;                        // 0: the host numbers it
  std::vector<std::string> callers;                 // the chain, outermost first
  policy::KindSet passed = policy::KindSet::All();  // what these let it use
  Principal principal;                              // in whose name; E_INVALID, E_LIMIT
  std::string traceparent;                          // of W3C, from whoever calls; what is not one counts as none
  std::string stdin_bytes;
  // Stops the call from another thread; watching it costs a little, so leave it out of hot loops.
  std::shared_ptr<class CallHandle> handle;  // may be null
  // Who answers the questions of a native plugin; null: nobody, and it gets what it says itself for that case.
  std::shared_ptr<class NativeTerminal> terminal;
  std::shared_ptr<services::CallTicket> ticket;  // of TryAdmit: its place; null: the call asks for one itself
  // kBytes: the input is what the guest gets, and the output what it gave, for plugins for Extism; E_USAGE for others.
  enum class Form : std::uint8_t { kJson, kBytes } form = Form::kJson;
  enum class Switch : std::uint8_t { kOpen, kEntered /* the kill switch knows of this call */ } kill = Switch::kOpen;
};

// Stops a call from another thread or from a signal's follow-up. Thread-safe.
class CallHandle {
 public:
  void Interrupt();
  bool interrupted() const { return interrupted_.load(); }
  // What is interrupted from now on, at once if that was asked for before; an empty one: nothing any more.
  void Watch(engine::Interrupter interrupter);

 private:
  std::atomic<bool> interrupted_{false};
  std::mutex mutex_;
  engine::Interrupter interrupter_;
};

// What a call gave. `output` is JSON text when the guest answered, or bytes for who asked for them; for
// `answered_with_error` its WIT result was an err.
struct CallReport {
  std::string output = "null";
  bool answered_with_error = false;
  std::string stdout_text, stderr_text;  // bytes of the guest: escape before display
  engine::Usage usage;
  std::uint64_t call_id = 0;
  int exit_status = 0;               // of a command that ended by itself
  bool resident_failed = false;      // and not the question: the call of a resident that fell, or is not there
  std::optional<Duration> degraded;  // the age of the answer, which is the last good one in place of another
};

// What a plugin did since its host was made, and what it does now.
struct Totals {
  std::uint64_t calls = 0, failures = 0;
  Duration wall{0}, cpu{0};
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of inputs and results
  std::uint64_t file_read_bytes = 0, file_written_bytes = 0, file_operations = 0;
  std::uint64_t network_sent_bytes = 0, network_received_bytes = 0;  // bodies
  std::uint64_t host_calls = 0;
  std::uint64_t memory_peak_bytes = 0;  // of the call that had the most
  std::uint64_t running = 0, waiting = 0;
  std::uint64_t memory_reserved_bytes = 0, memory_reserved_peak_bytes = 0;  // the peak: where there is a quota
  std::vector<services::QuotaUsage> quotas;
};

// How a command is run as a program of its own.
struct CommandCall {
  engine::Streams streams;  // where its standard streams lead; output without a place is kept in the report
  // kLimited: as much output as the limits let a plugin write; the rest is dropped and counted.
  enum class Output : std::uint8_t { kLimited, kUnlimited } output = Output::kLimited;
};

// One action as people and MCP see it.
struct ActionView {
  std::string name;  // "check", or "iface#func" for an export that no manifest names
  std::string description;
  std::string export_name;  // resolved: "acme:linkcheck/checker#check"
  std::string wit;          // "func(url: string) -> bool"
  Json input_schema;
  Json output_schema;
  policy::RiskLevel risk;
};

class Plugin {
 public:
  ~Plugin();
  const std::string& name() const;             // "acme/linkcheck", or the file's name for a bare .wasm
  const Digest& digest() const;                // of the artifact
  const manifest::Manifest* manifest() const;  // null for a bare .wasm
  const wit::Contract& contract() const;
  const policy::Authority& authority() const;
  const abi::LinkPlan& link_plan() const;
  const manifest::Limits& limits() const;
  std::span<const Mount> mounts() const;
  // The files that its grants of programs on disk were written down for.
  const std::map<std::string, policy::ProgramPin>& programs() const;
  std::vector<ActionView> Actions() const;
  policy::RiskLevel risk() const;
  const Place& place() const;
  // Whether its input and output are bytes: it is written for Extism.
  bool TakesBytes() const;
  manifest::Abi abi() const;
  // How its guests wait for the host: never, on stacks of their own, or in another process.
  enum class Waits : std::uint8_t { kNever, kWithoutThread, kForProcess };
  Waits waits() const;

  // Takes back what the capability has a part of: every question that follows is denied (rule "revoked"), in calls that
  // run too. When that is something an instance holds from its start, every later call is E_DENIED. One audit record.
  Status Revoke(const policy::Capability& capability) const;

  // From now on no other plugin calls it; running calls go on.
  void Retire() const;
  bool retired() const;

  // Makes one instance, and lets it go: E_LINK, E_TRAP and what else its initialisers may run into; E_BUSY when none is
  // free. Nothing of a native plugin is run.
  Status Prove(const CallOptions& options = {}) const;
  // Whether the grants on disk are others for it by now.
  bool GrantsDiffer() const;

  // Of a resident. Nothing: it is none.
  std::optional<ResidentStatus> residency() const;
  // Starts a resident before its first call does. Errors of its start; E_USAGE when it is none.
  Status Start() const;
  // Calls under way have so long, by default what the manifest says; then a last snapshot, then the instance ends.
  // New ones are E_UNAVAILABLE. Resume takes that back. Nothing happens to a plugin that is no resident.
  void Drain(std::optional<Duration> most = std::nullopt) const;
  void BeginDrain() const;
  void Resume() const;
  // Calls of a resident that was not called yet wait between the two.
  void HoldCalls() const;
  void LetCalls() const;
  // Calls by name of a resident that is drained go to `next` from then on.
  void SucceededBy(const std::shared_ptr<const Plugin>& next) const;
  // Lets it out of quarantine. E_USAGE when it is not in it.
  Status Release() const;
  // Whether the answer to a hook may be missing, after `failure`; then one record says so.
  bool LeaveOut(std::string_view hook, const Error& failure) const;

  // Whether it could be linked; else E_LINK or E_DENIED with every cause. `explain` and `inspect` look at plugins that
  // cannot.
  Status Runnable() const;

  // Calls an action with JSON text: an object by parameter name. A fresh instance; `report` is filled as far as the
  // call came, on failure too. Errors: E_NOT_FOUND (no such action; the remedy names the nearest), E_INPUT_SCHEMA,
  // E_OUTPUT_SCHEMA, E_INPUT_SIZE, E_OUTPUT_SIZE, and those of engine::Instance.
  Status Call(std::string_view action, std::string_view input_json, const CallOptions& options,
              CallReport& report) const;

  // Whether it is a command: a core module that exports _start, or a component that exports wasi:cli/run.
  bool is_command() const;
  // Runs it, in a fresh instance, with its own name before the arguments that it was granted. E_EXIT with the detail
  // "status" when it ended with another status than 0, which is in the report too; E_INVALID when it is no command.
  Status RunCommand(const CommandCall& command, const CallOptions& options, CallReport& report) const;

  // An action, or an export as WIT names it, for callers that bring their own types.
  struct Target {
    engine::Function function;
    engine::CallLimits limits;
    std::size_t input_bytes_max = 0;
    std::string shape;        // "(s32,s32)->s32"
    std::string export_name;  // resolved
  };
  Result<Target> FindTarget(std::string_view name) const;
  // The hot path: no JSON, no schema; payloads in the wire format. Successful calls are counted for the audit, others
  // have a record. E_INPUT_SIZE.
  Status CallTarget(const Target& target, engine::Pieces input, engine::ResultSink& sink,
                    const CallOptions& options = {}) const;
  // The same in an instance of NewInstance; whoever keeps the instance counts what went well, by CountCalls.
  Status CallTargetIn(engine::Instance& instance, const Target& target, engine::Pieces input, engine::ResultSink& sink,
                      const CallOptions& options, std::uint64_t call_id) const;
  // The same without options.
  Status CallTargetIn(engine::Instance& instance, const Target& target, engine::Pieces input, engine::ResultSink& sink,
                      std::uint64_t call_id) const;
  // An action with JSON in an instance of NewInstance; errors as Call.
  Status CallIn(engine::Instance& instance, std::string_view action, std::string_view input_json,
                const CallOptions& options, CallReport& report) const;
  // `count` identifiers in a row, the first of which is given back.
  // `count` ids are kCallIdStep apart, from the one given on.
  std::uint64_t NextCallId(std::uint64_t count = 1) const;
  static constexpr std::uint64_t kCallIdStep = 16;
  // Asks for a place under the quotas, without waiting, for a call that starts soon: CallOptions::ticket. Null where
  // there is no quota; else why not now, and when to come again.
  // What is refused is not counted until CountRefusal.
  std::expected<std::shared_ptr<services::CallTicket>, services::Refusal> TryAdmit() const;
  void CountRefusal(const services::Refusal& refusal) const;
  bool HasQuota() const;
  Totals Sums() const;
  // What whoever keeps an instance saw of its use.
  void CountUse(const engine::Usage& usage) const;
  // Calls that wait to be made, more or fewer.
  void CountWaiting(std::int64_t by) const;
  // Adds calls to the audit's tally.
  Status CountCalls(std::uint64_t count, Duration total) const;

  // As FindTarget and CallTarget, without limits of the action. `function` from Resolve.
  Result<engine::Function> Resolve(std::string_view action) const;
  Status CallRaw(const engine::Function& function, std::span<const std::uint8_t> input,
                 std::vector<std::uint8_t>& output, const CallOptions& options = {}) const;
  // A warm instance that the caller keeps; it must not outlive the Plugin.
  Result<engine::Instance> NewInstance(const CallOptions& options = {}) const;

  struct State;

 private:
  friend class Host;
  Result<engine::Instance> MakeInstance(const CallOptions& options) const;
  Status CallCommand(std::string_view action_name, const struct BoundAction& action, std::string_view input_json,
                     const CallOptions& options, CallReport& report) const;
  using RunGuest = std::function<Status(const struct BoundAction& action, std::span<const std::uint8_t> input,
                                        std::vector<std::uint8_t>& output, const engine::CallLimits& limits)>;
  Status CallIn(std::string_view action_name, std::string_view input_json, const CallOptions& options,
                CallReport& report, const RunGuest& run) const;
  Status Answer(class CallScope& scope, std::string_view action_name, std::string_view input_json,
                const CallOptions& options, CallReport& report, const RunGuest& run) const;
  // What an instance is given for a call; `own` holds it when that is not what every call gets.
  const engine::InstanceOptions& OptionsOf(const CallOptions& options, engine::InstanceOptions& own) const;
  Status CheckInput(engine::Pieces input) const;
  Status RunTarget(const Target& target, engine::Pieces input, engine::ResultSink& sink, const CallOptions& options,
                   std::uint64_t call_id, engine::Usage& usage) const;
  explicit Plugin(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cordon::runtime
