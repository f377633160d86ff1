#include "services/delay_line.h"

#include <system_error>
#include <utility>

#include "base/signals_blocked.h"

namespace cordon::services {

bool DelayLine::Put(MonotonicTime when, Go go) {
  if (mark_.was_forked()) return false;
  const std::lock_guard lock(core_->mutex);
  if (core_->stopped) return false;
  if (!thread_.joinable()) {
    try {
      const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
      thread_ = std::thread([core = core_] { Work(core); });
    } catch (const std::system_error&) {
      return false;
    }
  }
  core_->waiting.emplace(when, std::move(go));
  core_->changed.notify_one();
  return true;
}

void DelayLine::Work(const std::shared_ptr<Core>& core) {
  std::unique_lock lock(core->mutex);
  while (!core->stopped) {
    if (core->waiting.empty()) {
      core->changed.wait(lock);
      continue;
    }
    const auto first = core->waiting.begin();
    const MonotonicTime when = first->first;
    if (when > std::chrono::steady_clock::now()) {
      core->changed.wait_until(lock, when);
      continue;
    }
    Go go = std::move(first->second);
    core->waiting.erase(first);
    lock.unlock();
    go();
    go = nullptr;
    lock.lock();
  }
}

void DelayLine::Stop() {
  if (mark_.was_forked()) {
    if (thread_.joinable()) thread_.detach();
    return;
  }
  std::thread thread;
  std::multimap<MonotonicTime, Go> waiting;
  {
    const std::lock_guard lock(core_->mutex);
    core_->stopped = true;
    thread.swap(thread_);
    waiting.swap(core_->waiting);
  }
  core_->changed.notify_all();
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

}  // namespace cordon::services
