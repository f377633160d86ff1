#include "embed/call_queue.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/signals_blocked.h"
#include "base/units.h"
#include "embed/queued_call.h"

namespace cordon::embed {
namespace {

constexpr std::chrono::milliseconds kRetryMin(10);
constexpr std::chrono::seconds kRetryMax(30);

}  // namespace

void CallQueue::Call::After() noexcept {
  const std::shared_ptr<CallQueue> queue = queue_;
  {
    Lock lock(queue->mutex_);
    Station& station = queue->StationOf(Place::kLane);
    --queue->lanes_[lane].calls;
    --station.running;
    queue->Ended(station, *this);
    FillLanes(queue, lock);
  }
  // What the job held is let go without the lock: it may be the last of a plugin.
  job = nullptr;
  given.reset();
  std::exchange(after_, nullptr)();
}

CallQueue::CallQueue(const Bounds& bounds) : bounds_(bounds) {
  StationOf(Place::kLane).running_max = std::max(1u, bounds.lane_calls_max);
  StationOf(Place::kThread).running_max = std::max(1u, bounds.threads_max);
  StationOf(Place::kWorker).running_max = std::max(1u, bounds.worker_calls_max);
}

CallQueue::~CallQueue() = default;

Error CallQueue::Full(const Station& station) const {
  const auto turns = static_cast<std::int64_t>(station.waiting.size() / station.running_max + 1);
  const auto guess = std::clamp<std::chrono::nanoseconds>(station.mean * turns, kRetryMin, kRetryMax);
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(guess);
  return Error(Code::kBusy, std::to_string(bounds_.waiting_max) + " calls wait already",
               "try again later, or raise HostOptions::queue_max or threads")
      .With("retry-after", FormatDuration(rounded));
}

// Lines it up; gives the call that has no place, which may be another one. REQUIRES: the lock.
std::optional<CallQueue::Refused> CallQueue::Admit(const std::shared_ptr<CallQueue>& queue, Task& task) {
  const void* const plugin = task.plugin;
  const Priority priority = task.priority;
  Station& station = StationOf(task.place);
  auto call = std::make_unique<Call>(std::move(task), queue);
  if (stopped_) return Refused{std::move(call), stopped_error_};
  std::size_t waiting = 0;
  for (const Station& one : stations_) waiting += one.waiting.size();
  std::optional<Refused> refused;
  if (waiting >= bounds_.waiting_max) {
    std::unique_ptr<Call> other = station.waiting.MakeWay(plugin);
    if (other == nullptr) return Refused{std::move(call), Full(station)};
    refused = Refused{std::move(other), Full(station)};
  }
  const Call& one = *call;
  station.waiting.Push(plugin, priority, std::move(call));
  if (one.gate != nullptr && one.gate->refusal && !MayBegin(one)) LookAt(queue, WhenToLook(one));
  return refused;
}

void CallQueue::Submit(const std::shared_ptr<CallQueue>& queue, Task task) {
  if (queue->mark_.was_forked()) {
    const Error refusal(Code::kUnavailable, "this process was forked after its host was made",
                        "make a new Host in this process");
    return task.job(&refusal)();
  }
  std::optional<Refused> refused;
  const Place place = task.place;
  {
    Lock lock(queue->mutex_);
    refused = queue->Admit(queue, task);
    Station& station = queue->StationOf(place);
    if (place == Place::kLane) {
      const bool has_thread = FillLanes(queue, lock);
      if (!has_thread && queue->lanes_.empty() && !refused && !station.waiting.empty()) {
        refused = queue->NoThread(station);
      }
    } else if (queue->HasReady(station)) {
      const bool wants = station.idle < station.waiting.size() && station.threads < station.running_max;
      if (wants && !queue->StartThread(queue, place) && station.threads == 0) refused = queue->NoThread(station);
      station.ready.notify_one();
    }
  }
  if (refused) refused->call->job (&refused->error)();
}

// REQUIRES: the lock, and that somebody waits.
CallQueue::Refused CallQueue::NoThread(Station& station) const {
  return {station.waiting.Pop(),
          Error(Code::kUnavailable, "cannot start a thread", "raise the limit on threads of this process")};
}

// The thread keeps the queue, so that a host which is destroyed by one of its own completions leaves it whole. It gets
// none of the host's signals, but the faults that are its own. REQUIRES: the lock.
bool CallQueue::StartThread(const std::shared_ptr<CallQueue>& queue, Place place) {
  try {
    const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
    if (place != Place::kLane) {
      threads_.emplace_back([queue, place] { queue->Work(queue, place); });
      ++StationOf(place).threads;
      return true;
    }
    lanes_.reserve(lanes_.size() + 1);
    auto lane = std::make_shared<engine::Lane>();
    threads_.emplace_back([queue, lane] { lane->Run(); });
    lanes_.push_back({std::move(lane), 0});
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// The lane that has the least to do; a new one, while there may be more and all have something. REQUIRES: the lock.
std::optional<std::size_t> CallQueue::NextLane(const std::shared_ptr<CallQueue>& queue) {
  const auto least = std::ranges::min_element(lanes_, {}, &LaneThread::calls);
  const bool wants_more = least == lanes_.end() || least->calls > 0;
  if (wants_more && lanes_.size() < bounds_.threads_max && StartThread(queue, Place::kLane)) return lanes_.size() - 1;
  if (least == lanes_.end()) return std::nullopt;
  return static_cast<std::size_t>(least - lanes_.begin());
}

// REQUIRES: the lock.
bool CallQueue::HasReady(const Station& station) const {
  return station.waiting.Any([this](const Call& call) { return MayBegin(call); });
}

// The next call that has its place under the quota of its plugin; null when there is none to begin.
std::unique_ptr<CallQueue::Call> CallQueue::Next(const std::shared_ptr<CallQueue>& queue, Station& station,
                                                 Lock& lock) {
  while (!stopped_) {
    std::unique_ptr<Call> call = station.waiting.Pop([this](const Call& one) { return MayBegin(one); });
    if (call == nullptr || call->gate == nullptr) return call;
    const std::shared_ptr<Gate> gate = call->gate;
    gate->is_asked = true;
    const std::uint64_t epoch = epoch_.load();
    lock.unlock();
    const Answer answer = Ask(*call);
    lock.lock();
    gate->is_asked = false;
    if (stopped_) {
      lock.unlock();
      Refuse(std::move(call), stopped_error_);
      lock.lock();
      return nullptr;
    }
    if (!answer.refusal) {
      // Others of the same plugin were passed by meanwhile.
      if (!station.waiting.empty()) station.ready.notify_one();
      return call;
    }
    if (answer.error) {
      lock.unlock();
      Refuse(std::move(call), *answer.error);
      lock.lock();
    } else if (!Shut(queue, call, answer, epoch)) {
      lock.unlock();
      Refuse(std::move(call), Error(Code::kMemory, "no memory left"));
      lock.lock();
    }
  }
  return nullptr;
}

// Begins what may begin. REQUIRES: the lock.
bool CallQueue::FillLanes(const std::shared_ptr<CallQueue>& queue, Lock& lock) {
  Station& station = queue->StationOf(Place::kLane);
  while (!queue->stopped_ && station.running < station.running_max && queue->HasReady(station)) {
    const std::optional<std::size_t> lane = queue->NextLane(queue);
    if (!lane) return false;
    ++station.running;
    ++queue->lanes_[*lane].calls;
    std::unique_ptr<Call> call = queue->Next(queue, station, lock);
    if (call == nullptr) {
      --station.running;
      --queue->lanes_[*lane].calls;
      continue;
    }
    call->lane = *lane;
    queue->Begun(*call);
    (void)queue->lanes_[*lane].lane->Put(std::move(call));  // only Stop closes it, and then nothing is begun
  }
  return true;
}

// Something may begin by now. REQUIRES: the lock.
void CallQueue::Rouse(const std::shared_ptr<CallQueue>& queue, Lock& lock) {
  if (stopped_) return;
  (void)FillLanes(queue, lock);
  for (const Place place : {Place::kThread, Place::kWorker}) {
    Station& station = StationOf(place);
    if (stopped_ || !HasReady(station)) continue;
    if (station.idle == 0 && station.threads < station.running_max) (void)StartThread(queue, place);
    station.ready.notify_all();
  }
}

// REQUIRES: the lock.
void CallQueue::Begun(Call& call) {
  call.began = Clock::now();
  call.next = running_;
  if (running_ != nullptr) running_->before = &call;
  running_ = &call;
}

// REQUIRES: the lock.
void CallQueue::Ended(Station& station, Call& call) {
  (call.before != nullptr ? call.before->next : running_) = call.next;
  if (call.next != nullptr) call.next->before = call.before;
  const std::chrono::nanoseconds took = Clock::now() - call.began;
  station.mean += (took - station.mean) / 16;
}

void CallQueue::Work(const std::shared_ptr<CallQueue>& queue, Place place) {
  Station& station = StationOf(place);
  Lock lock(mutex_);
  while (true) {
    ++station.idle;
    station.ready.wait(lock, [&] { return stopped_ || HasReady(station); });
    --station.idle;
    std::unique_ptr<Call> call = Next(queue, station, lock);
    if (call == nullptr && stopped_) return;
    if (call == nullptr) continue;
    Begun(*call);
    lock.unlock();
    After after = call->job(nullptr);
    lock.lock();
    Ended(station, *call);
    // What the job held is let go without the lock: it may be the last of a plugin.
    lock.unlock();
    call.reset();
    after();
    after = nullptr;
    lock.lock();
  }
}

// Allocates nothing: it runs in the destructor of a host.
void CallQueue::Stop() {
  if (mark_.was_forked()) {
    for (std::thread& thread : threads_) thread.detach();
    threads_.clear();
    return;
  }
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
    for (const Call* call = running_; call != nullptr; call = call->next) call->given->handle->Interrupt();
    for (const LaneThread& one : lanes_) one.lane->Close();
    for (Station& station : stations_) station.ready.notify_all();
    look_.notify_all();
  }
  while (RefuseOne()) {}
  for (std::thread& thread : threads) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

bool CallQueue::RefuseOne() {
  std::unique_lock lock(mutex_);
  for (Station& station : stations_) {
    if (const std::unique_ptr<Call> call = station.waiting.Pop()) {
      lock.unlock();
      call->job (&stopped_error_)();
      return true;
    }
  }
  return false;
}

bool CallQueue::IsOwn() const {
  const std::lock_guard lock(mutex_);
  for (const std::thread& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id()) return true;
  }
  return false;
}

}  // namespace cordon::embed
