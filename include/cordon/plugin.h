// A loaded plugin: compiled, linked, its authority computed. Host::Load makes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/async.h"
#include "cordon/authority.h"
#include "cordon/call.h"
#include "cordon/function.h"
#include "cordon/quota.h"
#include "cordon/result.h"

namespace cordon {

// One action, as people and tools see it. Descriptions are the author's: escape before display.
struct Action {
  std::string name;  // what Plugin::Call takes
  std::string description;
  std::string export_name;   // "acme:linkcheck/checker#check"
  std::string wit;           // "func(url: string) -> bool"
  std::string input_schema;  // JSON Schema (draft 2020-12)
  std::string output_schema;
  RiskLevel risk = RiskLevel::kLow;
};

// An instance that stays: its memory lives from call to call. One thread at a time; a call while another runs, from
// inside a host service too, is E_BUSY. After an error of the guest every later call is E_POISONED. Keeps its plugin's
// code alive.
class Instance {
 public:
  Instance(Instance&&) noexcept;
  Instance& operator=(Instance&&) noexcept;
  ~Instance();

  // As Plugin::Call.
  Result<Answer> Call(std::string_view action, std::string_view input_json, const CallOptions& options = {});
  bool poisoned() const;
  Usage usage() const;  // of all calls together

 private:
  friend class Plugin;
  friend detail::InstanceState& detail::StateOf(Instance& instance);
  explicit Instance(std::unique_ptr<detail::InstanceState> state);
  std::unique_ptr<detail::InstanceState> state_;
};

// What became of a resident: a plugin with one instance that stays, which all calls of it go to (`runtime: { instance:
// resident }`).
struct Residency {
  enum class State : std::uint8_t {
    kIdle,         // not started yet
    kRunning,      // there is an instance
    kBackingOff,   // it fell, and is made anew at `next_start`
    kStopped,      // it ended, and its manifest has it made no more
    kQuarantined,  // it fell too often; Release
    kClosed,       // by Unload or Shutdown
  };
  struct Failure {
    std::chrono::system_clock::time_point when;
    Error error;  // may hold text of the guest: escape before display
  };
  State state = State::kIdle;
  std::uint64_t restarts = 0;
  std::vector<Failure> failures{};                                  // the last 16, the newest at the end
  std::optional<std::chrono::system_clock::time_point> snapshot{};  // of the state that a restart gives back
  std::uint64_t snapshot_bytes = 0;
  std::optional<std::chrono::nanoseconds> next_start{};  // from now
};

// Immutable and thread-safe; copies are handles to one plugin, which lives as long as any of them, a TypedFunction or
// an Instance does.
class Plugin {
 public:
  const std::string& name() const;    // "acme/linkcheck", or the file's name for a bare .wasm
  const std::string& digest() const;  // of the artifact: "sha256:…"
  std::vector<Action> Actions() const;
  Authority authority() const;
  Limits limits() const;

  // Calls an action with a JSON object of its parameters, in a fresh instance: nothing stays of the call before.
  // Errors: E_NOT_FOUND, E_INPUT_SCHEMA, E_INPUT_SIZE and E_SYNTAX before anything runs; E_TIMEOUT, E_CPU, E_FUEL,
  // E_MEMORY, E_STACK_OVERFLOW, E_TRAP, E_EXIT, E_LIFT_LIMIT, E_HANDLE, E_INTERRUPTED of the guest; E_OUTPUT_SCHEMA,
  // E_OUTPUT_SIZE; E_BUSY when no instance is free, or a quota is used up (then with the detail "retry-after");
  // E_UNAVAILABLE after Unload or Shutdown; E_USAGE from inside a host service without CallOptions::parent;
  // E_AUDIT_UNAVAILABLE.
  Result<Answer> Call(std::string_view action, std::string_view input_json, const CallOptions& options = {}) const;
  // The same, with what is known of a call that failed: its output so far and its usage.
  Status Call(std::string_view action, std::string_view input_json, const CallOptions& options, Answer& answer) const;
  // On the Host's threads: async.h.
  Pending<Answer> CallAsync(std::string action, std::string input_json, Executor executor,
                            CallOptions options = {}) const;

  // The same as a future, for programs that wait for many at once. It is ready when the call ended; letting it go
  // leaves the call alone.
  std::future<Result<Answer>> Submit(std::string action, std::string input_json, CallOptions options = {}) const;

  // An action, or an export as WIT names it, by its C++ types. E_NOT_FOUND; E_TYPE when they differ from the plugin's,
  // naming both.
  template <typename Signature>
  Result<TypedFunction<Signature>> Function(std::string_view name) const {
    try {
      auto bound = Bind(name, TypedFunction<Signature>::Shape());
      if (!bound) return Fail(std::move(bound).error());
      return TypedFunction<Signature>(std::move(*bound));
    } catch (const std::bad_alloc&) {
      return Fail(detail::NoMemory());
    }
  }
  // What Function stands on, with the types as text: for bindings of other languages.
  Result<std::shared_ptr<const detail::BoundFunction>> Bind(std::string_view name, std::string shape) const;
  // A warm instance. E_BUSY when none is free, and what its initialisers may run into.
  Result<Instance> NewInstance(const CallOptions& options = {}) const;

  // Takes back what `capability` ("http:GET:https://a.example/*") has a part of, for all that is left of this plugin's
  // life: from its next question on the guest is denied, in calls that run too. When that is something an instance
  // holds from its start (files, environment), every later call is E_DENIED. Grants of a file are taken back by
  // changing it: the host sees that by itself. Errors of the capability grammar; E_AUDIT_UNAVAILABLE when it was done
  // and could not be recorded.
  Status Revoke(std::string_view capability) const;
  // What this plugin used, and what its quotas leave to it; live, and of all handles and earlier loads of its name.
  UsageTotals Totals() const;
  // From now on every call, through any handle, is E_UNAVAILABLE; running ones go on to their end. Of a resident they
  // have the time that its manifest calls `drain`, and this waits for them, and for a last snapshot; not so from inside
  // a host service.
  void Unload() const;

  // Of a resident; nothing for another.
  std::optional<Residency> residency() const;
  // Starts a resident before its first call does. What its initialisers and `restore` may run into; E_USAGE when it is
  // none.
  Status Start() const;
  // Lets a resident out of quarantine, or go on after it stopped: the next call starts it. E_USAGE when it is in
  // neither.
  Status Release() const;

  struct State;
  const State& state() const { return *state_; }

 private:
  friend class Host;
  friend class Deployment;
  explicit Plugin(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace cordon
