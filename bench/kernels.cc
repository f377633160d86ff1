#include "kernels.h"

#include <cstring>

namespace cordon::bench {
namespace {

[[gnu::noinline]] std::int64_t Mix(std::int32_t n) {
  std::uint64_t x = 88172645463325252u, sum = 0;
  do {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    sum += x * 0x9e3779b97f4a7c15u;
  } while (--n != 0);
  return static_cast<std::int64_t>(sum);
}

// As many calls as the source says: the compiler may neither unroll nor inline them.
[[gnu::noinline, gnu::noipa]] std::int64_t Fib(std::int32_t n) { return n < 2 ? n : Fib(n - 1) + Fib(n - 2); }

[[gnu::noinline]] std::int64_t Sieve(std::int32_t n) {
  static std::uint8_t prime[262144];
  std::memset(prime, 1, static_cast<std::size_t>(n));
  std::int64_t count = 0;
  for (std::int32_t i = 2; i < n; ++i) {
    if (prime[i] == 0) continue;
    ++count;
    for (std::int32_t j = i * 2; j < n; j += i) prime[j] = 0;
  }
  return count;
}

[[gnu::noinline]] std::int64_t Matmul(std::int32_t n) {
  static double a[4096], b[4096], c[4096];
  for (std::int32_t i = 0; i < n * n; ++i) {
    a[i] = i & 7;
    b[i] = i & 3;
  }
  double sum = 0;
  for (std::int32_t i = 0; i < n; ++i) {
    for (std::int32_t j = 0; j < n; ++j) {
      double dot = 0;
      for (std::int32_t k = 0; k < n; ++k) dot += a[i * n + k] * b[k * n + j];
      const_cast<volatile double&>(c[i * n + j]) = dot;
      sum += dot;
    }
  }
  return static_cast<std::int64_t>(sum);
}

}  // namespace

const std::array<Kernel, 4>& Kernels() {
  static constexpr std::array<Kernel, 4> kAll = {{
      {"mix", Mix, 300'000},
      {"fib", Fib, 24},
      {"sieve", Sieve, 262'144},
      {"matmul", Matmul, 64},
  }};
  return kAll;
}

}  // namespace cordon::bench
