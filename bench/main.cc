// cordon_bench --guests FOLDER [--output FILE] [--row NAME]... [--rounds N] [--only cordon|peer]
//              [--peers FILE] [--live N]
// cordon_bench --guests FOLDER --hold cordon|raw --count N      (the child of idle-rss)
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "rows.h"

namespace cordon::bench {
namespace {

// Enough for the warm instances of all rows.
constexpr std::uint32_t kInstances = 64;

struct Arguments {
  Plan plan;
  std::string output;
  std::vector<std::string> rows;
  std::string hold;
  std::uint32_t count = 0;
};

Result<Arguments> Parse(std::span<char*> words) {
  Arguments arguments;
  arguments.plan.seed = static_cast<std::uint64_t>(std::time(nullptr));
  std::error_code ignored;
  arguments.plan.program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
    const std::string flag = words[i], value = words[i + 1];
    if (flag == "--guests") {
      arguments.plan.guests = value;
    } else if (flag == "--output") {
      arguments.output = value;
    } else if (flag == "--row") {
      arguments.rows.push_back(value);
    } else if (flag == "--rounds") {
      arguments.plan.rounds = arguments.plan.slow_rounds = std::strtoul(value.c_str(), nullptr, 10);
    } else if (flag == "--only" && (value == "cordon" || value == "peer")) {
      arguments.plan.only = value == "peer" ? Plan::Only::kPeer : Plan::Only::kCordon;
    } else if (flag == "--peers") {
      CORDON_ASSIGN(arguments.plan.peers, ReadPeers(value));
    } else if (flag == "--live") {
      arguments.plan.live = static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 10));
    } else if (flag == "--hold") {
      arguments.hold = value;
    } else if (flag == "--count") {
      arguments.count = static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 10));
    } else {
      return Fail(Code::kUsage, "there is no flag " + flag);
    }
  }
  if (arguments.plan.guests.empty() || words.size() % 2 == 0 || arguments.plan.rounds == 0) {
    return Fail(Code::kUsage, "--guests is needed, and every flag takes a value");
  }
  return arguments;
}

std::vector<NamedRow> AllRows() {
  std::vector<NamedRow> all = CallRows();
  for (auto more : {StopRows(), LoadRows(), IdleRows(), KernelRows(), ThreadRows(), HttpRows(), ToolRows(), GuardRows(),
                    WorkerRows(), PeerRows()})
    std::move(more.begin(), more.end(), std::back_inserter(all));
  return all;
}

// What is not here is a row that says so, and no failure.
Result<Row> MeasureOrSkip(const NamedRow& named, const Plan& plan, CordonSide& cordon, RawSide& raw) {
  Result<Row> row = named.measure(plan, cordon, raw);
  if (row || row.error().code != Code::kUnavailable) return row;
  Row skipped;
  skipped.name = named.name;
  skipped.skipped = Escape(row.error().message);
  return skipped;
}

Status MeasureAll(const Arguments& arguments) {
  const std::vector<NamedRow> all = AllRows();
  for (const std::string& asked : arguments.rows) {
    if (std::none_of(all.begin(), all.end(), [&](const NamedRow& row) { return row.name == asked; })) {
      return Fail(Code::kUsage, "there is no row " + asked);
    }
  }
  CORDON_ASSIGN(const Guests guests, ReadGuests(arguments.plan.guests));
  CORDON_ASSIGN(const std::unique_ptr<CordonSide> cordon, CordonSide::Open(arguments.plan.guests, kInstances));
  CORDON_ASSIGN(RawSide raw, RawSide::Open(guests, kInstances));
  std::printf("%s\n", TableHead().c_str());
  std::vector<Row> rows;
  for (const NamedRow& named : all) {
    const auto& asked = arguments.rows;
    if (!asked.empty() && std::find(asked.begin(), asked.end(), named.name) == asked.end()) continue;
    CORDON_ASSIGN(Row row, MeasureOrSkip(named, arguments.plan, *cordon, raw));
    std::printf("%s\n", TableLine(row).c_str());
    std::fflush(stdout);
    rows.push_back(std::move(row));
  }
  if (!arguments.output.empty()) {
    CORDON_TRY(WriteFileAtomically(arguments.output, ToJson(rows), FileMode::kShared));
  }
  return {};
}

Status Run(std::span<char*> words) {
  CORDON_ASSIGN(const Arguments arguments, Parse(words));
  if (!arguments.hold.empty()) return HoldInstances(arguments.plan.guests, arguments.hold, arguments.count);
  return MeasureAll(arguments);
}

}  // namespace
}  // namespace cordon::bench

int main(int argc, char** argv) {
  const cordon::Status done = cordon::bench::Run({argv, static_cast<std::size_t>(argc)});
  if (done) return 0;
  std::fprintf(stderr, "cordon_bench: %s\n", cordon::Escape(done.error().message).c_str());
  for (const cordon::Error& cause : done.error().causes) {
    std::fprintf(stderr, "  %s\n", cordon::Escape(cause.message).c_str());
  }
  return 1;
}
