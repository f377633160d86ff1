#include <chrono>
#include <functional>
#include <random>

#include "rows.h"

namespace cordon::bench {
namespace {

constexpr double kOvershootUsMax = 10'000;
constexpr std::uint32_t kBulkBytes = 64 << 20;

// A kind of call that never returns by itself.
struct Runaway {
  std::string name;
  std::string peer;
  raw_stop_row row;
  std::size_t calls = 10;  // in each round
  std::chrono::nanoseconds timeout_min, timeout_max;
};

std::chrono::nanoseconds Draw(const Runaway& runaway, std::mt19937_64& random) {
  std::uniform_int_distribution<std::int64_t> draw(runaway.timeout_min.count(), runaway.timeout_max.count());
  return std::chrono::nanoseconds(draw(random));
}

// Microseconds from the deadline until the call has ended and all that it held is released.
template <typename Stop>
Result<double> OvershootUs(std::chrono::nanoseconds timeout, Stop stop) {
  const auto start = std::chrono::steady_clock::now();
  CORDON_TRY(stop());
  const std::chrono::duration<double, std::micro> over = std::chrono::steady_clock::now() - start - timeout;
  return over.count();
}

using Call = std::function<Status(const CallOptions& options)>;

Result<Call> CallOf(raw_stop_row row, const CordonSide& cordon) {
  if (row == RAW_FILL) {
    CORDON_ASSIGN(auto fill, cordon.plugin().Function<void(std::uint32_t)>("fill"));
    return [fill](const CallOptions& options) { return fill.Call(options, kBulkBytes); };
  }
  if (row == RAW_SLEEP) {
    CORDON_ASSIGN(auto sleep, cordon.sleeper().Function<void(std::uint64_t)>("sleep"));
    return [sleep](const CallOptions& options) { return sleep.Call(options, std::uint64_t{1} << 62); };
  }
  CORDON_ASSIGN(auto spin, cordon.plugin().Function<void()>("spin"));
  return [spin](const CallOptions& options) { return spin.Call(options); };
}

Result<Row> Measure(const Runaway& runaway, const Plan& plan, CordonSide& cordon, RawSide& raw) {
  CORDON_ASSIGN(const Call run, CallOf(runaway.row, cordon));
  std::mt19937_64 random(plan.seed);
  Rounds rounds, singles;
  for (std::size_t round = 0; round < plan.slow_rounds; ++round) {
    std::vector<double> ours, theirs;
    for (std::size_t call = 0; call < 2 * runaway.calls; ++call) {
      const std::chrono::nanoseconds timeout = Draw(runaway, random);
      if (call % 2 == round % 2) {
        CallOptions options;
        options.timeout = timeout;
        CORDON_ASSIGN(const double over, OvershootUs(timeout, [&]() -> Status {
                        const Status ended = run(options);
                        if (ended) return Fail(Code::kInternal, "the guest returned");
                        return ended.error().code == Code::kTimeout ? Status{} : ended;
                      }));
        ours.push_back(over);
      } else {
        CORDON_ASSIGN(const double over,
                      OvershootUs(timeout, [&] { return raw.Stop(runaway.row, timeout, kBulkBytes); }));
        theirs.push_back(over);
      }
    }
    rounds.cordon.push_back(Median(ours));
    rounds.against.push_back(Median(theirs));
    singles.cordon.insert(singles.cordon.end(), ours.begin(), ours.end());
    singles.against.insert(singles.against.end(), theirs.begin(), theirs.end());
  }
  return Summarise({runaway.name, runaway.peer, "us", Row::Judged::kTail, kOvershootUsMax}, rounds, singles);
}

NamedRow Named(Runaway runaway) {
  std::string name = runaway.name;
  return {std::move(name), [runaway = std::move(runaway)](const Plan& plan, CordonSide& cordon, RawSide& raw) {
            return Measure(runaway, plan, cordon, raw);
          }};
}

}  // namespace

std::vector<NamedRow> StopRows() {
  using std::chrono::milliseconds;
  constexpr char kEpoch[] = "wasmtime 48.0.8 (Rust, epoch deadline)";
  constexpr char kDropped[] = "wasmtime 48.0.8 (Rust, tokio timeout)";
  // Deadlines are drawn at random, so that they fall anywhere between two ticks. Filling needs time to touch its
  // memory.
  return {
      Named({"kill-spin", kEpoch, RAW_SPIN, 10, milliseconds(4), milliseconds(9)}),
      Named({"kill-bulk", kEpoch, RAW_FILL, 4, milliseconds(120), milliseconds(140)}),
      Named({"kill-blocked", kDropped, RAW_SLEEP, 10, milliseconds(4), milliseconds(9)}),
  };
}

}  // namespace cordon::bench
