#include "embed/call_queue.h"

#include <system_error>

#include "base/signals_blocked.h"

namespace cordon::embed {

void CallQueue::Submit(const std::shared_ptr<CallQueue>& queue, std::shared_ptr<runtime::CallHandle> handle, Job job) {
  if (queue->mark_.was_forked()) {
    const Error refusal(Code::kUnavailable, "this process was forked after its host was made",
                        "make a new Host in this process");
    return job(&refusal);
  }
  std::unique_lock lock(queue->mutex_);
  if (queue->stopped_ || queue->waiting_.size() >= queue->waiting_max_) {
    const Error refusal = queue->stopped_
                              ? queue->stopped_error_
                              : Error(Code::kBusy, std::to_string(queue->waiting_max_) + " calls wait already",
                                      "try again later, or raise HostOptions::queue_max or threads");
    lock.unlock();
    return job(&refusal);
  }
  queue->waiting_.push_back({std::move(handle), std::move(job)});
  if (queue->idle_ < queue->waiting_.size() && queue->threads_.size() < queue->threads_max_) {
    try {
      // The thread keeps the queue, so that a host which is destroyed by one of its own completions leaves it whole.
      // The thread gets none of the host's signals, but the faults that are its own.
      const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
      queue->threads_.emplace_back([queue] { queue->Work(); });
    } catch (const std::system_error& fault) {
      if (queue->threads_.empty()) {
        Job refused = std::move(queue->waiting_.back().job);
        queue->waiting_.pop_back();
        lock.unlock();
        const Error refusal(Code::kUnavailable, std::string("cannot start a thread: ") + fault.what(),
                            "raise the limit on threads of this process");
        return refused(&refusal);
      }
    }
  }
  lock.unlock();
  queue->ready_.notify_one();
}

void CallQueue::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    ready_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    running_.insert(entry.handle.get());
    lock.unlock();
    entry.job(nullptr);
    lock.lock();
    running_.erase(entry.handle.get());
    // What the job held is let go without the lock: it may be the last of a plugin.
    lock.unlock();
    entry = Entry{};
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
    for (runtime::CallHandle* handle : running_) handle->Interrupt();
  }
  ready_.notify_all();
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
  if (waiting_.empty()) return false;
  Entry entry = std::move(waiting_.front());
  waiting_.pop_front();
  lock.unlock();
  entry.job(&stopped_error_);
  return true;
}

bool CallQueue::IsOwn() const {
  const std::lock_guard lock(mutex_);
  for (const std::thread& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id()) return true;
  }
  return false;
}

}  // namespace cordon::embed
