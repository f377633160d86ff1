// The C functions of bench/raw: Wasmtime as an embedder in Rust uses it. Kept by hand beside raw/src/lib.rs.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct raw_options {
  std::uint64_t max_memory_bytes;
  std::uint32_t max_instances;
  std::uint32_t max_table_elements;
  std::uint32_t stack_bytes;
};

enum raw_row : std::uint32_t {
  RAW_FRESH = 0,
  RAW_ADD = 1,
  RAW_ECHO_1K = 2,
  RAW_ECHO_64K = 3,
  RAW_BYTES_64K = 4,
  RAW_NESTED_64K = 5,
  RAW_RECORD = 6,
};

enum raw_stop_row : std::uint32_t { RAW_SPIN = 0, RAW_FILL = 1, RAW_SLEEP = 2 };

struct raw_bench;

raw_bench* raw_new(const raw_options* options, const std::uint8_t* guest, std::size_t guest_len,
                   const std::uint8_t* sleeper, std::size_t sleeper_len);
bool raw_round(raw_bench* bench, std::uint32_t row, std::uint64_t iterations);
bool raw_stop(raw_bench* bench, std::uint32_t row, std::uint64_t timeout_ns, std::uint32_t bytes);
bool raw_fresh_on_two(raw_bench* bench, std::uint64_t iterations);
bool raw_hold(raw_bench* bench, std::uint32_t count);
void raw_free(raw_bench* bench);

// GET after GET by hyper on one connection to 127.0.0.1.
struct raw_http;
raw_http* raw_http_new(std::uint16_t port);
bool raw_http_get(raw_http* http, std::uint64_t iterations);
void raw_http_free(raw_http* http);

// bench_kernels.wat on an engine like the bench's that interrupts nothing; `kernel` counts mix, fib, sieve, matmul.
struct raw_kernels;
raw_kernels* raw_kernels_new(const raw_bench* bench, const std::uint8_t* guest, std::size_t guest_len);
bool raw_kernels_run(raw_kernels* kernels, std::uint32_t kernel, std::int32_t size, std::uint64_t iterations,
                     std::int64_t* answer);
void raw_kernels_free(raw_kernels* kernels);
}
