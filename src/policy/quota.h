// What plugins may use while they run: one of them, or all in sum. docs/formats/config.md has the text form. Values.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"

namespace cordon::policy {

// What is absent has no bound.
struct Quota {
  std::optional<double> cpu_share{};   // of one processor, on average
  std::optional<Duration> cpu_time{};  // in each period
  Duration cpu_period = std::chrono::minutes(1);
  std::optional<Bytes> memory{};               // that calls which run, and instances, may have together
  std::optional<std::uint32_t> concurrency{};  // calls at once
  std::optional<Rate> read{}, write{};         // bytes of files
  std::optional<Rate> operations{};            // on files
  std::optional<Rate> network{};               // bytes, both ways together
  std::optional<Rate> requests{};              // of services and of the network
  double alert = 0.8;                          // somebody is told when this part of a bound is used

  bool any() const { return cpu_share || cpu_time || memory || concurrency || has_file_rate() || network || requests; }
  bool has_file_rate() const { return read || write || operations; }
  friend bool operator==(const Quota&, const Quota&) = default;
};

// Whether `a` lets less by in the same time than `b`.
bool IsSlower(Rate a, Rate b);

}  // namespace cordon::policy
