// Pretends to be raw Wasmtime: answers at once, and rightly, so that the rest of the bench can be tested without
// building bench/raw. Its figures mean nothing.
#include "raw/raw.h"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "kernels.h"

struct raw_bench {
  std::vector<std::unique_ptr<char[]>> held;
};
struct raw_kernels {};
struct raw_http {};

extern "C" {

raw_bench* raw_new(const raw_options*, const std::uint8_t*, std::size_t, const std::uint8_t*, std::size_t) {
  return new raw_bench;
}

bool raw_round(raw_bench*, std::uint32_t, std::uint64_t) { return true; }

bool raw_stop(raw_bench*, std::uint32_t, std::uint64_t timeout_ns, std::uint32_t) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(timeout_ns));
  return true;
}

bool raw_fresh_on_two(raw_bench*, std::uint64_t) { return true; }
bool raw_hold(raw_bench* bench, std::uint32_t count) {
  constexpr std::size_t kEach = 16 << 10;
  for (std::uint32_t i = 0; i < count; ++i) {
    bench->held.push_back(std::make_unique<char[]>(kEach));
    for (std::size_t at = 0; at < kEach; at += 512) bench->held.back()[at] = 1;
  }
  return true;
}

void raw_free(raw_bench* bench) { delete bench; }

raw_http* raw_http_new(std::uint16_t) { return new raw_http; }

bool raw_http_get(raw_http*, std::uint64_t) { return true; }

void raw_http_free(raw_http* http) { delete http; }

raw_kernels* raw_kernels_new(const raw_bench*, const std::uint8_t*, std::size_t) { return new raw_kernels; }

bool raw_kernels_run(raw_kernels*, std::uint32_t kernel, std::int32_t size, std::uint64_t, std::int64_t* answer) {
  *answer = cordon::bench::Kernels()[kernel].native(size);
  return true;
}

void raw_kernels_free(raw_kernels* kernels) { delete kernels; }
}
