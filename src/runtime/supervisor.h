// When a resident's instance is made anew, and when no more. Decides only: whoever owns it makes the instances.
// Not thread-safe. Time and chance come from the caller.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "base/units.h"
#include "manifest/lifecycle.h"

namespace cordon::runtime {

struct SupervisorOptions {
  manifest::RestartPolicy restart = manifest::RestartPolicy::kOnFailure;
  // The first restart is at once. The next in a row wait for this, then twice as long each time, less up to a half by
  // chance, so that what fell together does not rise together.
  Duration delay_first = std::chrono::milliseconds(200);
  Duration delay_max = std::chrono::seconds(30);
  // So many failures in so long are a crash loop.
  std::uint32_t failures_max = 5;
  Duration window = std::chrono::seconds(60);
};

class Supervisor {
 public:
  enum class State : std::uint8_t {
    kIdle,         // not started yet
    kRunning,      // there is an instance
    kBackingOff,   // there will be one again
    kStopped,      // it ended, and the policy makes no other
    kQuarantined,  // a crash loop
    kClosed,       // for good
  };
  // Why an instance ended, or could not be made. kLeft: the guest exited with status 0. kNotItsFault: the caller
  // stopped it, or the host had no room.
  enum class End : std::uint8_t { kFailed, kLeft, kNotItsFault };

  // `chance` gives numbers from 0 up to 1.
  Supervisor(SupervisorOptions options, std::function<double()> chance)
      : options_(options), chance_(std::move(chance)) {}

  State state() const { return state_; }
  bool MayStart(MonotonicTime now) const;
  // While it is backing off.
  std::optional<MonotonicTime> next_start() const;
  std::uint64_t restarts() const { return restarts_; }

  void Started(MonotonicTime now);
  void Ended(End why, MonotonicTime now);
  // Out of quarantine, or after a stop. False: it was in neither.
  bool Release();
  void Close() { state_ = State::kClosed; }
  // After Close: as if it had not been.
  void Reopen();

 private:
  void BackOff(MonotonicTime now);

  const SupervisorOptions options_;
  const std::function<double()> chance_;
  State state_ = State::kIdle;
  std::uint64_t starts_ = 0, restarts_ = 0;
  std::uint32_t streak_ = 0;  // of ends in a row
  std::deque<MonotonicTime> failures_;
  MonotonicTime started_{}, next_start_{};
};

}  // namespace cordon::runtime
