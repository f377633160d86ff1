// The one thread of a host that looks after residents between calls. There is none until somebody asks to be looked at.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "base/own_thread.h"
#include "base/units.h"

namespace cordon::runtime {

// What the thread looks at.
class Timed {
 public:
  virtual ~Timed() = default;
  // Does what is due, and says when to come again; MonotonicTime::max(): not until it asks.
  virtual MonotonicTime Tick(MonotonicTime now) = 0;
};

// Thread-safe.
class Timer {
 public:
  Timer() : core_(std::make_shared<Core>()) {}
  ~Timer() { Stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Has it looked at no later than `when`. False: the timer was stopped, or there is no thread to be had.
  bool Set(const std::shared_ptr<Timed>& what, MonotonicTime when);
  // Ends the thread, after what it is doing. Nothing is looked at afterwards.
  void Stop();

 private:
  struct Entry {
    std::weak_ptr<Timed> what;
    MonotonicTime when;
  };
  struct Core {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Entry> entries;
    bool stopped = false;
  };
  static void Work(const std::shared_ptr<Core>& core);

  // The thread keeps it: what it looks at may be the last to hold the host.
  std::shared_ptr<Core> core_;
  OwnThread thread_;  // started with core_->mutex
};

}  // namespace cordon::runtime
