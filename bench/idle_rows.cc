#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

#include "base/unique_fd.h"
#include "guest_calls.h"
#include "rows.h"

namespace cordon::bench {
namespace {

constexpr std::uint32_t kLive = 10'000;
constexpr double kIdleKiBMax = 16;

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

// Runs this program again, so that what one side left in memory does not help the other.
Result<double> InChild(const Plan& plan, const char* side) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Fail(Code::kIo, "a pipe cannot be made");
  UniqueFd from(ends[0]), to(ends[1]);
  const std::string program = plan.program.string(), guests = plan.guests.string(), count = std::to_string(kLive);
  const std::vector<std::string> words = {program, "--guests", guests, "--hold", side, "--count", count};
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Fail(Code::kIo, "the bench cannot start itself again");
  to = UniqueFd();
  std::string text;
  char buffer[64];
  for (ssize_t n = 0; (n = ::read(from.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const double kib = std::strtod(text.c_str(), nullptr);
  if (status != 0 || kib <= 0) return Fail(Code::kInternal, std::string("holding instances failed: ") + side);
  return kib;
}

Result<Row> MeasureIdle(const Plan& plan, CordonSide&, RawSide&) {
  std::mt19937_64 random(plan.seed);
  Rounds rounds;
  for (std::size_t i = 0; i < plan.slow_rounds; ++i) {
    const bool cordon_first = random() % 2 == 0;
    for (const bool ours : {cordon_first, !cordon_first}) {
      CORDON_ASSIGN(const double kib, InChild(plan, ours ? "cordon" : "raw"));
      (ours ? rounds.cordon : rounds.against).push_back(kib);
    }
  }
  return Summarise({"idle-rss", kRawPeer, "KiB", Row::Judged::kTail, kIdleKiBMax}, rounds);
}

}  // namespace

Status HoldInstances(const std::filesystem::path& guests, std::string_view side, std::uint32_t count) {
  const std::uint32_t pool = count + 32;
  if (side == "raw") {
    CORDON_ASSIGN(const Guests read, ReadGuests(guests));
    CORDON_ASSIGN(RawSide raw, RawSide::Open(read, pool));
    return PrintGrowth(count, [&](std::uint32_t n) { return raw.Hold(n); });
  }
  CORDON_ASSIGN(const std::unique_ptr<CordonSide> cordon, CordonSide::Open(guests, pool));
  std::vector<Instance> held;
  held.reserve(pool);
  return PrintGrowth(count, [&](std::uint32_t n) { return HoldCordon(cordon->plugin(), n, held); });
}

std::vector<NamedRow> IdleRows() { return {{"idle-rss", MeasureIdle}}; }

}  // namespace cordon::bench
