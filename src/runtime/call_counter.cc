#include <ctime>

#include "runtime/state.h"

namespace cordon::runtime {
namespace {

// A group of calls is written when it is this old, or this large.
constexpr std::int64_t kGroupAgeMaxNs = 250'000'000;
constexpr std::uint64_t kGroupCallsMax = 100'000;
// Calls by name that have a record each; more of them in one second are counted.
constexpr std::int64_t kOwnRecordsPerSecond = 100;

std::int64_t CoarseNowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace

bool CallCounter::Admits() {
  const std::int64_t second = CoarseNowNs() / 1'000'000'000;
  // Two threads that see a new second at once admit a few more: the figure is a bound on work, not on truth.
  if (second_.exchange(second, std::memory_order_relaxed) != second) admitted_.store(0, std::memory_order_relaxed);
  return admitted_.fetch_add(1, std::memory_order_relaxed) < kOwnRecordsPerSecond;
}

CallCounter::Group CallCounter::Add(std::uint64_t calls, std::uint64_t duration_ns) {
  Counts& here = counts_[counts_.HereIndex()];
  const std::uint64_t count = here.count.fetch_add(calls, std::memory_order_relaxed) + calls;
  here.total_ns.fetch_add(duration_ns, std::memory_order_relaxed);
  const std::int64_t now = CoarseNowNs();
  std::int64_t since = here.since_ns.load(std::memory_order_relaxed);
  if (since == 0) here.since_ns.compare_exchange_strong(since, now, std::memory_order_relaxed);
  const bool full = count >= kGroupCallsMax || (since != 0 && now - since > kGroupAgeMaxNs);
  return full ? here.Take() : Group{};
}

CallCounter::Group CallCounter::Counts::Take() {
  since_ns.store(0, std::memory_order_relaxed);
  return {count.exchange(0), total_ns.exchange(0)};
}

CallCounter::Group CallCounter::Take() {
  Group all{};
  for (auto& place : counts_) {
    const Group group = place.value.Take();
    all.count += group.count;
    all.total_ns += group.total_ns;
  }
  return all;
}

}  // namespace cordon::runtime
