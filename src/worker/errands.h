// Threads for work that may block, made when they are needed and let go when they are not. Thread-safe.
#pragma once

#include <functional>
#include <memory>

namespace cordon::worker {

class Errands {
 public:
  Errands();
  // Idle threads end at once; the others when their work is done.
  ~Errands();
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;
  // Runs `work` on another thread. False when there is none to be had: then it was not run.
  bool Run(std::move_only_function<void()> work);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace cordon::worker
