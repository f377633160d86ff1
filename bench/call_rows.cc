#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "guest_calls.h"
#include "rows.h"

namespace cordon::bench {
namespace {

constexpr double kRoundNs = 5e6;
constexpr std::size_t kWarmRounds = 3;
constexpr std::size_t kRoundsMin = 10;  // below that nobody reads the figures, and rounds are short

// Stands in for a side that is left out.
Status Nothing(std::uint64_t) {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return {};
}

// How many iterations make a round.
Result<std::uint64_t> Calibrate(const Plan& plan, const TimedSide& side) {
  std::uint64_t iterations = 16;
  for (;;) {
    CORDON_ASSIGN(const double ns, side(iterations));
    if (ns >= kRoundNs / 4 || plan.rounds < kRoundsMin) {
      return std::max<std::uint64_t>(
          1, static_cast<std::uint64_t>(static_cast<double>(iterations) * kRoundNs / std::max(ns, kRoundNs / 4)));
    }
    iterations *= 4;
  }
}

Status Unexpected() { return Fail(Code::kInternal, "the guest answered something else than was asked for"); }

RowSpec Spec(std::string name, double bar) { return {std::move(name), kRawPeer, "ns", Row::Judged::kRatio, bar}; }

Result<Row> MeasureFresh(const Plan& plan, CordonSide& cordon, RawSide& raw) {
  CORDON_ASSIGN(const Add add, cordon.plugin().Function<std::int32_t(std::int32_t, std::int32_t)>("add"));
  const Side ours = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) {
      CORDON_ASSIGN(const std::int32_t sum, add(40, 2));
      if (sum != 42) return Unexpected();
    }
    return {};
  };
  const Side theirs = [&](std::uint64_t iterations) { return raw.Round(RAW_FRESH, iterations); };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
  return Summarise(Spec("fresh", 1.25), rounds);
}

// A row of calls on a warm instance; `once` makes one.
template <typename Once>
Result<Row> MeasureWarm(const Plan& plan, RawSide& raw, const RowSpec& spec, raw_row row, Once once) {
  const Side ours = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) CORDON_TRY(once());
    return {};
  };
  const Side theirs = [&](std::uint64_t iterations) { return raw.Round(row, iterations); };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
  return Summarise(spec, rounds);
}

Result<Row> MeasureAdd(const Plan& plan, CordonSide& cordon, RawSide& raw) {
  CORDON_ASSIGN(GuestCalls calls, GuestCalls::Open(cordon.plugin()));
  return MeasureWarm(plan, raw, Spec("warm-add", 1.25), RAW_ADD, [&]() -> Status {
    CORDON_ASSIGN(const std::int32_t sum, calls.functions.Add(calls.instance, 40, 2));
    return sum == 42 ? Status{} : Unexpected();
  });
}

// As raw does, each result is a value of its own: made and dropped in every iteration.
Result<Row> MeasureString(const Plan& plan, CordonSide& cordon, RawSide& raw, const RowSpec& spec, raw_row row,
                          std::size_t bytes) {
  CORDON_ASSIGN(GuestCalls calls, GuestCalls::Open(cordon.plugin()));
  const std::string text = SampleText(bytes);
  return MeasureWarm(plan, raw, spec, row, [&]() -> Status {
    CORDON_ASSIGN(const std::string answer, calls.functions.EchoString(calls.instance, text));
    return answer.size() == bytes ? Status{} : Unexpected();
  });
}

Result<Row> MeasureBytes(const Plan& plan, CordonSide& cordon, RawSide& raw) {
  CORDON_ASSIGN(GuestCalls calls, GuestCalls::Open(cordon.plugin()));
  const std::vector<std::uint8_t> block = SampleBytes(64 << 10);
  return MeasureWarm(plan, raw, Spec("bytes-64k", 1.5), RAW_BYTES_64K, [&]() -> Status {
    CORDON_ASSIGN(const std::vector<std::uint8_t> answer, calls.functions.EchoBytes(calls.instance, block));
    return answer.size() == block.size() ? Status{} : Unexpected();
  });
}

Result<Row> MeasureNested(const Plan& plan, CordonSide& cordon, RawSide& raw) {
  CORDON_ASSIGN(GuestCalls calls, GuestCalls::Open(cordon.plugin()));
  const Message message = SampleMessage();
  return MeasureWarm(plan, raw, Spec("bytes-nested-64k", 1.5), RAW_NESTED_64K, [&]() -> Status {
    CORDON_ASSIGN(const Message answer, calls.functions.EchoNested(calls.instance, message));
    return answer.content.size() == message.content.size() ? Status{} : Unexpected();
  });
}

// Against the same call with C++ values, not against raw: the row asks what JSON adds.
Result<Row> MeasureJson(const Plan& plan, CordonSide& cordon, RawSide&) {
  CORDON_ASSIGN(GuestCalls calls, GuestCalls::Open(cordon.plugin()));
  const Entry entry = SampleEntry();
  const std::string json = SampleEntryJson();
  const Side by_json = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) {
      CORDON_ASSIGN(const Answer answer, calls.instance.Call("echo-record", json));
      // The parameters without their name are the result.
      if (answer.json.size() + 10 != json.size()) return Unexpected();
    }
    return {};
  };
  const Side typed = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) {
      CORDON_ASSIGN(const Entry answer, calls.functions.EchoRecord(calls.instance, entry));
      if (answer.digest != entry.digest) return Unexpected();
    }
    return {};
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, by_json, typed));
  constexpr double kExtraNsMax = 10'000;
  return Summarise({"json-10", "the same call, typed (C++)", "ns", Row::Judged::kDifference, kExtraNsMax}, rounds);
}

}  // namespace

TimedSide Timed(Side side) {
  return [side = std::move(side)](std::uint64_t iterations) -> Result<double> {
    const auto start = std::chrono::steady_clock::now();
    CORDON_TRY(side(iterations));
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    return took.count();
  };
}

Result<Rounds> Interleave(const Plan& plan, const Side& cordon, const Side& against) {
  return Interleave(plan, Timed(cordon), Timed(against));
}

Result<Rounds> Interleave(const Plan& plan, const TimedSide& cordon_side, const TimedSide& peer_side) {
  const TimedSide cordon = plan.only == Plan::Only::kPeer ? Timed(Nothing) : cordon_side;
  const TimedSide against = plan.only == Plan::Only::kCordon ? Timed(Nothing) : peer_side;
  CORDON_ASSIGN(const std::uint64_t cordon_iterations, Calibrate(plan, cordon));
  CORDON_ASSIGN(const std::uint64_t against_iterations, Calibrate(plan, against));
  std::mt19937_64 random(plan.seed);
  Rounds rounds;
  for (std::size_t i = 0; i < kWarmRounds + plan.rounds; ++i) {
    double cordon_ns = 0, against_ns = 0;
    const bool cordon_first = random() % 2 == 0;
    for (const bool ours : {cordon_first, !cordon_first}) {
      const std::uint64_t iterations = ours ? cordon_iterations : against_iterations;
      CORDON_ASSIGN(const double ns, (ours ? cordon : against)(iterations));
      (ours ? cordon_ns : against_ns) = ns / static_cast<double>(iterations);
    }
    if (i < kWarmRounds) continue;
    rounds.cordon.push_back(cordon_ns);
    rounds.against.push_back(against_ns);
  }
  return rounds;
}

std::vector<NamedRow> CallRows() {
  return {
      {"fresh", MeasureFresh},
      {"warm-add", MeasureAdd},
      {"echo-1k",
       [](const Plan& plan, CordonSide& cordon, RawSide& raw) {
         return MeasureString(plan, cordon, raw, Spec("echo-1k", 1.4), RAW_ECHO_1K, 1 << 10);
       }},
      {"echo-64k",
       [](const Plan& plan, CordonSide& cordon, RawSide& raw) {
         return MeasureString(plan, cordon, raw, Spec("echo-64k", 1.4), RAW_ECHO_64K, 64 << 10);
       }},
      {"bytes-64k", MeasureBytes},
      {"bytes-nested-64k", MeasureNested},
      {"json-10", MeasureJson},
  };
}

}  // namespace cordon::bench
