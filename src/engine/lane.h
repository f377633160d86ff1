// A thread that many calls share: each runs on a stack of its own, and leaves the thread while it waits for the host.
#pragma once

#include <memory>

#include "cordon/result.h"

namespace cordon::engine {

// Thread-safe, but for Run.
class Lane {
 public:
  Lane();
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  class Task {
   public:
    virtual ~Task() = default;
    // On the lane's thread, on a stack of its own of 256 KiB: calls of guests leave the thread to others while they
    // wait. Holds no lock while it calls a guest.
    virtual void Run() noexcept = 0;
    // Then, on the thread's own stack.
    virtual void After() noexcept = 0;
  };
  // Allocates nothing of C++'s. E_UNAVAILABLE when the lane was closed; then nothing runs.
  Status Put(std::unique_ptr<Task> task);
  // Nothing more is put: Run returns when all that was has ended.
  void Close();
  // The work of the lane's thread; called once.
  void Run();

 private:
  void* raw_;
};

}  // namespace cordon::engine
