#include "runtime/timer.h"

#include <algorithm>
#include <system_error>

#include "base/signals_blocked.h"

namespace cordon::runtime {

bool Timer::Set(const std::shared_ptr<Timed>& what, MonotonicTime when) {
  if (mark_.was_forked()) return false;
  const std::lock_guard lock(core_->mutex);
  if (core_->stopped) return false;
  if (when == MonotonicTime::max()) return true;
  std::erase_if(core_->entries, [](const Entry& one) { return one.what.expired(); });
  const auto same = [&](const Entry& one) { return !one.what.owner_before(what) && !what.owner_before(one.what); };
  const auto found = std::ranges::find_if(core_->entries, same);
  if (found == core_->entries.end()) {
    core_->entries.push_back({what, when});
  } else {
    found->when = std::min(found->when, when);
  }
  if (!thread_.joinable()) {
    try {
      const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
      thread_ = std::thread([core = core_] { Work(core); });
    } catch (const std::system_error&) {
      return false;
    }
  }
  core_->changed.notify_one();
  return true;
}

void Timer::Work(const std::shared_ptr<Core>& core) {
  std::unique_lock lock(core->mutex);
  while (!core->stopped) {
    const auto first = std::ranges::min_element(core->entries, {}, &Entry::when);
    if (first == core->entries.end()) {
      core->changed.wait(lock);
      continue;
    }
    const MonotonicTime now = std::chrono::steady_clock::now();
    if (first->when > now) {
      core->changed.wait_until(lock, first->when);
      continue;
    }
    const std::weak_ptr<Timed> what = first->what;
    core->entries.erase(first);
    lock.unlock();
    MonotonicTime next = MonotonicTime::max();
    if (std::shared_ptr<Timed> alive = what.lock()) next = alive->Tick(now);
    lock.lock();
    // What was asked for meanwhile stands.
    const auto same = [&](const Entry& one) { return !one.what.owner_before(what) && !what.owner_before(one.what); };
    const auto again = std::ranges::find_if(core->entries, same);
    if (again != core->entries.end()) {
      again->when = std::min(again->when, next);
    } else if (next != MonotonicTime::max() && !what.expired()) {
      core->entries.push_back({what, next});
    }
  }
}

void Timer::Stop() {
  if (mark_.was_forked()) {
    if (thread_.joinable()) thread_.detach();
    return;
  }
  std::thread thread;
  {
    const std::lock_guard lock(core_->mutex);
    core_->stopped = true;
    thread.swap(thread_);
  }
  core_->changed.notify_all();
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

}  // namespace cordon::runtime
