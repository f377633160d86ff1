// What goes on a little later, without a thread for each. There is no thread until something waits.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "base/own_thread.h"
#include "base/units.h"

namespace cordon::services {

// Thread-safe.
class DelayLine {
 public:
  using Go = std::move_only_function<void()>;
  DelayLine() : core_(std::make_shared<Core>()) {}
  ~DelayLine() { Stop(); }
  DelayLine(const DelayLine&) = delete;
  DelayLine& operator=(const DelayLine&) = delete;

  // Runs `go` on the line's thread, once, no sooner than `when`. False, and it is let go: the line was stopped, or
  // there is no thread to be had.
  bool Put(MonotonicTime when, Go go);
  // Ends the thread, after what it is doing. What waits is let go.
  void Stop();

 private:
  struct Core {
    std::mutex mutex;
    std::condition_variable changed;
    std::multimap<MonotonicTime, Go> waiting;
    bool stopped = false;
  };
  static void Work(const std::shared_ptr<Core>& core);

  std::shared_ptr<Core> core_;  // the thread keeps it: what it runs may be the last to hold the line
  OwnThread thread_;            // started with core_->mutex
};

}  // namespace cordon::services
