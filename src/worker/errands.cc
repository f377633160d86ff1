#include "worker/errands.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/signals_blocked.h"

namespace cordon::worker {
namespace {

constexpr std::chrono::seconds kIdleMost{10};

}  // namespace

struct Errands::State {
  std::mutex mutex;  // guards what follows
  std::condition_variable wanted;
  std::deque<std::move_only_function<void()>> queue;
  std::size_t idle = 0;
  bool stopped = false;

  static void Loop(const std::shared_ptr<State>& state) {
    std::unique_lock lock(state->mutex);
    while (true) {
      while (state->queue.empty()) {
        if (state->stopped) return;
        ++state->idle;
        const auto woken = state->wanted.wait_for(lock, kIdleMost);
        --state->idle;
        if (woken == std::cv_status::timeout && state->queue.empty()) return;
      }
      auto work = std::move(state->queue.front());
      state->queue.pop_front();
      lock.unlock();
      try {
        work();
      } catch (...) {  // no memory for it: whoever waits for its outcome sees that there is none
      }
      work = nullptr;
      lock.lock();
    }
  }
};

Errands::Errands() : state_(std::make_shared<State>()) {}

Errands::~Errands() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->wanted.notify_all();
}

bool Errands::Run(std::move_only_function<void()> work) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->queue.push_back(std::move(work));
    if (state_->idle >= state_->queue.size()) {
      state_->wanted.notify_one();
      return true;
    }
  }
  bool started = true;
  try {
    // No signal of the host's is delivered to a thread of ours.
    const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
    std::thread(State::Loop, state_).detach();
  } catch (const std::system_error&) {
    started = false;
  }
  if (started) return true;
  const std::lock_guard lock(state_->mutex);
  // Another thread may have taken it up meanwhile.
  if (state_->queue.empty()) return true;
  state_->queue.pop_back();
  return false;
}

}  // namespace cordon::worker
