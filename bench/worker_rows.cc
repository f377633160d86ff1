// Plugins in worker processes, beside what two processes cost that only wake each other.
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cordon/host.h"
#include "kernels.h"
#include "rows.h"

namespace cordon::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Add = TypedFunction<std::int32_t(std::int32_t, std::int32_t)>;
using EchoBytes = TypedFunction<std::vector<std::uint8_t>(const std::vector<std::uint8_t>&)>;
constexpr std::size_t kMiB = 1 << 20;

Result<Host> HostOfWorkers() {
  HostOptions options;
  options.compiler = HostOptions::Compiler::kInProcess;
  options.placement = HostOptions::Placement::kWorkers;
  return Host::Create(std::move(options));
}

// Two processes that wake each other by futexes in memory they share, and do nothing else.
class PingPong {
 public:
  static Result<std::unique_ptr<PingPong>> Start() {
    std::unique_ptr<PingPong> made(new PingPong);
    void* at = ::mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return Fail(Code::kUnavailable, "no memory to share");
    made->words_ = new (at) Words;
    made->child_ = ::fork();
    if (made->child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (std::uint32_t turn = 1;; ++turn) {
        Await(made->words_->ping, turn);
        Set(made->words_->pong, turn);
      }
    }
    return made;
  }
  ~PingPong() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    ::munmap(words_, sizeof(Words));
  }
  void Round() {
    ++turn_;
    Set(words_->ping, turn_);
    Await(words_->pong, turn_);
  }

  using Word = std::atomic<std::uint32_t>;
  static void Await(Word& word, std::uint32_t turn) {
    while (word.load(std::memory_order_acquire) != turn) {
      ::syscall(SYS_futex, &word, FUTEX_WAIT, turn - 1, nullptr, nullptr, 0);
    }
  }
  static void Set(Word& word, std::uint32_t turn) {
    word.store(turn, std::memory_order_seq_cst);
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }

 private:
  struct Words {
    alignas(64) Word ping{0};
    alignas(64) Word pong{0};
  };
  PingPong() = default;
  Words* words_ = nullptr;
  pid_t child_ = -1;
  std::uint32_t turn_ = 0;
};

// Two processes that hand each other a mebibyte through memory they share, each side copying it once, in steps so that
// both work at once: what such a payload costs at least when both have to see it.
class Relay {
 public:
  static Result<std::unique_ptr<Relay>> Start() {
    std::unique_ptr<Relay> made(new Relay);
    void* at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return Fail(Code::kUnavailable, "no memory to share");
    made->shared_ = new (at) Shared;
    made->child_ = ::fork();
    if (made->child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      std::vector<std::uint8_t> own(kMiB);
      Shared& shared = *made->shared_;
      for (std::uint32_t turn = 1;; ++turn) {
        PingPong::Await(shared.turn, turn);
        Take(shared.there, turn, shared.there_bytes, own.data());
        Give(shared.back, turn, own.data(), shared.back_bytes);
      }
    }
    return made;
  }
  ~Relay() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    ::munmap(shared_, sizeof(Shared));
  }
  void Round(const std::uint8_t* payload, std::uint8_t* result) {
    ++turn_;
    PingPong::Set(shared_->turn, turn_);
    Give(shared_->there, turn_, payload, shared_->there_bytes);
    Take(shared_->back, turn_, shared_->back_bytes, result);
  }

 private:
  static constexpr std::size_t kStep = 64u << 10;
  static constexpr std::uint32_t kSteps = kMiB / kStep;
  struct Shared {
    alignas(64) PingPong::Word turn{0};
    alignas(64) PingPong::Word there{0};  // steps, of all turns
    alignas(64) PingPong::Word back{0};
    alignas(4096) std::uint8_t there_bytes[kMiB];
    alignas(4096) std::uint8_t back_bytes[kMiB];
  };
  Relay() = default;
  static void Give(PingPong::Word& steps, std::uint32_t turn, const std::uint8_t* from, std::uint8_t* to) {
    for (std::uint32_t i = 0; i < kSteps; ++i) {
      std::memcpy(to + i * kStep, from + i * kStep, kStep);
      steps.store((turn - 1) * kSteps + i + 1, std::memory_order_release);
    }
  }
  static void Take(PingPong::Word& steps, std::uint32_t turn, const std::uint8_t* from, std::uint8_t* to) {
    for (std::uint32_t i = 0; i < kSteps; ++i) {
      while (static_cast<std::int32_t>(steps.load(std::memory_order_acquire) - ((turn - 1) * kSteps + i + 1)) < 0) {
        __builtin_ia32_pause();
      }
      std::memcpy(to + i * kStep, from + i * kStep, kStep);
    }
  }
  Shared* shared_ = nullptr;
  pid_t child_ = -1;
  std::uint32_t turn_ = 0;
};

// Processors that this process may use, in order.
std::vector<int> Processors() {
  cpu_set_t all;
  std::vector<int> found;
  if (::sched_getaffinity(0, sizeof all, &all) != 0) return found;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &all)) found.push_back(i);
  }
  return found;
}

void PinTo(pid_t thread, int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  ::sched_setaffinity(thread, sizeof one, &one);
}

// This thread, and what it starts from now on, on one processor, until it is destroyed.
class OneCore {
 public:
  OneCore() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    if (const auto all = Processors(); !all.empty()) PinTo(0, all.front());
  }
  ~OneCore() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
};

// Every process below this one on the second processor, and this thread on the first: or it is the scheduler's mood
// whether the two sides of a round pay for waking another processor. They are there already, and know that they have
// two. Until it is destroyed.
class TwoCores {
 public:
  TwoCores() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    const auto all = Processors();
    if (all.size() < 2) return;
    for (const pid_t one : Below(::getpid())) {
      for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(one) + "/task")) {
        PinTo(std::atoi(task.path().filename().c_str()), all[1]);
      }
    }
    PinTo(0, all[0]);
  }
  ~TwoCores() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  static std::vector<pid_t> Below(pid_t parent) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const pid_t one = std::atoi(entry.path().filename().c_str());
      std::ifstream stat(entry.path() / "stat");
      std::string text;
      if (one <= 0 || !std::getline(stat, text)) continue;
      // "pid (name) state parent ...", where the name may hold anything.
      const std::size_t end = text.rfind(')');
      if (end == text.npos || std::atoi(text.c_str() + end + 4) != parent) continue;
      found.push_back(one);
      for (const pid_t deeper : Below(one)) found.push_back(deeper);
    }
    return found;
  }
  cpu_set_t before_{};
};

Result<Row> MeasureCall(const Plan& plan, const std::string& name, const auto& cores) {
  CORDON_ASSIGN(Host host, HostOfWorkers());
  CORDON_ASSIGN(const Plugin plugin, host.Load(plan.guests / "bench.wasm"));
  CORDON_ASSIGN(const Add add, plugin.Function<std::int32_t(std::int32_t, std::int32_t)>("add"));
  CORDON_ASSIGN(Instance instance, plugin.NewInstance());
  CORDON_ASSIGN(const auto pong, PingPong::Start());
  [[maybe_unused]] const auto placed = cores();
  const Side ours = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) CORDON_TRY(add.On(instance, 40, 2));
    return {};
  };
  const Side theirs = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) pong->Round();
    return {};
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
  return Summarise({name, "a futex ping-pong of two processes", "ns", Row::Judged::kRatio, 2.0}, rounds);
}

Result<Row> MeasureCallOnTwoCores(const Plan& plan, CordonSide&, RawSide&) {
  return MeasureCall(plan, "worker-call", [] { return std::make_unique<TwoCores>(); });
}

Result<Row> MeasureCallOnOneCore(const Plan& plan, CordonSide&, RawSide&) {
  const OneCore one;
  return MeasureCall(plan, "worker-call-one-core", [] { return nullptr; });
}

// A call with a mebibyte in and out.
Result<Row> MeasurePayload(const Plan& plan, const std::vector<std::uint8_t>& payload, const RowSpec& row,
                           const Side& theirs) {
  CORDON_ASSIGN(Host host, HostOfWorkers());
  CORDON_ASSIGN(const Plugin plugin, host.Load(plan.guests / "bench.wasm"));
  CORDON_ASSIGN(const EchoBytes echo,
                plugin.Function<std::vector<std::uint8_t>(const std::vector<std::uint8_t>&)>("echo-bytes"));
  CORDON_ASSIGN(Instance instance, plugin.NewInstance());
  const TwoCores cores;
  const Side ours = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) CORDON_TRY(echo.On(instance, payload));
    return {};
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
  return Summarise(row, rounds);
}

Result<Row> MeasureMegabyte(const Plan& plan, CordonSide&, RawSide&) {
  CORDON_ASSIGN(const auto pong, PingPong::Start());
  const std::vector<std::uint8_t> payload(kMiB, 7);
  std::vector<std::uint8_t> there(kMiB), back(kMiB);
  const Side theirs = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) {
      std::memcpy(there.data(), payload.data(), kMiB);
      pong->Round();
      std::memcpy(back.data(), there.data(), kMiB);
      asm volatile("" : : "r"(back.data()) : "memory");
    }
    return {};
  };
  return MeasurePayload(
      plan, payload, {"worker-1m", "memcpy both ways and a futex ping-pong", "ns", Row::Judged::kRatio, 1.5}, theirs);
}

Result<Row> MeasureMegabyteAcross(const Plan& plan, CordonSide&, RawSide&) {
  CORDON_ASSIGN(const auto relay, Relay::Start());
  const std::vector<std::uint8_t> payload(kMiB, 7);
  std::vector<std::uint8_t> back(kMiB);
  const Side theirs = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) relay->Round(payload.data(), back.data());
    return {};
  };
  return MeasurePayload(
      plan, payload,
      {"worker-1m-across", "two processes that copy it through shared memory", "ns", Row::Judged::kStated, 0}, theirs);
}

// Time until an instance lives in a worker that was not there, in milliseconds.
Result<Row> MeasureStart(const Plan& plan, CordonSide&, RawSide&) {
  Rounds rounds;
  for (std::size_t round = 0; round < plan.slow_rounds; ++round) {
    CORDON_ASSIGN(Host host, HostOfWorkers());
    CORDON_ASSIGN(const Plugin plugin, host.Load(plan.guests / "bench.wasm"));
    CORDON_ASSIGN(const Instance first, plugin.NewInstance());  // takes the one that the load made
    const auto begin = Clock::now();
    CORDON_ASSIGN(const Instance second, plugin.NewInstance());
    rounds.cordon.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    rounds.against.push_back(0);
  }
  return Summarise({"worker-start", "nothing: milliseconds, from the warm one", "ms", Row::Judged::kDifference, 5.0},
                   rounds);
}

// Time of the first worker of a host, its keeper included.
Result<Row> MeasureCold(const Plan& plan, CordonSide&, RawSide&) {
  Rounds rounds;
  for (std::size_t round = 0; round < plan.slow_rounds; ++round) {
    const auto once = [&](HostOptions::Placement placement) -> Result<double> {
      HostOptions options;
      options.compiler = HostOptions::Compiler::kInProcess;
      options.placement = placement;
      options.code_cache = std::filesystem::temp_directory_path() / ("cordon-bench-cold-" + std::to_string(::getpid()));
      CORDON_ASSIGN(Host host, Host::Create(std::move(options)));
      CORDON_TRY(host.Load(plan.guests / "bench.wasm"));  // fills the cache, the first time
      CORDON_ASSIGN(Host again, [&] {
        HostOptions same;
        same.compiler = HostOptions::Compiler::kInProcess;
        same.placement = placement;
        same.code_cache = std::filesystem::temp_directory_path() / ("cordon-bench-cold-" + std::to_string(::getpid()));
        return Host::Create(std::move(same));
      }());
      const auto begin = Clock::now();
      CORDON_TRY(again.Load(plan.guests / "bench.wasm"));
      return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    };
    CORDON_ASSIGN(const double workers, once(HostOptions::Placement::kWorkers));
    CORDON_ASSIGN(const double here, once(HostOptions::Placement::kInProcess));
    rounds.cordon.push_back(workers);
    rounds.against.push_back(here);
  }
  return Summarise({"worker-cold", "the same load in process", "ms", Row::Judged::kDifference, 25.0}, rounds);
}

// Anonymous memory of the processes below this one that run no call, but for their keeper, in KiB.
double IdleKiBOfWorkers() {
  double kib = 0;
  int workers = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream status(entry.path() / "status");
    std::string line, name;
    double anonymous = 0;
    int parent = 0;
    while (std::getline(status, line)) {
      if (line.starts_with("Name:")) name = line.substr(6);
      if (line.starts_with("PPid:")) parent = std::atoi(line.c_str() + 6);
      if (line.starts_with("RssAnon:")) anonymous = std::atof(line.c_str() + 8);
    }
    if (name != "cordon-worker" || parent == ::getpid()) continue;
    kib += anonymous;
    ++workers;
  }
  return workers == 0 ? 0 : kib / workers;
}

Result<Row> MeasureIdle(const Plan& plan, CordonSide&, RawSide&) {
  CORDON_ASSIGN(Host host, HostOfWorkers());
  CORDON_ASSIGN(const Plugin plugin, host.Load(plan.guests / "bench.wasm"));
  CORDON_TRY(plugin.Call("add", R"({"a": 1, "b": 2})"));
  Rounds rounds;
  for (std::size_t round = 0; round < plan.slow_rounds; ++round) {
    rounds.cordon.push_back(IdleKiBOfWorkers());
    rounds.against.push_back(0);
  }
  if (rounds.cordon.front() == 0) return Fail(Code::kUnavailable, "this process does not see its workers");
  return Summarise({"worker-rss", "nothing: KiB of one that is idle", "KiB", Row::Judged::kDifference, 6 * 1024.0},
                   rounds);
}

NamedRow InWorker(std::uint32_t number) {
  const Kernel& kernel = Kernels()[number];
  const std::string name = std::string("worker-") + kernel.name;
  return {name, [name, number, &kernel](const Plan& plan, CordonSide&, RawSide& like) -> Result<Row> {
            const OneCore one;  // two processors of a machine that others use are not equally fast
            CORDON_ASSIGN(Host host, HostOfWorkers());
            CORDON_ASSIGN(const Plugin plugin, host.Load(plan.guests / "bench_kernels.wasm"));
            CORDON_ASSIGN(Instance instance, plugin.NewInstance());
            CORDON_ASSIGN(const auto function, plugin.Function<std::int64_t(std::int32_t)>(kernel.name));
            CORDON_ASSIGN(RawKernels raw, RawKernels::Open(like, plan.guests));
            // The guest's own time, as the worker takes it: what the way there costs is the row worker-call.
            const TimedSide ours = [&](std::uint64_t iterations) -> Result<double> {
              const auto before = instance.usage().wall;
              for (std::uint64_t i = 0; i < iterations; ++i) CORDON_TRY(function.On(instance, kernel.size));
              return std::chrono::duration<double, std::nano>(instance.usage().wall - before).count();
            };
            const TimedSide theirs = Timed([&](std::uint64_t iterations) -> Status {
              CORDON_TRY(raw.Run(number, kernel.size, iterations));
              return {};
            });
            CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
            return Summarise({name, "wasmtime 48.0.8 (Rust, nothing interrupts it)", "ns", Row::Judged::kRatio, 1.10},
                             rounds);
          }};
}

// As many threads at once, each with its own share of the iterations.
Status OnThreads(std::size_t count, std::uint64_t iterations,
                 const std::function<Status(std::size_t thread, std::uint64_t iterations)>& run) {
  std::vector<Status> outcomes(count);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t share = iterations / count + (i < iterations % count ? 1 : 0);
      threads.emplace_back([&, i, share] { outcomes[i] = run(i, share); });
    }
  }
  for (Status& outcome : outcomes) CORDON_TRY(std::move(outcome));
  return {};
}

// Calls that compute, in so many workers at once, beside as many threads of the engine alone.
NamedRow Throughput(std::size_t count) {
  const std::string name = "worker-throughput-" + std::to_string(count);
  return {name, [name, count](const Plan& plan, CordonSide&, RawSide& like) -> Result<Row> {
            const Kernel& kernel = Kernels().front();
            CORDON_ASSIGN(Host host, HostOfWorkers());
            CORDON_ASSIGN(const Plugin plugin, host.Load(plan.guests / "bench_kernels.wasm"));
            CORDON_ASSIGN(const auto function, plugin.Function<std::int64_t(std::int32_t)>(kernel.name));
            std::vector<Instance> instances;
            std::vector<RawKernels> raw;
            for (std::size_t i = 0; i < count; ++i) {
              CORDON_ASSIGN(Instance instance, plugin.NewInstance());
              instances.push_back(std::move(instance));
              CORDON_ASSIGN(RawKernels one, RawKernels::Open(like, plan.guests));
              raw.push_back(std::move(one));
            }
            const Side ours = [&](std::uint64_t iterations) {
              return OnThreads(count, iterations, [&](std::size_t thread, std::uint64_t share) -> Status {
                for (std::uint64_t i = 0; i < share; ++i) CORDON_TRY(function.On(instances[thread], kernel.size));
                return {};
              });
            };
            const Side theirs = [&](std::uint64_t iterations) {
              return OnThreads(count, iterations, [&](std::size_t thread, std::uint64_t share) -> Status {
                if (share > 0) CORDON_TRY(raw[thread].Run(0, kernel.size, share));
                return {};
              });
            };
            CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
            return Summarise({name, "as many threads of wasmtime 48.0.8 (Rust)", "ns", Row::Judged::kRatio, 1.15},
                             rounds);
          }};
}

}  // namespace

std::vector<NamedRow> WorkerRows() {
  std::vector<NamedRow> rows = {
      {"worker-call", MeasureCallOnTwoCores},
      {"worker-call-one-core", MeasureCallOnOneCore},
      {"worker-1m", MeasureMegabyte},
      {"worker-1m-across", MeasureMegabyteAcross},
      {"worker-start", MeasureStart},
      {"worker-cold", MeasureCold},
      {"worker-rss", MeasureIdle},
  };
  for (std::uint32_t number = 0; number < Kernels().size(); ++number) rows.push_back(InWorker(number));
  for (const std::size_t count : {1, 2}) rows.push_back(Throughput(count));
  return rows;
}

}  // namespace cordon::bench
