#include "runtime/timer.h"

#include <algorithm>

namespace cordon::runtime {
namespace {

constexpr std::chrono::seconds kAgain{1};  // what could not be done is tried after this

}  // namespace

bool Timer::Set(const std::shared_ptr<Timed>& what, MonotonicTime when) {
  if (thread_.was_forked()) return false;
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
  if (!thread_.Start([core = core_] { Work(core); })) return false;
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
    const MonotonicTime now = std::chrono::steady_clock::now(), when = first->when;
    if (when > now) {
      core->changed.wait_until(lock, when);  // which looks at it again, when the entry may be elsewhere
      continue;
    }
    const std::weak_ptr<Timed> what = first->what;
    core->entries.erase(first);
    lock.unlock();
    MonotonicTime next = MonotonicTime::max();
    try {
      if (std::shared_ptr<Timed> alive = what.lock()) next = alive->Tick(now);
    } catch (...) {  // no memory for what was due
      next = now + kAgain;
    }
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
  if (thread_.was_forked()) return;
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->stopped) return;  // by whoever waits for the thread
    core_->stopped = true;
  }
  core_->changed.notify_all();
  thread_.Join();
}

}  // namespace cordon::runtime
