// A thread of the library's own. It gets none of the program's signals, but the faults that are its own; in a child of
// fork there is none. Not thread-safe.
#pragma once

#include <pthread.h>

#include <chrono>
#include <ctime>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "base/fork_mark.h"
#include "base/signals_blocked.h"
#include "base/units.h"

namespace cordon {

class OwnThread {
 public:
  OwnThread() = default;
  ~OwnThread() { Join(); }
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;

  // Starts it, unless it was. False: there is none to be had.
  template <typename Work>
  bool Start(Work work) {
    if (mark_.was_forked()) return false;
    if (thread_.joinable()) return true;
    try {
      const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
      thread_ = std::thread(std::move(work));
    } catch (const std::exception&) {  // no thread, or no memory for one
      return false;
    }
    return true;
  }
  // Waits until it has ended; not when it is the one that asks, which then goes on by itself.
  void Join() {
    if (!thread_.joinable()) return;
    if (mark_.was_forked() || thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }
  // What it has used, until it is joined; nothing when there is none.
  std::optional<Duration> CpuTime() {
    clockid_t clock{};
    timespec used{};
    if (!thread_.joinable() || ::pthread_getcpuclockid(thread_.native_handle(), &clock) != 0 ||
        ::clock_gettime(clock, &used) != 0) {
      return std::nullopt;
    }
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  }
  bool was_forked() const { return mark_.was_forked(); }

 private:
  ForkMark mark_;
  std::thread thread_;
};

}  // namespace cordon
