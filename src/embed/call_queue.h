// The threads that run asynchronous calls, and the calls that wait for one. Thread-safe.
//
// A call whose guest can wait runs in a lane (engine/lane.h), where it takes no thread while it waits; one that only
// computes runs on a thread of its own, and one that runs in a worker on a thread that waits for the worker.
//
// A call of a plugin with a quota has a place under it before it begins. Where there is none the calls of that plugin
// wait, and others have their turns; the plugin is asked again when any place was let go, and when the quota said that
// it is worth to come again. One thread looks after what waits so; there is none until something does.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/fork_mark.h"
#include "cordon/result.h"
#include "embed/fair_line.h"
#include "engine/lane.h"
#include "runtime/plugin.h"
#include "services/quota.h"

namespace cordon::embed {

class CallQueue {
 public:
  using After = std::move_only_function<void()>;
  // Makes the call, or tells of `refusal`; called exactly once. What it gives runs next, on the stack of a thread.
  using Job = std::move_only_function<After(const Error* refusal)>;

  enum class Place : std::uint8_t { kLane, kThread, kWorker };
  // What a job is given beside its input. The ticket is there when it begins, where there is a quota.
  struct Given {
    std::shared_ptr<runtime::CallHandle> handle = std::make_shared<runtime::CallHandle>();
    std::shared_ptr<services::CallTicket> ticket;
  };
  // Of a plugin that has a quota.
  struct Gate {
    explicit Gate(std::shared_ptr<const runtime::Plugin> of) : plugin(std::move(of)) {}
    const std::shared_ptr<const runtime::Plugin> plugin;
    // Guarded by the queue's mutex. It is shut until `until`, or until the queue's epoch is another one.
    bool is_asked = false;  // by a thread, right now
    std::uint64_t epoch = 0;
    std::chrono::steady_clock::time_point until{};
    std::optional<services::Refusal> refusal{};
  };
  struct Task {
    std::shared_ptr<Given> given;
    Job job;
    const void* plugin = nullptr;  // only compared
    std::shared_ptr<Gate> gate;    // null: there is no quota
    Place place = Place::kThread;
    Priority priority = Priority::kNormal;
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    CancelToken cancel{};
  };

  struct Bounds {
    std::uint32_t threads_max = 1;     // of guests that compute, and as many for lanes
    std::uint32_t waiting_max = 1;     // that have not begun
    std::uint32_t lane_calls_max = 1;  // that have begun, in all lanes together
    std::uint32_t worker_calls_max = 1;
    std::chrono::nanoseconds room_wait_max = std::chrono::seconds(30);  // for a quota to have room
  };
  // No thread starts before there is a job.
  explicit CallQueue(const Bounds& bounds);
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // `queue` is the one that is asked: its threads keep it.
  static void Submit(const std::shared_ptr<CallQueue>& queue, Task task);
  // Refuses what waits, stops what runs, joins every thread but the one that calls.
  void Stop();
  // Whether this thread is one of the queue's.
  bool IsOwn() const;
  // Some quota may have room: who waits for that is asked again.
  static void Room(const std::shared_ptr<CallQueue>& queue) noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  // One call, from its submission to its end: made at once, so that nothing is allocated when it begins.
  class Call;
  using Line = FairLine<const void*, Call>;
  // Calls of one place.
  struct Station {
    Line waiting;
    std::uint32_t running = 0, running_max = 1, idle = 0, threads = 0;
    std::chrono::nanoseconds mean{0};  // of late, of a call
    std::condition_variable ready;
  };
  struct LaneThread {
    std::shared_ptr<engine::Lane> lane;
    std::uint32_t calls = 0;  // guarded by mutex_
  };

  // Either of the two: what is refused, and why.
  struct Refused {
    std::unique_ptr<Call> call;
    Error error;
  };
  std::optional<Refused> Admit(const std::shared_ptr<CallQueue>& queue, Task& task);
  Error Full(const Station& station) const;
  Refused NoThread(Station& station) const;
  using Lock = std::unique_lock<std::mutex>;
  bool StartThread(const std::shared_ptr<CallQueue>& queue, Place place);
  // False: there was something to begin, and no thread for it. Lets go of the lock meanwhile, as the next does.
  static bool FillLanes(const std::shared_ptr<CallQueue>& queue, Lock& lock);
  std::unique_ptr<Call> Next(const std::shared_ptr<CallQueue>& queue, Station& station, Lock& lock);
  std::optional<std::size_t> NextLane(const std::shared_ptr<CallQueue>& queue);
  void Work(const std::shared_ptr<CallQueue>& queue, Place place);
  // REQUIRES: the lock, of these.
  bool MayBegin(const Call& call) const;
  bool HasReady(const Station& station) const;
  void Rouse(const std::shared_ptr<CallQueue>& queue, Lock& lock);
  // call_queue_room.cc.
  // Nothing: the call has its place. With an error: it is not worth to wait.
  struct Answer {
    std::optional<services::Refusal> refusal;
    std::optional<Error> error;
  };
  static Answer Ask(Call& call);
  bool Shut(const std::shared_ptr<CallQueue>& queue, std::unique_ptr<Call>& call, const Answer& answer,
            std::uint64_t epoch);
  void LookAt(const std::shared_ptr<CallQueue>& queue, Clock::time_point when);
  void Watch(const std::shared_ptr<CallQueue>& queue);
  void GiveUp(Lock& lock);
  Clock::time_point WhenToLook(const Call& call) const;
  std::optional<Error> WhyGivenUp(const Call& call, Clock::time_point now) const;
  static void Refuse(std::unique_ptr<Call> call, const Error& error);
  void Begun(Call& call);
  void Ended(Station& station, Call& call);
  bool RefuseOne();
  Station& StationOf(Place place) { return stations_[static_cast<std::size_t>(place)]; }

  const Bounds bounds_;
  const Error stopped_error_{Code::kUnavailable, "the host was shut down", "make a new Host"};
  const ForkMark mark_;       // in a child of fork there are no threads of ours
  mutable std::mutex mutex_;  // guards what follows
  std::array<Station, 3> stations_;
  std::vector<LaneThread> lanes_;
  Call* running_ = nullptr;  // the first
  std::vector<std::thread> threads_;
  bool stopped_ = false;
  bool has_watch_ = false;
  Clock::time_point next_look_ = Clock::time_point::max();
  std::condition_variable look_;
  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<bool> any_shut_{false};
};

}  // namespace cordon::embed
