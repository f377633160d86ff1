#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

#include "base/unique_fd.h"
#include "guest_calls.h"
#include "rows.h"

namespace cordon::bench {
namespace {

constexpr double kIdleKiBMax = 16;
constexpr std::uint32_t kExtismLive = 1'000;

Result<double> ResidentKiB() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    double kib = 0;
    if (word == "Rss:" && rollup >> kib) return kib;
  }
  return Fail(Code::kIo, "/proc/self/smaps_rollup cannot be read");
}

Status HoldCordon(const Plugin& plugin, std::uint32_t count, std::vector<Instance>& held) {
  CORDON_ASSIGN(const Add add, plugin.Function<std::int32_t(std::int32_t, std::int32_t)>("add"));
  for (std::uint32_t i = 0; i < count; ++i) {
    CORDON_ASSIGN(Instance instance, plugin.NewInstance());
    CORDON_TRY(add.On(instance, 40, 2));
    held.push_back(std::move(instance));
  }
  return {};
}

Status HoldExtism(const Plugin& plugin, std::uint32_t count, std::vector<Instance>& held) {
  CORDON_ASSIGN(const ExtismCall add, plugin.Function<ExtismSignature>("add"));
  const std::vector<std::uint8_t> numbers(2 * sizeof(std::int32_t));
  for (std::uint32_t i = 0; i < count; ++i) {
    CORDON_ASSIGN(Instance instance, plugin.NewInstance());
    CORDON_TRY(add.On(instance, numbers));
    held.push_back(std::move(instance));
  }
  return {};
}

// The growth of what is resident over `hold`, once the first few instances have paid for what all share.
template <typename Hold>
Status PrintGrowth(std::uint32_t count, Hold hold) {
  CORDON_TRY(hold(16));
  CORDON_ASSIGN(const double before, ResidentKiB());
  CORDON_TRY(hold(count));
  CORDON_ASSIGN(const double after, ResidentKiB());
  std::printf("%.4f\n", (after - before) / count);
  return {};
}

}  // namespace

namespace {

struct Answer {
  double number = 0;
  double after_us = 0;  // since the process was started
};

// Runs this program again, so that what one side left in memory does not help the other.
Result<Answer> AskChild(const Plan& plan, const std::string& side) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Fail(Code::kIo, "a pipe cannot be made");
  UniqueFd from(ends[0]), to(ends[1]);
  const std::string program = plan.program.string(), guests = plan.guests.string(), count = std::to_string(plan.live);
  const std::vector<std::string> words = {program, "--guests", guests, "--hold", side, "--count", count};
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  pid_t child = 0;
  const auto start = std::chrono::steady_clock::now();
  const int failed = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Fail(Code::kIo, "the bench cannot start itself again");
  to = UniqueFd();
  std::string line;
  for (char byte = 0; ::read(from.get(), &byte, 1) == 1 && byte != '\n';) line += byte;
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  int status = 0;
  ::waitpid(child, &status, 0);
  const double number = std::strtod(line.c_str(), nullptr);
  if (status != 0 || number <= 0) return Fail(Code::kInternal, "a child of the bench failed: " + side);
  return Answer{number, took.count()};
}

constexpr char kFirst[] = "first:";
constexpr double kFirstUsMax = 5'000;

// From the start of a process until its first call has answered, its plugin's code in the cache.
Result<Row> MeasureFirst(const Plan& plan, CordonSide&, RawSide&) {
  std::string cache = (std::filesystem::temp_directory_path() / "cordon-bench-XXXXXX").string();
  if (::mkdtemp(cache.data()) == nullptr) return Fail(Code::kIo, "a temporary folder cannot be made");
  Rounds rounds;
  for (std::size_t i = 0; i <= plan.slow_rounds; ++i) {
    const Result<Answer> first = AskChild(plan, kFirst + cache), nothing = AskChild(plan, "nothing");
    if (!first || !nothing) {
      std::filesystem::remove_all(cache);
      return std::unexpected(first ? nothing.error() : first.error());
    }
    if (i == 0) continue;  // it filled the cache
    rounds.cordon.push_back(first->after_us);
    rounds.against.push_back(nothing->after_us);
  }
  std::filesystem::remove_all(cache);
  return Summarise({"first-call", "the same program, doing nothing", "us", Row::Judged::kDifference, kFirstUsMax},
                   rounds);
}

Status CallFirst(const std::filesystem::path& guests, std::string_view cache) {
  HostOptions options;
  options.code_cache = cache;
  options.compiler = HostOptions::Compiler::kInProcess;
  CORDON_ASSIGN(Host host, Host::Create(std::move(options)));
  CORDON_ASSIGN(const Plugin plugin, host.Load(guests / "bench.wasm"));
  CORDON_ASSIGN(const Add add, plugin.Function<std::int32_t(std::int32_t, std::int32_t)>("add"));
  CORDON_ASSIGN(const std::int32_t sum, add(40, 2));
  std::printf("%d\n", sum);
  std::fflush(stdout);
  return {};
}

}  // namespace

Result<double> IdleKiB(const Plan& plan, const char* side) {
  CORDON_ASSIGN(const Answer answer, AskChild(plan, side));
  return answer.number;
}

namespace {

Result<Row> MeasureIdle(const Plan& plan, CordonSide&, RawSide&) {
  std::mt19937_64 random(plan.seed);
  Rounds rounds;
  for (std::size_t i = 0; i < plan.slow_rounds; ++i) {
    const bool cordon_first = random() % 2 == 0;
    for (const bool ours : {cordon_first, !cordon_first}) {
      CORDON_ASSIGN(const double kib, IdleKiB(plan, ours ? "cordon" : "raw"));
      (ours ? rounds.cordon : rounds.against).push_back(kib);
    }
  }
  return Summarise({"idle-rss", kRawPeer, "KiB", Row::Judged::kTail, kIdleKiBMax}, rounds);
}

}  // namespace

Status HoldInstances(const std::filesystem::path& guests, std::string_view side, std::uint32_t count) {
  if (side == "nothing") return std::puts("1") >= 0 ? Status{} : Fail(Code::kIo, "stdout cannot be written");
  if (side.starts_with(kFirst)) return CallFirst(guests, side.substr(std::strlen(kFirst)));
  const std::uint32_t pool = count + 32;
  if (side == "raw") {
    CORDON_ASSIGN(const Guests read, ReadGuests(guests));
    CORDON_ASSIGN(RawSide raw, RawSide::Open(read, pool));
    return PrintGrowth(count, [&](std::uint32_t n) { return raw.Hold(n); });
  }
  if (side == "extism") {
    // Each has two memories, and the peer holds no more.
    const std::uint32_t held_max = std::min(count, kExtismLive);
    CORDON_ASSIGN(const std::unique_ptr<CordonSide> cordon, CordonSide::Open(guests, 2 * held_max + 64));
    std::vector<Instance> held;
    return PrintGrowth(held_max, [&](std::uint32_t n) { return HoldExtism(cordon->extism(), n, held); });
  }
  CORDON_ASSIGN(const std::unique_ptr<CordonSide> cordon, CordonSide::Open(guests, pool));
  std::vector<Instance> held;
  held.reserve(pool);
  return PrintGrowth(count, [&](std::uint32_t n) { return HoldCordon(cordon->plugin(), n, held); });
}

std::vector<NamedRow> IdleRows() { return {{"idle-rss", MeasureIdle}, {"first-call", MeasureFirst}}; }

}  // namespace cordon::bench
