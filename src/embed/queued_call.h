// One call, from its submission to its end. For the queue only.
#pragma once

#include <memory>
#include <utility>

#include "embed/call_queue.h"

namespace cordon::embed {

// Made at once, so that little is allocated when it begins.
class CallQueue::Call final : public engine::Lane::Task {
 public:
  Call(CallQueue::Task&& task, const std::shared_ptr<CallQueue>& queue)
      : given(std::move(task.given)),
        job(std::move(task.job)),
        gate(std::move(task.gate)),
        plugin(task.plugin),
        place(task.place),
        priority(task.priority),
        deadline(task.deadline),
        cancel(std::move(task.cancel)),
        submitted(Clock::now()),
        queue_(queue) {}

  void Run() noexcept override { after_ = job(nullptr); }
  void After() noexcept override;

  std::shared_ptr<Given> given;
  Job job;
  const std::shared_ptr<Gate> gate;
  const void* const plugin;
  const Place place;
  const Priority priority;
  const Clock::time_point deadline;
  const CancelToken cancel;
  const Clock::time_point submitted;
  Clock::time_point began{};
  std::size_t lane = 0;
  Call *before = nullptr, *next = nullptr;  // of those that run

 private:
  const std::shared_ptr<CallQueue> queue_;
  CallQueue::After after_;
};

}  // namespace cordon::embed
