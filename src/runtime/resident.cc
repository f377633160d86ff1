#include "runtime/resident.h"

#include <algorithm>

#include "base/wire.h"
#include "runtime/kill_switch.h"
#include "runtime/standing.h"

namespace cordon::runtime {
namespace {

using Clock = std::chrono::steady_clock;
using End = Supervisor::End;
using State = Supervisor::State;

constexpr Duration kKeeperWaitMax = std::chrono::seconds(1);     // of the timer, for a turn
constexpr Duration kLookAgain = std::chrono::milliseconds(100);  // when it did not get one
constexpr Duration kStopMax = std::chrono::seconds(2);           // for a call that was stopped, to end
constexpr Duration kCallerGone = std::chrono::hours(24 * 365);

std::uint64_t NowMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

MonotonicTime After(MonotonicTime now, Duration wall) { return now + std::min(wall, kCallerGone); }

// Whose fault it is that a guest did not answer. `is_cut`: it had less time than it may have.
End FaultOf(const Error& error, bool is_cut) {
  switch (error.code) {
    case Code::kInterrupted:
    case Code::kBusy:
    case Code::kDenied:
    case Code::kIo:
    case Code::kUnavailable: return End::kNotItsFault;
    case Code::kTimeout: return is_cut ? End::kNotItsFault : End::kFailed;
    case Code::kExit: return error.Detail("status") == "0" ? End::kLeft : End::kFailed;
    default: return End::kFailed;
  }
}

std::string Said(const Error& error) { return std::string(CodeName(error.code)) + ": " + error.message; }

}  // namespace

std::string_view ResidentStateName(State state) {
  switch (state) {
    case State::kIdle: return "idle";
    case State::kRunning: return "running";
    case State::kBackingOff: return "backing-off";
    case State::kStopped: return "stopped";
    case State::kQuarantined: return "quarantined";
    case State::kClosed: break;
  }
  return "closed";
}

// The right to use the instance.
class Resident::Turn {
 public:
  explicit Turn(Resident& of) : of_(&of) {}
  Turn(Turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (of_ != nullptr) of_->EndTurn();
  }

 private:
  Resident* of_;
};

Resident::Resident(ResidentOptions options)
    : options_(std::move(options)), supervisor_(options_.supervisor, options_.chance) {}

Resident::~Resident() = default;

// ---- Turns --------------------------------------------------------------------------------------------------------

Status Resident::CheckOpen() const {
  if (!is_draining_) return {};
  return Fail(Error(Code::kUnavailable, options_.plugin + " is being unloaded", "load it again")
                  .With("reason", is_drained_ ? "closed" : "draining"));
}

Result<Resident::Turn> Resident::Wait(CallHandle* handle, MonotonicTime end) {
  {
    const Lock lock(mutex_);
    CORDON_TRY(CheckOpen());
    if (!is_busy_ && !keeper_waits_ && line_.empty()) {
      is_busy_ = true;
      return Turn(*this);
    }
  }
  // Whoever cancels the call wakes it.
  const engine::Interrupter waker = engine::Interrupter::WithBrakeAlone();
  waker.brake()->Set([this] {
    const Lock lock(mutex_);
    changed_.notify_all();
  });
  if (handle != nullptr) handle->Watch(waker);
  const auto wait = [&]() -> Status {
    Lock lock(mutex_);
    CORDON_TRY(CheckOpen());
    if (line_.size() >= kWaitingMax) {
      return Fail(Error(Code::kBusy, std::to_string(kWaitingMax) + " calls of " + options_.plugin + " wait already",
                        "try again, or let it be pooled: it answers one call at a time")
                      .With("retry-after", "1s"));
    }
    const auto place = line_.insert(line_.end(), 0);
    const auto may_go = [&] {
      return (handle != nullptr && handle->interrupted()) || is_drained_ ||
             (!is_busy_ && !keeper_waits_ && place == line_.begin());
    };
    const bool in_time = changed_.wait_until(lock, end, may_go);
    line_.erase(place);
    changed_.notify_all();
    if (handle != nullptr && handle->interrupted()) {
      return Fail(Code::kInterrupted, "the call was cancelled while it waited; nothing ran");
    }
    if (is_drained_) return CheckOpen();
    if (!in_time) {
      return Fail(Error(Code::kBusy, options_.plugin + " was busy for all of the call's time; nothing ran", "try again")
                      .With("retry-after", "1s"));
    }
    is_busy_ = true;
    return {};
  };
  Status waited = wait();
  if (handle != nullptr) handle->Watch({});
  waker.brake()->Set({});
  CORDON_TRY(waited);
  return Turn(*this);
}

bool Resident::TakeTurn(Lock& lock, Duration most) {
  keeper_waits_ = true;
  const bool mine = changed_.wait_for(lock, most, [this] { return !is_busy_ || is_drained_; });
  keeper_waits_ = false;
  if (mine && !is_drained_) {
    is_busy_ = true;
    return true;
  }
  changed_.notify_all();
  return false;
}

void Resident::EndTurn() {
  const Lock lock(mutex_);
  is_busy_ = false;
  changed_.notify_all();
}

// ---- What is told, and remembered ---------------------------------------------------------------------------------

void Resident::Tell(std::string rule, std::string note, std::optional<Code> code) const {
  audit::Record record = options_.record;
  record.event = audit::Event::kNote;
  record.rule = std::move(rule);
  record.note = std::move(note);
  record.code = code;
  (void)options_.observer->On(record);  // what happened stands, recorded or not; the observer counts what it lost
}

void Resident::Remember(const Error& error) {
  const Lock lock(mutex_);
  if (failures_.size() >= kErrorsKeptMax) failures_.pop_front();
  failures_.push_back({std::chrono::system_clock::now(), error});
}

void Resident::Meter() const {
  options_.meter->SetResident(ResidentStateName(supervisor_.state()), supervisor_.restarts());
}

// The instance ended, or none could be made.
void Resident::Fell(End why, const Error& error) {
  instance_.reset();
  is_changed_ = false;
  Remember(error);
  std::optional<MonotonicTime> next;
  State state;
  {
    const Lock lock(mutex_);
    interrupter_ = {};
    probe_at_ = snapshot_at_ = MonotonicTime::max();
    if (supervisor_.state() != State::kClosed) supervisor_.Ended(why, Clock::now());
    state = supervisor_.state();
    next = supervisor_.next_start();
    Meter();
  }
  if (state == State::kQuarantined) {
    Tell("resident:quarantine", "a crash loop: " + Said(error), error.code);
  } else if (state == State::kStopped) {
    Tell("resident:stop", "it ended, and its manifest has it made no more: " + Said(error), error.code);
  }
  if (next) Wake(*next);
}

Error Resident::NotThere() const {
  const State state = supervisor_.state();
  const std::string name(ResidentStateName(state));
  std::string message = options_.plugin + " has no instance: it is " + name;
  Error error(Code::kUnavailable, std::move(message));
  error.details.emplace_back("reason", name);
  if (state == State::kQuarantined || state == State::kStopped) {
    error.remedy = "see its errors, and let it out: Plugin::Release; or load it again";
  } else if (const auto next = supervisor_.next_start()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now());
    error.remedy = "try again";
    error.details.emplace_back("retry-after", FormatDuration(std::max<Duration>(left, std::chrono::milliseconds(1))));
  }
  if (!failures_.empty()) error.causes.push_back(failures_.back().error);
  return error;
}

void Resident::Wake(MonotonicTime when) {
  // Without a thread its calls do what is due of restarts.
  (void)options_.timer->Set(shared_from_this(), when);
}

// ---- Starting -----------------------------------------------------------------------------------------------------

Status Resident::UnderSwitch(const std::function<Status(CallHandle*)>& body) {
  if (options_.standing != nullptr) CORDON_TRY(options_.standing->Check());
  if (options_.kill_switch == nullptr) return body(nullptr);
  CORDON_ASSIGN(const KillSwitch::Running running, options_.kill_switch->Enter(nullptr, options_.standing));
  return running.Judge(body(running.handle().get()));
}

Result<std::vector<std::uint8_t>> Resident::Ask(engine::Instance& instance, const engine::Function& function,
                                                std::span<const std::uint8_t> input, Duration wall,
                                                CallHandle* handle) {
  std::vector<std::uint8_t> answer;
  BytesSink sink(answer);
  KeptCall call{.function = function,
                .input = engine::Pieces(&input, 1),
                .sink = sink,
                .limits = options_.limits,
                .call_id = options_.call_id,
                .handle = handle};
  call.limits.wall = std::min(call.limits.wall, wall);
  CORDON_TRY(CallIn(instance, call));
  if (sink.fell_short() || answer.empty()) return Fail(Code::kMemory, "its answer could not be kept");
  if (answer.front() == 0) {
    answer.erase(answer.begin());
    return answer;
  }
  wire::Reader in(answer);
  (void)in.Bool();
  return Fail(Code::kGuest, std::string(in.String()));
}

// `begin_again`: the state was refused and is set aside, and an instance without it is wanted.
Status Resident::Restore(engine::Instance& instance, Duration wall, CallHandle* handle, bool& begin_again) {
  CORDON_ASSIGN(const std::optional<Snapshot> kept, options_.store->Find());
  if (!kept) return {};
  wire::Buffer input;
  wire::Writer out(input);
  out.Count(kept->state.size());
  out.Raw(kept->state);
  const bool is_cut = wall < options_.limits.wall;
  const auto restored = Ask(instance, *options_.restore, input, wall, handle);
  if (restored) {
    const Lock lock(mutex_);
    snapshot_made_ = std::chrono::system_clock::time_point(std::chrono::milliseconds(kept->made_ms));
    snapshot_bytes_ = kept->state.size();
    return {};
  }
  Error error = restored.error();
  // Where nothing but the place is known to have failed, the state is tried again.
  const bool is_guest = error.code != Code::kWorkerLost && FaultOf(error, is_cut) != End::kNotItsFault;
  if (!is_guest) return Fail(std::move(error));
  CORDON_TRY(options_.store->SetAside(*kept));
  error.message = "restore refused the state of " + std::to_string(kept->state.size()) + " bytes that " +
                  kept->artifact + " left, which is kept aside: " + error.message;
  Tell("resident:state-refused", error.message, error.code);
  begin_again = error.code == Code::kGuest;
  if (begin_again) Remember(error);
  return Fail(std::move(error));
}

Status Resident::MakeInstance(Duration wall, CallHandle* handle) {
  const MonotonicTime end = After(Clock::now(), wall);
  for (bool begin_again = true; begin_again;) {
    begin_again = false;
    engine::CallLimits limits = options_.limits;
    limits.wall = std::max<Duration>(end - Clock::now(), Duration(1));
    CORDON_ASSIGN(engine::Instance made, options_.recipe.Make(limits, options_.call_id, handle));
    if (options_.restore && options_.store != nullptr) {
      const Duration left = std::max<Duration>(end - Clock::now(), Duration(1));
      Status restored = Restore(made, left, handle, begin_again);
      if (begin_again) continue;
      CORDON_TRY(restored);
    }
    instance_.emplace(std::move(made));
  }
  return {};
}

Status Resident::Ensure(Duration wall, CallHandle* handle) {
  if (instance_) return {};
  bool is_first = false;
  {
    const Lock lock(mutex_);
    if (!supervisor_.MayStart(Clock::now())) return Fail(NotThere());
    is_first = failures_.empty();
  }
  const bool is_cut = wall < options_.limits.wall;
  Status made = MakeInstance(std::min(wall, options_.limits.wall), handle);
  if (!made) {
    Fell(FaultOf(made.error(), is_cut), made.error());
    return made;
  }
  MonotonicTime next;
  std::uint64_t restarts = 0;
  {
    const Lock lock(mutex_);
    supervisor_.Started(Clock::now());
    restarts = supervisor_.restarts();
    interrupter_ = instance_->interrupter();
    if (options_.lifecycle.liveness) probe_at_ = Clock::now() + options_.lifecycle.liveness->every;
    next = NextLook();
    Meter();
  }
  if (restarts > 0) {
    Tell("resident:restart", "restart " + std::to_string(restarts) + (is_first ? "" : ", after " + [&] {
                               const Lock lock(mutex_);
                               return Said(failures_.back().error);
                             }()));
  }
  Wake(next);
  return {};
}

Status Resident::Start() {
  CORDON_ASSIGN(const Turn turn, Wait(nullptr, After(Clock::now(), options_.limits.wall)));
  return UnderSwitch([&](CallHandle* handle) { return Ensure(options_.limits.wall, handle); });
}

// ---- Calls --------------------------------------------------------------------------------------------------------

Status Resident::Call(const KeptCall& call) {
  if (mark_.was_forked()) {
    return Fail(Code::kUnavailable, "this process was forked after its host was made", "make a new Host");
  }
  const MonotonicTime end = After(Clock::now(), call.limits.wall);
  CORDON_ASSIGN(const Turn turn, Wait(call.handle, end));
  if (Status there = Ensure(std::max<Duration>(end - Clock::now(), Duration(1)), call.handle); !there) {
    const Code code = there.error().code;
    if (call.fell != nullptr) *call.fell = code != Code::kInterrupted && code != Code::kBusy;
    return there;
  }
  KeptCall mine = call;
  mine.limits.wall = std::max<Duration>(end - Clock::now(), Duration(1));
  Status done = CallIn(*instance_, mine);
  const bool is_stopped = call.handle != nullptr && call.handle->interrupted();
  if (done || !(instance_->poisoned() || done.error().code == Code::kWorkerLost)) {
    if (is_stopped) {  // as it ended: what comes next must not be stopped in its place
      Fell(End::kNotItsFault, Error(Code::kInterrupted, "a call was cancelled as it ended"));
      return done;
    }
    MonotonicTime next = MonotonicTime::max();
    if (options_.snapshot && !is_changed_) {
      is_changed_ = true;
      const Lock lock(mutex_);
      snapshot_at_ = Clock::now() + *options_.lifecycle.snapshot;
      next = NextLook();
    }
    if (next != MonotonicTime::max()) Wake(next);
    return done;
  }
  Error& error = done.error();
  // Cut short by its caller, by waiting or by starting, it had not what it may have.
  const Duration own = call.own_wall > Duration(0) ? call.own_wall : options_.limits.wall;
  const bool is_cut = mine.limits.wall < own / 10 * 9;
  if (error.code == Code::kInterrupted && !is_stopped) {
    // By a drain, whose time was over.
    error = Error(Code::kUnavailable, "the call was stopped: " + options_.plugin + " is being unloaded",
                  "try again once it is loaded again")
                .With("reason", "stopped");
  }
  const End why = FaultOf(error, is_cut);
  if (call.fell != nullptr) *call.fell = why != End::kNotItsFault;
  Fell(why, error);
  return done;
}

// ---- Between calls ------------------------------------------------------------------------------------------------

MonotonicTime Resident::NextLook() const {
  if (is_draining_) return MonotonicTime::max();
  return std::min({supervisor_.next_start().value_or(MonotonicTime::max()), probe_at_, snapshot_at_});
}

MonotonicTime Resident::Tick(MonotonicTime now) {
  if (mark_.was_forked()) return MonotonicTime::max();
  {
    Lock lock(mutex_);
    if (NextLook() > now) return NextLook();
    if (!TakeTurn(lock, kKeeperWaitMax)) return is_draining_ ? MonotonicTime::max() : Clock::now() + kLookAgain;
  }
  const Turn turn(*this);
  bool start = false, probe = false, snapshot = false;
  {
    const Lock lock(mutex_);
    start = supervisor_.next_start() && *supervisor_.next_start() <= now;
    probe = probe_at_ <= now;
    snapshot = snapshot_at_ <= now;
  }
  if (start && !instance_) {
    if (Status on = UnderSwitch([&](CallHandle* handle) { return Ensure(options_.limits.wall, handle); });
        !on && !instance_) {
      const Lock lock(mutex_);
      // Plugins are off, or this one may not run any more: a call will find out when that is over.
      if (supervisor_.next_start() && *supervisor_.next_start() <= Clock::now()) return MonotonicTime::max();
    }
  }
  if (probe && instance_) Probe();
  if (snapshot && instance_) TakeSnapshot();
  const Lock lock(mutex_);
  return NextLook();
}

void Resident::Probe() {
  const Duration wall = options_.lifecycle.liveness->timeout;
  Status alive = UnderSwitch([&](CallHandle* handle) -> Status {
    auto answer = Ask(*instance_, *options_.alive, {}, wall, handle);
    if (answer) return {};
    return Fail(std::move(answer).error());
  });
  if (alive) {
    const Lock lock(mutex_);
    probe_at_ = Clock::now() + options_.lifecycle.liveness->every;
    return;
  }
  Error error = std::move(alive).error();
  error.message = "the probe of its liveness: " + error.message;
  Fell(FaultOf(error, false), error);
}

void Resident::TakeSnapshot() {
  const auto again = [this](Duration in) {
    const Lock lock(mutex_);
    snapshot_at_ = Clock::now() + in;
  };
  Snapshot snapshot;
  Status taken = UnderSwitch([&](CallHandle* handle) -> Status {
    CORDON_ASSIGN(const std::vector<std::uint8_t> answer,
                  Ask(*instance_, *options_.snapshot, {}, kSnapshotWallMax, handle));
    wire::Reader in(answer);
    const std::span<const std::uint8_t> state = in.Raw(in.Count(1));
    CORDON_TRY(in.Finish());
    snapshot = {{state.begin(), state.end()}, options_.record.digest, NowMs()};
    return {};
  });
  if (taken) taken = options_.store->Keep(snapshot);
  if (taken) {
    is_changed_ = false;
    const Lock lock(mutex_);
    snapshot_at_ = MonotonicTime::max();
    snapshot_made_ = std::chrono::system_clock::time_point(std::chrono::milliseconds(snapshot.made_ms));
    snapshot_bytes_ = snapshot.state.size();
    return;
  }
  Error error = std::move(taken).error();
  error.message = "its state could not be kept: " + error.message;
  if (instance_->poisoned() || error.code == Code::kWorkerLost) {
    Fell(FaultOf(error, false), error);
    return;
  }
  // The one before stands.
  Remember(error);
  Tell("resident:state-not-kept", error.message, error.code);
  again(*options_.lifecycle.snapshot);
}

// ---- The end ------------------------------------------------------------------------------------------------------

void Resident::BeginDrain() {
  if (mark_.was_forked()) return;
  const Lock lock(mutex_);
  is_draining_ = true;
  changed_.notify_all();
}

std::shared_ptr<const Plugin> Resident::successor() const {
  const Lock lock(mutex_);
  return is_draining_ ? next_.lock() : nullptr;
}

void Resident::SucceededBy(const std::shared_ptr<const Plugin>& next) {
  const Lock lock(mutex_);
  next_ = next;
}

void Resident::Drain(Duration most) {
  if (mark_.was_forked()) return;
  BeginDrain();
  {
    Lock lock(mutex_);
    const auto is_quiet = [this] { return (!is_busy_ && line_.empty()) || is_drained_; };
    if (!changed_.wait_for(lock, most, is_quiet)) {
      is_drained_ = true;  // nobody who waits gets a turn any more
      changed_.notify_all();
      const engine::Interrupter running = interrupter_;
      lock.unlock();
      running.Interrupt();
      lock.lock();
      // One that stands in a service of the host ends when that answers.
      if (!changed_.wait_for(lock, kStopMax, [this] { return !is_busy_; })) {
        supervisor_.Close();
        Meter();
        return;
      }
    } else if (is_drained_) {
      changed_.wait_for(lock, kStopMax + kSnapshotWallMax, [this] { return !is_busy_; });
      return;
    }
    is_drained_ = true;
    is_busy_ = true;
  }
  const Turn turn(*this);
  if (instance_ && is_changed_ && options_.snapshot) TakeSnapshot();
  instance_.reset();
  const Lock lock(mutex_);
  interrupter_ = {};
  probe_at_ = snapshot_at_ = MonotonicTime::max();
  supervisor_.Close();
  Meter();
}

void Resident::HoldCalls() {
  const Lock lock(mutex_);
  is_busy_ = true;
}

void Resident::Resume() {
  const Lock lock(mutex_);
  is_draining_ = is_drained_ = false;
  supervisor_.Reopen();
  Meter();
}

Status Resident::Release() {
  {
    const Lock lock(mutex_);
    CORDON_TRY(CheckOpen());
    if (!supervisor_.Release()) {
      return Fail(Code::kUsage,
                  options_.plugin + " is neither in quarantine nor stopped: it is " +
                      std::string(ResidentStateName(supervisor_.state())),
                  "see its status first");
    }
    Meter();
  }
  Tell("resident:release", "let out by the host's program");
  return {};
}

ResidentStatus Resident::status() const {
  ResidentStatus status;
  const Lock lock(mutex_);
  status.state = supervisor_.state();
  status.restarts = supervisor_.restarts();
  status.failures.assign(failures_.begin(), failures_.end());
  status.snapshot = snapshot_made_;
  status.snapshot_bytes = snapshot_bytes_;
  if (const auto next = supervisor_.next_start()) {
    status.next_start = std::max<Duration>(*next - Clock::now(), Duration(0));
  }
  return status;
}

}  // namespace cordon::runtime
