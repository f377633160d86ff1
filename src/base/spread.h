// Counters that many threads add to: one of several places, by the processor that runs.
#pragma once

#include <sched.h>

#include <array>
#include <cstddef>

namespace cordon {

// Each in cache lines of its own. `T` must be safe for several threads: two may be sent to one place.
template <typename T>
class Spread {
 public:
  static constexpr std::size_t kPlaces = 16;
  static std::size_t HereIndex() {
    const int processor = ::sched_getcpu();  // a read of the thread's own memory with glibc's rseq
    return processor < 0 ? 0 : static_cast<std::size_t>(processor) % kPlaces;
  }
  T& operator[](std::size_t index) { return places_[index].value; }
  auto begin() { return places_.begin(); }
  auto end() { return places_.end(); }

 private:
  struct alignas(128) Place {
    T value{};
  };
  std::array<Place, kPlaces> places_;
};

}  // namespace cordon
