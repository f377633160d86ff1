#include "runtime/kept_instances.h"

namespace cordon::runtime {

void BytesSink::Take(engine::Pieces pieces) noexcept {
  try {
    out_.clear();
    for (const auto piece : pieces) out_.insert(out_.end(), piece.begin(), piece.end());
  } catch (const std::bad_alloc&) {
    fell_short_ = true;
  }
}

Result<engine::Instance> InstanceRecipe::Make(const engine::CallLimits& limits, std::uint64_t call_id,
                                              CallHandle* handle) const {
  if (handle == nullptr) return engine::Instance::Create(linked, options, channel, limits, call_id);
  engine::InstanceOptions stoppable = options;
  stoppable.interrupter = engine::Interrupter::Make();
  handle->Watch(stoppable.interrupter);
  auto made = engine::Instance::Create(linked, stoppable, channel, limits, call_id);
  handle->Watch({});
  return made;
}

Status CallIn(engine::Instance& instance, const KeptCall& call) {
  const engine::Usage before = instance.usage();
  if (call.handle != nullptr) call.handle->Watch(instance.interrupter());
  Status done = instance.Call(call.function, call.input, call.sink, call.limits, call.call_id);
  if (call.handle != nullptr) call.handle->Watch({});
  if (call.traces.usage != nullptr) *call.traces.usage = UsageSince(before, instance.usage());
  std::string out = instance.TakeStdout(), err = instance.TakeStderr();
  if (call.traces.out != nullptr) *call.traces.out = std::move(out);
  if (call.traces.err != nullptr) *call.traces.err = std::move(err);
  return done;
}

std::optional<InstancePool::Entry> InstancePool::TakeIdle(MonotonicTime now) {
  std::vector<Entry> old;  // ended without the lock
  const std::lock_guard lock(mutex_);
  while (!idle_.empty()) {
    Entry entry = std::move(idle_.back());  // the warmest
    idle_.pop_back();
    if (now - entry.born < bounds_.age_max) return entry;
    old.push_back(std::move(entry));
  }
  return std::nullopt;
}

Status InstancePool::Call(const KeptCall& call) {
  const MonotonicTime began = std::chrono::steady_clock::now();
  std::optional<Entry> entry = TakeIdle(began);
  KeptCall left = call;
  if (!entry) {
    CORDON_ASSIGN(engine::Instance made, recipe_.Make(call.limits, call.call_id, call.handle));
    const MonotonicTime now = std::chrono::steady_clock::now();
    entry = Entry{std::move(made), 0, now};
    left.limits.wall = std::max<Duration>(call.limits.wall - (now - began), Duration(1));
  }
  Status done = CallIn(entry->instance, left);
  // Whoever stopped the call as it ended may have stopped what comes after it.
  const bool is_stopped = call.handle != nullptr && call.handle->interrupted();
  if (!done || entry->instance.poisoned() || is_stopped || ++entry->calls >= bounds_.calls_max) return done;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < bounds_.idle_max) idle_.push_back(std::move(*entry));
  return done;
}

}  // namespace cordon::runtime
