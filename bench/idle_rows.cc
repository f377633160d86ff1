#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "base/unique_fd.h"
#include "guest_calls.h"
#include "rows.h"

namespace cordon::bench {

enum class Currency { eur, usd };
struct Article {
  std::string name;
  std::uint32_t amount = 0;
  Currency currency = Currency::eur;
};

}  // namespace cordon::bench

CORDON_ENUM(cordon::bench::Currency, eur, usd);
CORDON_RECORD(cordon::bench::Article, name, amount, currency);

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

// Answers nothing until it is told to: every call waits.
class Waiters {
 public:
  void Hold(Reply<void> reply) {
    const std::lock_guard lock(mutex_);
    held_.push_back(std::move(reply));
    changed_.notify_one();
  }
  bool Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(2), [&] { return held_.size() >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Reply<void>> held_;
};

// Calls that all sleep in one host function at once.
Status HoldSleeping(const std::filesystem::path& guests, std::uint32_t count) {
  HostOptions options;
  options.compiler = HostOptions::Compiler::kInProcess;
  options.max_instances = count + 64;
  options.queue_max = count;
  CORDON_ASSIGN(Host host, Host::Create(std::move(options)));
  auto waiters = std::make_shared<Waiters>();
  Service prices("acme:shop/prices@1.0.0");
  prices.AsyncFunction("wait", Needs("prices"), [waiters](Reply<void> reply) { waiters->Hold(std::move(reply)); })
      .Function("price-of", Needs("prices"),
                [](const ServiceCall&, const std::string&) -> std::optional<std::uint32_t> { return {}; })
      .Function("describe", Needs("prices"),
                [](const ServiceCall&, const std::string&) -> std::expected<Article, std::string> { return Article{}; })
      .Function("total", Needs("prices"),
                [](const ServiceCall&, const std::vector<std::uint32_t>&) -> std::uint64_t { return 0; })
      .Function("fail", Needs("prices"), [](const ServiceCall&) {});
  CORDON_TRY(host.Register(std::move(prices)));
  LoadOptions load;
  load.grants = {"host:prices"};
  CORDON_ASSIGN(const Plugin plugin, host.Load(guests / "shop.wasm", load));
  for (std::uint32_t i = 0; i < count; ++i) plugin.CallAsync("blocked", "{}", {}).Then([](const Result<Answer>&) {});
  if (!waiters->Await(count)) return Fail(Code::kInternal, "not all of the calls came to wait");
  CORDON_ASSIGN(const double kib, ResidentKiB());
  std::printf("%.4f\n", kib / count);
  std::fflush(stdout);
  std::_Exit(0);  // nobody waits for ten thousand calls to be ended
}

Status HoldThreads(std::uint32_t count) {
  std::mutex mutex;
  std::condition_variable changed, never;
  std::uint32_t asleep = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::thread([&] {
      std::unique_lock lock(mutex);
      if (++asleep == count) changed.notify_one();
      never.wait(lock, [] { return false; });
    }).detach();
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asleep == count; });
  }
  CORDON_ASSIGN(const double kib, ResidentKiB());
  std::printf("%.4f\n", kib / count);
  std::fflush(stdout);
  std::_Exit(0);
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
  if (side == "sleeping") return HoldSleeping(guests, count);
  if (side == "threads") return HoldThreads(count);
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

namespace {

// All that the process has, for each of the calls that sleep: 1.2 GiB over 10,000.
constexpr double kSleepingKiBMax = 1.2 * 1024 * 1024 / 10'000;

Result<Row> MeasureSleeping(const Plan& plan, CordonSide&, RawSide&) {
  Rounds rounds;
  for (std::size_t i = 0; i < plan.slow_rounds; ++i) {
    CORDON_ASSIGN(const double cordon, IdleKiB(plan, "sleeping"));
    CORDON_ASSIGN(const double threads, IdleKiB(plan, "threads"));
    rounds.cordon.push_back(cordon);
    rounds.against.push_back(threads);
  }
  return Summarise({"sleeping-rss", "as many threads that sleep", "KiB", Row::Judged::kTail, kSleepingKiBMax}, rounds);
}

}  // namespace

std::vector<NamedRow> IdleRows() {
  return {{"idle-rss", MeasureIdle}, {"first-call", MeasureFirst}, {"sleeping-rss", MeasureSleeping}};
}

}  // namespace cordon::bench
