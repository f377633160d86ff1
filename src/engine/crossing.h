// Where a thread of the bridge calls into C++, or is given something of ours. Nothing, but under ThreadSanitizer, which
// does not see how Rust's threads wait for each other: to it, each crossing comes after all before it.
#pragma once

#ifdef CORDON_SANITIZED_THREADS
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace cordon::engine {

class Crossing {
 public:
#ifdef CORDON_SANITIZED_THREADS
  Crossing() { __tsan_acquire(&mark); }
  ~Crossing() { __tsan_release(&mark); }
#else
  Crossing() {}
  ~Crossing() {}
#endif
  Crossing(const Crossing&) = delete;
  Crossing& operator=(const Crossing&) = delete;

#ifdef CORDON_SANITIZED_THREADS
 private:
  static inline char mark = 0;
#endif
};

}  // namespace cordon::engine
