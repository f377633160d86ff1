// The two sides that are measured: Cordon with everything on that a host has by default, and raw Wasmtime.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "cordon/result.h"
#include "raw/raw.h"
#include "runtime/host.h"

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

  const runtime::Plugin& plugin() const { return *bench_; }
  const runtime::Plugin& sleeper() const { return *sleeper_; }

 private:
  CordonSide() = default;
  std::filesystem::path state_folder_;
  std::unique_ptr<runtime::Host> host_;
  std::shared_ptr<const runtime::Plugin> bench_, sleeper_;
};

class RawSide {
 public:
  static Result<RawSide> Open(const Guests& guests, std::uint32_t max_instances);

  Status Round(raw_row row, std::uint64_t iterations);
  Status Stop(raw_stop_row row, Duration timeout, std::uint32_t bytes);
  Status Hold(std::uint32_t count);

 private:
  struct Free {
    void operator()(raw_bench* bench) const { raw_free(bench); }
  };
  std::unique_ptr<raw_bench, Free> raw_;
};

}  // namespace cordon::bench
