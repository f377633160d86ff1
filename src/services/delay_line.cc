#include "services/delay_line.h"

#include <utility>

namespace cordon::services {

bool DelayLine::Put(MonotonicTime when, Go go) {
  if (thread_.was_forked()) return false;
  const std::lock_guard lock(core_->mutex);
  if (core_->stopped || !thread_.Start([core = core_] { Work(core); })) return false;
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
  if (thread_.was_forked()) return;
  std::multimap<MonotonicTime, Go> waiting;
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->stopped) return;  // by whoever waits for the thread
    core_->stopped = true;
    waiting.swap(core_->waiting);
  }
  core_->changed.notify_all();
  thread_.Join();
}

}  // namespace cordon::services
