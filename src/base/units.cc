#include "base/units.h"

#include <charconv>
#include <limits>
#include <span>

namespace cordon {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit kSizes[] = {{"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}};
constexpr Unit kTimes[] = {{"h", 3'600'000'000'000ull}, {"m", 60'000'000'000ull}, {"s", 1'000'000'000ull},
                           {"ms", 1'000'000ull},        {"us", 1'000ull},         {"ns", 1}};
constexpr Unit kPeriods[] = {{"h", 3'600'000'000'000ull}, {"min", 60'000'000'000ull}, {"s", 1'000'000'000ull}};

// A year: longer times are surely mistakes, and nanoseconds must not overflow.
constexpr std::uint64_t kLongest = 365ull * 24 * kTimes[0].factor;

Result<std::uint64_t> ParseAmount(std::string_view text, std::span<const Unit> units, std::string_view example) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  auto wrong = [&] {
    return Fail(Code::kType, "'" + std::string(text.substr(0, 64)) + "' is not a value like " + std::string(example),
                "write a whole number and a unit, such as " + std::string(example));
  };
  if (digits == 0 || (digits > 1 && text[0] == '0')) return wrong();
  std::uint64_t number = 0;
  if (std::from_chars(text.data(), text.data() + digits, number).ec != std::errc()) {
    return Fail(Code::kRange, "'" + std::string(text.substr(0, 64)) + "' is too large");
  }
  for (const Unit& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    if (number == 0) {
      return Fail(Code::kRange, "'" + std::string(text) + "' is zero, which never means unlimited",
                  "leave the field out, or give a positive value");
    }
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) {
      return Fail(Code::kRange, "'" + std::string(text.substr(0, 64)) + "' is too large");
    }
    return number * unit.factor;
  }
  return wrong();
}

std::string FormatAmount(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0 && (value != 0 || unit.factor == 1)) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(value) + std::string(units.back().name);
}

Result<Rate> ParsePer(std::string_view text, std::span<const Unit> amounts, std::string_view example) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return Fail(Code::kType, "'" + std::string(text.substr(0, 64)) + "' is not a rate like " + std::string(example));
  }
  Rate rate;
  CORDON_ASSIGN(rate.amount, ParseAmount(text.substr(0, slash), amounts, example));
  for (const Unit& period : kPeriods) {
    if (text.substr(slash + 1) == period.name) {
      rate.period = Duration(period.factor);
      return rate;
    }
  }
  return Fail(Code::kType, "'" + std::string(text.substr(0, 64)) + "' is not a rate like " + std::string(example),
              "the period is s, min or h");
}

std::string FormatPeriod(Duration period) {
  for (const Unit& unit : kPeriods) {
    if (static_cast<std::uint64_t>(period.count()) == unit.factor) return std::string(unit.name);
  }
  return FormatDuration(period);
}

constexpr Unit kPlain[] = {{"", 1}};

}  // namespace

Result<Bytes> ParseBytes(std::string_view text) {
  CORDON_ASSIGN(std::uint64_t count, ParseAmount(text, kSizes, "64MiB"));
  return Bytes{count};
}

Result<Duration> ParseDuration(std::string_view text) {
  CORDON_ASSIGN(std::uint64_t count, ParseAmount(text, kTimes, "5s"));
  if (count > kLongest) return Fail(Code::kRange, "'" + std::string(text) + "' is longer than a year");
  return Duration(static_cast<std::int64_t>(count));
}

Result<Rate> ParseRate(std::string_view text) { return ParsePer(text, kPlain, "60/min"); }
Result<Rate> ParseByteRate(std::string_view text) { return ParsePer(text, kSizes, "20MiB/s"); }

std::string FormatBytes(Bytes bytes) { return FormatAmount(bytes.count, kSizes); }
std::string FormatDuration(Duration duration) {
  return FormatAmount(static_cast<std::uint64_t>(duration.count()), kTimes);
}
std::string FormatRate(Rate rate) { return std::to_string(rate.amount) + "/" + FormatPeriod(rate.period); }
std::string FormatByteRate(Rate rate) { return FormatBytes({rate.amount}) + "/" + FormatPeriod(rate.period); }

}  // namespace cordon
