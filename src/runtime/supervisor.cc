#include "runtime/supervisor.h"

#include <algorithm>

namespace cordon::runtime {

bool Supervisor::MayStart(MonotonicTime now) const {
  return state_ == State::kIdle || (state_ == State::kBackingOff && now >= next_start_);
}

std::optional<MonotonicTime> Supervisor::next_start() const {
  if (state_ != State::kBackingOff) return std::nullopt;
  return next_start_;
}

void Supervisor::Started(MonotonicTime now) {
  if (starts_++ > 0) ++restarts_;
  state_ = State::kRunning;
  started_ = now;
}

void Supervisor::Ended(End why, MonotonicTime now) {
  using Restart = manifest::RestartPolicy;
  const bool was_running = state_ == State::kRunning;
  if (options_.restart == Restart::kNever || (why == End::kLeft && options_.restart == Restart::kOnFailure)) {
    state_ = State::kStopped;
    return;
  }
  // One that stood for a while has shown that it can.
  if (was_running && now - started_ >= options_.window) streak_ = 0;
  if (why == End::kNotItsFault) {
    if (was_running) {
      next_start_ = now;
      state_ = State::kBackingOff;
    } else {
      BackOff(now);
    }
    return;
  }
  failures_.push_back(now);
  while (now - failures_.front() >= options_.window) failures_.pop_front();
  if (failures_.size() >= options_.failures_max) {
    state_ = State::kQuarantined;
    return;
  }
  BackOff(now);
}

void Supervisor::BackOff(MonotonicTime now) {
  ++streak_;
  state_ = State::kBackingOff;
  next_start_ = now;
  if (streak_ == 1) return;
  Duration delay = options_.delay_first;
  for (std::uint32_t i = 2; i < streak_ && delay < options_.delay_max; ++i) delay *= 2;
  delay = std::min(delay, options_.delay_max);
  const double part = 1.0 - std::clamp(chance_(), 0.0, 1.0) / 2;
  next_start_ += std::chrono::duration_cast<Duration>(delay * part);
}

bool Supervisor::Release() {
  if (state_ != State::kQuarantined && state_ != State::kStopped) return false;
  Reopen();
  return true;
}

void Supervisor::Reopen() {
  state_ = State::kIdle;
  failures_.clear();
  streak_ = 0;
}

}  // namespace cordon::runtime
