// The loops of tests/guests/wat/bench_kernels.wat in C++, compiled at -O2: what native code takes.
#pragma once

#include <array>
#include <cstdint>

namespace cordon::bench {

struct Kernel {
  const char* name;
  std::int64_t (*native)(std::int32_t size);
  std::int32_t size;
};

// In the order that raw_kernels_run counts them.
const std::array<Kernel, 4>& Kernels();

}  // namespace cordon::bench
