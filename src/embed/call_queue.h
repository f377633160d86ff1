// The threads that run asynchronous calls, and the calls that wait for one. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/fork_mark.h"
#include "cordon/result.h"
#include "runtime/plugin.h"

namespace cordon::embed {

class CallQueue {
 public:
  // Runs the call, or tells of `refusal`; called exactly once.
  using Job = std::move_only_function<void(const Error* refusal)>;

  // `threads_max` and `waiting_max` are at least 1. No thread starts before there is a job.
  CallQueue(std::uint32_t threads_max, std::uint32_t waiting_max)
      : threads_max_(threads_max), waiting_max_(waiting_max) {}
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // Takes the job in every case: a full or stopped queue refuses it on this thread. `handle` stops it while it runs, or
  // waits.
  static void Submit(const std::shared_ptr<CallQueue>& queue, std::shared_ptr<runtime::CallHandle> handle, Job job);
  // Refuses what waits, stops what runs, joins every thread but the one that calls.
  void Stop();
  // Whether this thread is one of the queue's.
  bool IsOwn() const;

 private:
  struct Entry {
    std::shared_ptr<runtime::CallHandle> handle;
    Job job;
  };
  void Work();
  bool RefuseOne();

  const std::uint32_t threads_max_, waiting_max_;
  const Error stopped_error_{Code::kUnavailable, "the host was shut down", "make a new Host"};
  const ForkMark mark_;  // in a child of fork there are no threads of ours
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Entry> waiting_;
  std::set<runtime::CallHandle*> running_;
  std::vector<std::thread> threads_;
  std::uint32_t idle_ = 0;
  bool stopped_ = false;
};

}  // namespace cordon::embed
