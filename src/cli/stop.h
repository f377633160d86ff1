// Ctrl-C. The signals are blocked in every thread and read by one thread of ours, so that what follows may take locks.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "runtime/plugin.h"

namespace cordon::cli {

// The exit code after SIGINT, SIGTERM or SIGHUP.
inline constexpr int kInterruptedExit = 130;

// REQUIRES: begun before any other thread is made. Thread-safe.
class Stop {
 public:
  // `before_exit` runs in the waiting thread, then the process exits with 130. A signal that the parent ignores (nohup)
  // stays ignored.
  static std::unique_ptr<Stop> Begin(std::function<void()> before_exit);
  ~Stop();

  // From now on the first signal ends this call, which then reports for itself; a second one, or two seconds without an
  // end, exits as above. Null: back to exiting at once.
  void Interrupts(std::shared_ptr<runtime::CallHandle> call);

  // While this is held a signal waits: for steps that must not be left half done.
  [[nodiscard]] std::unique_lock<std::mutex> Protect();

 private:
  struct State;
  explicit Stop(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cordon::cli
