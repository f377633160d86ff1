#include "kernels.h"
#include "rows.h"

namespace cordon::bench {
namespace {

using Function = TypedFunction<std::int64_t(std::int32_t)>;

Status Disagree(const Kernel& kernel) {
  return Fail(Code::kInternal, std::string("the sides answer ") + kernel.name + " differently");
}

struct Warm {
  Instance instance;
  Function function;
};

Result<Warm> OpenWarm(const CordonSide& cordon, const Kernel& kernel) {
  CORDON_ASSIGN(Instance instance, cordon.kernels().NewInstance());
  CORDON_ASSIGN(Function function, cordon.kernels().Function<std::int64_t(std::int32_t)>(kernel.name));
  return Warm{std::move(instance), std::move(function)};
}

Side Ours(Warm& warm, const Kernel& kernel) {
  const std::int64_t expected = kernel.native(kernel.size);
  return [&warm, &kernel, expected](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) {
      CORDON_ASSIGN(const std::int64_t answer, warm.function.On(warm.instance, kernel.size));
      if (answer != expected) return Disagree(kernel);
    }
    return {};
  };
}

NamedRow Interrupt(std::uint32_t number) {
  const Kernel& kernel = Kernels()[number];
  const std::string name = std::string("interrupt-") + kernel.name;
  return {name, [name, number, &kernel](const Plan& plan, CordonSide& cordon, RawSide& like) -> Result<Row> {
            CORDON_ASSIGN(Warm warm, OpenWarm(cordon, kernel));
            CORDON_ASSIGN(RawKernels raw, RawKernels::Open(like, plan.guests));
            const std::int64_t expected = kernel.native(kernel.size);
            const Side theirs = [&](std::uint64_t iterations) -> Status {
              CORDON_ASSIGN(const std::int64_t answer, raw.Run(number, kernel.size, iterations));
              return answer == expected ? Status{} : Disagree(kernel);
            };
            CORDON_ASSIGN(const Rounds rounds, Interleave(plan, Ours(warm, kernel), theirs));
            return Summarise({name, "wasmtime 48.0.8 (Rust, nothing interrupts it)", "ns", Row::Judged::kStated},
                             rounds);
          }};
}

NamedRow Native(std::uint32_t number) {
  const Kernel& kernel = Kernels()[number];
  const std::string name = std::string("native-") + kernel.name;
  return {name, [name, &kernel](const Plan& plan, CordonSide& cordon, RawSide&) -> Result<Row> {
            CORDON_ASSIGN(Warm warm, OpenWarm(cordon, kernel));
            const Side theirs = [&](std::uint64_t iterations) -> Status {
              for (std::uint64_t i = 0; i < iterations; ++i) {
                std::int32_t size = kernel.size;
                asm volatile("" : "+r"(size) : : "memory");  // the same question, and the compiler does not know
                if (std::int64_t answer = kernel.native(size); answer == -1) return Disagree(kernel);
              }
              return {};
            };
            CORDON_ASSIGN(const Rounds rounds, Interleave(plan, Ours(warm, kernel), theirs));
            return Summarise({name, "native code, -O2", "ns", Row::Judged::kStated}, rounds);
          }};
}

}  // namespace

std::vector<NamedRow> KernelRows() {
  std::vector<NamedRow> rows;
  rows.reserve(2 * Kernels().size());
  for (std::uint32_t number = 0; number < Kernels().size(); ++number) rows.push_back(Interrupt(number));
  for (std::uint32_t number = 0; number < Kernels().size(); ++number) rows.push_back(Native(number));
  return rows;
}

}  // namespace cordon::bench
