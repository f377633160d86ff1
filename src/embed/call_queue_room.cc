// Calls that wait for room under the quota of their plugin.
#include <algorithm>
#include <exception>
#include <utility>

#include "base/signals_blocked.h"
#include "base/units.h"
#include "embed/queued_call.h"

namespace cordon::embed {
namespace {

// A quota is asked again in between, whatever it says: the operator may have raised it.
constexpr std::chrono::milliseconds kAskAgainMin(5);
constexpr std::chrono::seconds kAskAgainMax(1);
constexpr std::chrono::milliseconds kLookForCancel(100);

}  // namespace

// REQUIRES: the lock.
bool CallQueue::MayBegin(const Call& call) const {
  const Gate* const gate = call.gate.get();
  if (gate == nullptr) return true;
  return !gate->is_asked && (gate->epoch != epoch_.load() || Clock::now() >= gate->until);
}

void CallQueue::Refuse(std::unique_ptr<Call> call, const Error& error) {
  After after = call->job(&error);
  call.reset();
  after();
}

// Without the lock: an alert of the quota is told by whoever passes its threshold.
CallQueue::Answer CallQueue::Ask(Call& call) {
  const runtime::Plugin& plugin = *call.gate->plugin;
  try {
    auto ticket = plugin.TryAdmit();
    if (ticket) {
      call.given->ticket = std::move(*ticket);
      return {};
    }
    const services::Refusal& refusal = ticket.error();
    // What no waiting helps: more than there is at all, and a period that ends too late.
    const bool too_much =
        refusal.resource == services::Resource::kMemory && plugin.limits().memory.count > refusal.limit;
    const bool too_late =
        refusal.resource == services::Resource::kCpuTime && Clock::now() + refusal.retry_after >= call.deadline;
    Answer answer{refusal, std::nullopt};
    if (too_much || too_late) {
      plugin.CountRefusal(refusal);
      answer.error = services::BusyError(refusal);
    }
    return answer;
  } catch (const std::exception&) {
    return {services::Refusal{}, Error(Code::kMemory, "no memory left")};
  }
}

// The quota had no room: the call is the first of its plugin again. False: there is no memory to line it up with.
// REQUIRES: the lock.
bool CallQueue::Shut(const std::shared_ptr<CallQueue>& queue, std::unique_ptr<Call>& call, const Answer& answer,
                     std::uint64_t epoch) {
  const auto now = Clock::now();
  Gate& gate = *call->gate;
  gate.refusal = answer.refusal;
  gate.epoch = epoch;
  gate.until = now + std::clamp<std::chrono::nanoseconds>(answer.refusal->retry_after, kAskAgainMin, kAskAgainMax);
  const auto look = WhenToLook(*call);
  try {
    StationOf(call->place).waiting.PutBack(call->plugin, call->priority, call);
  } catch (const std::exception&) {
    return false;
  }
  // Room that was made while it was asked has another epoch.
  any_shut_.store(true);
  LookAt(queue, look);
  return true;
}

// REQUIRES: the lock.
void CallQueue::LookAt(const std::shared_ptr<CallQueue>& queue, Clock::time_point when) {
  if (!has_watch_) {
    try {
      const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
      threads_.emplace_back([queue] { queue->Watch(queue); });
      has_watch_ = true;
    } catch (const std::exception&) {  // whoever makes room, or submits, asks again
      return;
    }
  }
  if (when >= next_look_) return;
  next_look_ = when;
  look_.notify_one();
}

CallQueue::Clock::time_point CallQueue::WhenToLook(const Call& call) const {
  const auto look = std::min({call.gate->until, call.deadline, call.submitted + bounds_.room_wait_max});
  if (!call.cancel.can_be_cancelled()) return look;
  return std::min<Clock::time_point>(look, Clock::now() + kLookForCancel);
}

std::optional<Error> CallQueue::WhyGivenUp(const Call& call, Clock::time_point now) const {
  if (call.gate == nullptr || !call.gate->refusal) return std::nullopt;
  if (call.cancel.cancelled()) return Error(Code::kInterrupted, "the call was cancelled before it began");
  if (now >= call.deadline) {
    return Error(Code::kTimeout, "the deadline of the call has passed; nothing ran", "give it more time")
        .With("limit", "timeout");
  }
  // Where it may ask by now it asks once more.
  if (now < call.submitted + bounds_.room_wait_max || MayBegin(call)) return std::nullopt;
  call.gate->plugin->CountRefusal(*call.gate->refusal);
  return services::BusyError(*call.gate->refusal);
}

// Ends what has waited for long enough. REQUIRES: the lock.
void CallQueue::GiveUp(Lock& lock) {
  for (Station& station : stations_) {
    while (!stopped_) {
      std::optional<Error> why;
      const auto now = Clock::now();
      std::unique_ptr<Call> call = station.waiting.TakeOut([&](const Call& one) {
        why = WhyGivenUp(one, now);
        return why.has_value();
      });
      if (call == nullptr) break;
      lock.unlock();
      Refuse(std::move(call), *why);
      lock.lock();
    }
  }
}

void CallQueue::Watch(const std::shared_ptr<CallQueue>& queue) {
  Lock lock(mutex_);
  while (!stopped_) {
    if (next_look_ == Clock::time_point::max()) {
      look_.wait(lock);
    } else {
      look_.wait_until(lock, next_look_);
    }
    if (stopped_ || Clock::now() < next_look_) continue;
    next_look_ = Clock::time_point::max();
    GiveUp(lock);
    Rouse(queue, lock);
    for (const Station& station : stations_) {
      station.waiting.ForEach([&](const Call& call) {
        if (call.gate != nullptr && !MayBegin(call)) next_look_ = std::min(next_look_, WhenToLook(call));
      });
    }
  }
}

void CallQueue::Room(const std::shared_ptr<CallQueue>& queue) noexcept {
  queue->epoch_.fetch_add(1);
  if (!queue->any_shut_.exchange(false)) return;
  if (queue->mark_.was_forked()) return;
  try {
    Lock lock(queue->mutex_);
    queue->Rouse(queue, lock);
  } catch (const std::exception&) {  // the watch asks again
  }
}

}  // namespace cordon::embed
