// The rows of performance.md that this bench measures, and how.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "figures.h"
#include "peer.h"
#include "sides.h"

namespace cordon::bench {

struct Plan {
  std::filesystem::path guests;
  std::filesystem::path program;  // this one, for the rows that need a process of their own
  std::size_t rounds = 100;       // of rows of microseconds
  std::size_t slow_rounds = 30;   // of rows that wait for deadlines or make 10,000 instances
  // For profilers: kCordon and kPeer leave the other side of call rows out, whose figures then mean nothing.
  enum class Only : std::uint8_t { kBoth, kCordon, kPeer } only = Only::kBoth;
  std::uint32_t live = 10'000;  // instances of idle rows
  PeerCommands peers;           // other engines; those that are not named here are skipped
  std::uint64_t seed = 1;       // of the order of the two sides within each round
};

// A row by its name, ready to be measured. E_UNAVAILABLE makes it a row that is skipped, and says why.
struct NamedRow {
  std::string name;
  std::function<Result<Row>(const Plan&, CordonSide&, RawSide&)> measure;
};
std::vector<NamedRow> CallRows();    // calls that return
std::vector<NamedRow> StopRows();    // calls that are stopped
std::vector<NamedRow> LoadRows();    // code that was compiled before
std::vector<NamedRow> IdleRows();    // instances that wait
std::vector<NamedRow> KernelRows();  // loops: what being interruptible costs, and what WebAssembly does
std::vector<NamedRow> ThreadRows();  // many threads
std::vector<NamedRow> HttpRows();    // requests to a server on loopback
std::vector<NamedRow> ToolRows();    // a plugin that calls a plugin
std::vector<NamedRow> GuardRows();   // decisions, and their records
std::vector<NamedRow> WorkerRows();  // plugins in processes of their own
std::vector<NamedRow> PeerRows();    // other engines

// The child's part of `idle-rss`: makes `count` instances and writes KiB for each to stdout. `side`: "cordon" or "raw".
Status HoldInstances(const std::filesystem::path& guests, std::string_view side, std::uint32_t count);

// KiB for each of `count` of those, measured in a child of this process.
Result<double> IdleKiB(const Plan& plan, const char* side);

// Runs both sides of each round in random order, each side's `iterations` long enough to measure, and gives nanoseconds
// for an iteration.
using Side = std::function<Status(std::uint64_t iterations)>;
Result<Rounds> Interleave(const Plan& plan, const Side& cordon, const Side& against);

// The same with sides that say how many nanoseconds all iterations took, as another process does.
using TimedSide = std::function<Result<double>(std::uint64_t iterations)>;
TimedSide Timed(Side side);
Result<Rounds> Interleave(const Plan& plan, const TimedSide& cordon, const TimedSide& against);

inline constexpr char kRawPeer[] = "wasmtime 48.0.8 (Rust, typed)";

}  // namespace cordon::bench
