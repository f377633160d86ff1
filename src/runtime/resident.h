// The one instance of a resident, which all calls of it go to, one after another; and what keeps it alive: restarts,
// probes, snapshots of its state (docs/guide/residents.md).
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/observer.h"
#include "base/fork_mark.h"
#include "manifest/lifecycle.h"
#include "runtime/kept_instances.h"
#include "runtime/meter.h"
#include "runtime/snapshot_store.h"
#include "runtime/supervisor.h"
#include "runtime/timer.h"

namespace cordon::runtime {

class KillSwitch;
class PluginStanding;

inline constexpr std::size_t kWaitingMax = 64;     // calls in line; one more is E_BUSY
inline constexpr std::size_t kErrorsKeptMax = 16;  // of a resident; then the oldest goes
inline constexpr Duration kSnapshotWallMax = std::chrono::seconds(5);

// What became of a resident so far.
struct ResidentStatus {
  struct Failure {
    std::chrono::system_clock::time_point when;
    Error error;
  };
  Supervisor::State state = Supervisor::State::kIdle;
  std::uint64_t restarts = 0;
  std::vector<Failure> failures;                                  // the last ones, the newest at the end
  std::optional<std::chrono::system_clock::time_point> snapshot;  // when the last was made, by any host
  std::uint64_t snapshot_bytes = 0;
  std::optional<Duration> next_start;  // while it is backing off
};
std::string_view ResidentStateName(Supervisor::State state);

struct ResidentOptions {
  std::string plugin;
  InstanceRecipe recipe;
  engine::CallLimits limits;  // of starting it, and the bound of whatever else it is asked between calls
  manifest::Lifecycle lifecycle;
  SupervisorOptions supervisor;
  std::function<double()> chance;
  // Functions of cordon:lifecycle; those that `lifecycle` needs.
  std::optional<engine::Function> snapshot{}, restore{}, alive{};
  std::shared_ptr<SnapshotStore> store{};  // with `snapshot`
  std::shared_ptr<audit::Observer> observer;
  audit::Record record;  // what each of its records begins as
  std::shared_ptr<PluginMeter> meter;
  std::shared_ptr<Timer> timer;
  std::shared_ptr<KillSwitch> kill_switch{};  // may be null
  std::shared_ptr<PluginStanding> standing{};
  std::uint64_t call_id = 0;  // of what it is asked between calls
};

// Thread-safe.
class Resident final : public KeptInstances, public Timed, public std::enable_shared_from_this<Resident> {
 public:
  explicit Resident(ResidentOptions options);
  ~Resident() override;

  // Waits for its turn. Beside the errors of the guest: E_BUSY when too many wait, or its turn did not come in time;
  // E_UNAVAILABLE while there is no instance (details "reason" and, where it helps, "retry-after").
  Status Call(const KeptCall& call) override;
  // The first call does it otherwise.
  Status Start();
  // Calls that were there have `most` to end; then a last snapshot, then the end. New ones are E_UNAVAILABLE. Returns
  // when it is done, whoever began it.
  void Drain(Duration most);
  // The first part of it: new calls are refused.
  void BeginDrain();
  // Who answers in place of one that is drained; null: nobody, or it is not drained.
  std::shared_ptr<const Plugin> successor() const;
  void SucceededBy(const std::shared_ptr<const Plugin>& next);
  Duration drain_time() const { return options_.lifecycle.drain; }
  // After Drain, when what was to take its place did not: it goes on from its snapshot.
  void Resume();
  // Between the two calls wait: what it takes the place of is still being drained. REQUIRES: it was not called yet.
  void HoldCalls();
  void LetCalls() { EndTurn(); }
  // Out of quarantine, or after it stopped. E_USAGE when it is in neither.
  Status Release();
  ResidentStatus status() const;

  MonotonicTime Tick(MonotonicTime now) override;

 private:
  class Turn;
  using Lock = std::unique_lock<std::mutex>;

  Result<Turn> Wait(CallHandle* handle, MonotonicTime end);
  bool TakeTurn(Lock& lock, Duration most);  // before all who wait
  void EndTurn();
  Status CheckOpen() const;  // REQUIRES: mutex_
  Error NotThere() const;    // REQUIRES: mutex_
  void Wake(MonotonicTime when);
  MonotonicTime NextLook() const;  // REQUIRES: mutex_

  // REQUIRES: the turn, and not mutex_, for all that follow.
  Status Ensure(Duration wall, CallHandle* handle);
  Status MakeInstance(Duration wall, CallHandle* handle);
  Status Restore(engine::Instance& instance, Duration wall, CallHandle* handle, bool& begin_again);
  void Probe();
  void TakeSnapshot();
  // Asks a function of cordon:lifecycle, which answers result<T, string>: T's bytes.
  Result<std::vector<std::uint8_t>> Ask(engine::Instance& instance, const engine::Function& function,
                                        std::span<const std::uint8_t> input, Duration wall, CallHandle* handle);
  Status UnderSwitch(const std::function<Status(CallHandle*)>& body);
  void Fell(Supervisor::End why, const Error& error);
  void Remember(const Error& error);
  void Tell(std::string rule, std::string note, std::optional<Code> code = std::nullopt) const;
  void Meter() const;  // REQUIRES: mutex_

  const ResidentOptions options_;
  ForkMark mark_;
  mutable std::mutex mutex_;  // guards what follows, but what belongs to whoever has the turn
  std::condition_variable changed_;
  bool is_busy_ = false;       // somebody has the turn
  bool keeper_waits_ = false;  // before all others
  bool is_draining_ = false, is_drained_ = false;
  std::weak_ptr<const Plugin> next_;
  std::list<int> line_;
  Supervisor supervisor_;
  std::deque<ResidentStatus::Failure> failures_;
  std::optional<std::chrono::system_clock::time_point> snapshot_made_;
  std::uint64_t snapshot_bytes_ = 0;
  MonotonicTime probe_at_ = MonotonicTime::max(), snapshot_at_ = MonotonicTime::max();
  engine::Interrupter interrupter_;  // of the instance

  // Of whoever has the turn.
  std::optional<engine::Instance> instance_;
  bool is_changed_ = false;  // since the last snapshot
};

}  // namespace cordon::runtime
