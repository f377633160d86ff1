// Sizes, durations and rates, each with one spelling: `64MiB`, `5s`, `60/min`, `20MiB/s`. Pure; thread-safe.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon {

using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::steady_clock::time_point;

struct Bytes {
  std::uint64_t count = 0;
  friend auto operator<=>(const Bytes&, const Bytes&) = default;
};

constexpr Bytes KiB(std::uint64_t n) { return {n << 10}; }
constexpr Bytes MiB(std::uint64_t n) { return {n << 20}; }

// `amount` per `period`; the amount is a count of events or of bytes, as the field that holds it says.
struct Rate {
  std::uint64_t amount = 0;
  Duration period{std::chrono::seconds(1)};
  friend auto operator<=>(const Rate&, const Rate&) = default;
};

// "64MiB", "512KiB", "1GiB", "10B". E_TYPE for another form, E_RANGE for zero or an overflow.
Result<Bytes> ParseBytes(std::string_view text);
// "5s", "500ms", "10us", "2m", "1h". E_TYPE for another form, E_RANGE for zero or an overflow.
Result<Duration> ParseDuration(std::string_view text);
// "60/min", "5/s", "100/h". E_TYPE, E_RANGE as above.
Result<Rate> ParseRate(std::string_view text);
// "20MiB/s". E_TYPE, E_RANGE as above.
Result<Rate> ParseByteRate(std::string_view text);

// The canonical spelling, which parses back to the same value.
std::string FormatBytes(Bytes bytes);
std::string FormatDuration(Duration duration);
std::string FormatRate(Rate rate);
std::string FormatByteRate(Rate rate);

}  // namespace cordon
