// The two sides that are measured: Cordon with everything on that a host has by default, and raw Wasmtime.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cordon/host.h"
#include "raw/raw.h"

namespace cordon::bench {

struct Guests {
  std::string bench;    // tests/guests/bench
  std::string sleeper;  // tests/guests/wat/a20_sleep.wat
};
Result<Guests> ReadGuests(const std::filesystem::path& folder);

// A host at level default, its audit log in a folder of its own, with both guests loaded.
class CordonSide {
 public:
  static Result<std::unique_ptr<CordonSide>> Open(const std::filesystem::path& guests, std::uint32_t max_instances);
  ~CordonSide();
  CordonSide(const CordonSide&) = delete;
  CordonSide& operator=(const CordonSide&) = delete;

  const Plugin& plugin() const { return *bench_; }
  const Plugin& sleeper() const { return *sleeper_; }
  const Plugin& core() const { return *core_; }
  const Plugin& kernels() const { return *kernels_; }
  const Plugin& extism() const { return *extism_; }  // bench_extism.wasm, the peer's own bytes
  const Plugin& vowels() const { return *vowels_; }  // count_vowels of extism-pdk, as it is

 private:
  CordonSide() = default;
  std::filesystem::path state_folder_;
  std::optional<Host> host_;
  std::optional<Plugin> bench_, sleeper_, core_, kernels_, extism_, vowels_;
};

class RawSide {
 public:
  static Result<RawSide> Open(const Guests& guests, std::uint32_t max_instances);

  Status Round(raw_row row, std::uint64_t iterations);
  Status Stop(raw_stop_row row, std::chrono::nanoseconds timeout, std::uint32_t bytes);
  Status FreshOnTwo(std::uint64_t iterations);
  Status Hold(std::uint32_t count);

 private:
  friend class RawKernels;
  struct Free {
    void operator()(raw_bench* bench) const { raw_free(bench); }
  };
  std::unique_ptr<raw_bench, Free> raw_;
};

// Core modules' loops on an engine that interrupts nothing.
class RawKernels {
 public:
  static Result<RawKernels> Open(const RawSide& like, const std::filesystem::path& guests);
  // What the last of `iterations` answered.
  Result<std::int64_t> Run(std::uint32_t kernel, std::int32_t size, std::uint64_t iterations);

 private:
  struct Free {
    void operator()(raw_kernels* kernels) const { raw_kernels_free(kernels); }
  };
  std::unique_ptr<raw_kernels, Free> raw_;
};

}  // namespace cordon::bench
