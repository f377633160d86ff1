// The threads that run asynchronous calls, and the calls that wait for one. Thread-safe.
//
// A call whose guest can wait runs in a lane (engine/lane.h), where it takes no thread while it waits; one that only
// computes runs on a thread of its own, and one that runs in a worker on a thread that waits for the worker.
#pragma once

#include <array>
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

namespace cordon::embed {

class CallQueue {
 public:
  using After = std::move_only_function<void()>;
  // Makes the call, or tells of `refusal`; called exactly once. What it gives runs next, on the stack of a thread.
  using Job = std::move_only_function<After(const Error* refusal)>;

  enum class Place : std::uint8_t { kLane, kThread, kWorker };
  struct Task {
    std::shared_ptr<runtime::CallHandle> handle;
    Job job;
    const void* plugin = nullptr;  // only compared
    Place place = Place::kThread;
    Priority priority = Priority::kNormal;
  };

  struct Bounds {
    std::uint32_t threads_max = 1;  // of guests that compute, and as many for lanes
    std::uint32_t waiting_max = 1;  // that have not begun
    std::uint32_t lane_calls_max = 1;  // that have begun, in all lanes together
    std::uint32_t worker_calls_max = 1;
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
  bool StartThread(const std::shared_ptr<CallQueue>& queue, Place place);
  static void FillLanes(const std::shared_ptr<CallQueue>& queue);
  std::optional<std::size_t> NextLane(const std::shared_ptr<CallQueue>& queue);
  void Work(Place place);
  void Begun(Call& call);
  void Ended(Station& station, Call& call);
  bool RefuseOne();
  Station& StationOf(Place place) { return stations_[static_cast<std::size_t>(place)]; }

  const Bounds bounds_;
  const Error stopped_error_{Code::kUnavailable, "the host was shut down", "make a new Host"};
  const ForkMark mark_;  // in a child of fork there are no threads of ours
  mutable std::mutex mutex_;  // guards what follows
  std::array<Station, 3> stations_;
  std::vector<LaneThread> lanes_;
  Call* running_ = nullptr;  // the first
  std::vector<std::thread> threads_;
  bool stopped_ = false;
};

}  // namespace cordon::embed
