// Calls that do not block their caller: with a callback, or with co_await in any C++20 coroutine.
//
//   plugin.CallAsync("greet", json, executor).Then([](cordon::Result<cordon::Answer> answer) { … });
//   cordon::Result<cordon::Answer> answer = co_await plugin.CallAsync("greet", json, executor);
//
// Guests run on the Host's own threads (HostOptions::threads, started when first needed, joined by Shutdown). A guest
// that waits (for a clock, an answer by HTTP, a Reply of a service) takes no thread meanwhile, so that as many calls
// may wait at once as there may be instances (HostOptions::max_instances). Calls that have not begun wait in a bounded
// queue, in which plugins take turns; a full one is E_BUSY with the detail "retry-after". Deadlines count from the
// moment that the call is started, waiting included.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "cordon/result.h"

namespace cordon {

// Runs work later, where the caller wants its completions: `[&io](auto work) { asio::post(io, std::move(work)); }`.
// Called from the Host's threads. Empty: completions run on the Host's thread, and must be quick. If it throws, the
// work runs on the Host's thread.
using Executor = std::function<void(std::move_only_function<void()> work)>;

// A call that has not been started: Then or co_await starts it, once. Move-only; belongs to one thread.
template <typename T>
class [[nodiscard]] Pending {
 public:
  using Done = std::move_only_function<void(Result<T> result)>;
  using Start = std::move_only_function<void(Done done)>;

  explicit Pending(Start start) : start_(std::move(start)) {}
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&&) noexcept = default;
  // A coroutine that is destroyed while it waits is not resumed; its call goes on, and its result is dropped. Destroy
  // it on the executor, where it would be resumed, or there is a race.
  ~Pending() {
    if (slot_) slot_->abandoned = true;
  }

  // `done` runs on the executor, exactly once, whatever happens.
  void Then(Done done) && { std::exchange(start_, nullptr)(std::move(done)); }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiting) noexcept {
    try {
      auto slot = std::make_shared<Slot>();
      slot_ = slot;
      slot->waiting = waiting;
      Start start = std::exchange(start_, nullptr);
      // The coroutine may be resumed, and this be gone, before the next line returns.
      start([slot](Result<T> result) {
        if (slot->abandoned) return;
        slot->result.emplace(std::move(result));
        slot->waiting.resume();
      });
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  Result<T> await_resume() noexcept {
    if (!slot_ || !slot_->result) return Fail(Code::kMemory, "no memory left");
    return std::move(*slot_->result);
  }

 private:
  struct Slot {
    std::coroutine_handle<> waiting;
    std::optional<Result<T>> result;
    bool abandoned = false;
  };

  Start start_;
  std::shared_ptr<Slot> slot_;
};

}  // namespace cordon
