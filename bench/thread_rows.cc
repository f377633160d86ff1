#include <array>
#include <thread>

#include "guest_calls.h"
#include "rows.h"

namespace cordon::bench {
namespace {

// Two threads must do at least 1.8 times what one does, so a call of theirs takes at most this share of the time.
constexpr double kShareMax = 1 / 1.8;

Status CallFresh(const Add& add, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    CORDON_ASSIGN(const std::int32_t sum, add(40, 2));
    if (sum != 42) return Fail(Code::kInternal, "the guest answered something else than was asked for");
  }
  return {};
}

Result<Row> MeasureTwo(const Plan& plan, CordonSide& cordon, RawSide&) {
  const auto find = [&] { return cordon.plugin().Function<std::int32_t(std::int32_t, std::int32_t)>("add"); };
  CORDON_ASSIGN(const Add add, find());
  CORDON_ASSIGN(const Add second, find());
  const Side one = [&](std::uint64_t times) { return CallFresh(add, times); };
  const Side two = [&](std::uint64_t times) -> Status {
    std::array<Status, 2> ended;
    std::thread other([&] { ended[1] = CallFresh(second, times / 2); });
    ended[0] = CallFresh(add, times - times / 2);
    other.join();
    CORDON_TRY(ended[0]);
    return ended[1];
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, two, one));
  return Summarise({"threads-2", "fresh calls on one thread (cordon)", "ns", Row::Judged::kRatio, kShareMax}, rounds);
}

// What the engine itself gains by a second thread.
Result<Row> MeasureRawTwo(const Plan& plan, CordonSide&, RawSide& raw) {
  const Side one = [&](std::uint64_t times) { return raw.Round(RAW_FRESH, times); };
  const Side two = [&](std::uint64_t times) { return raw.FreshOnTwo(times); };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, two, one));
  return Summarise({"threads-2-raw", "both sides wasmtime 48.0.8 (Rust): one thread", "ns", Row::Judged::kStated},
                   rounds);
}

}  // namespace

std::vector<NamedRow> ThreadRows() { return {{"threads-2", MeasureTwo}, {"threads-2-raw", MeasureRawTwo}}; }

}  // namespace cordon::bench
