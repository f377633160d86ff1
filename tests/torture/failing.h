// Memory that runs out, for the thread that asks for it.
#pragma once

#include <cstdint>

namespace torture {

enum class Mode {
  kOne,      // one allocation fails
  kFromHere  // and every later one, until the operation is over
};

// From Begin to End the allocations of this thread fail as they are told to. Where sanitizers have malloc for
// themselves, those of C++ alone; else all that go through malloc, which are also those of Rust and of the C library.
class Failing {
 public:
  Failing(std::int64_t n, Mode mode) : n_(n), mode_(mode) {}
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  ~Failing() { End(); }

  void Begin();
  void End();
  // How many were asked for, and whether one failed.
  std::int64_t asked() const { return asked_; }
  bool met() const { return asked_ > n_; }

 private:
  std::int64_t n_;
  Mode mode_;
  std::int64_t asked_ = 0;
};

// Blocks of all threads that are not freed.
std::int64_t Live();

}  // namespace torture
