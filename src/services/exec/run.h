// Runs one program to its end and ends all that it started. Mechanism: it knows no plugins and no grants.
//
// The program gets its arguments, descriptors 0, 1 and 2, a fixed environment and nothing else of this process: no
// signal handler, no mask, no group, no terminal. Above it is a process of ours that is, where the kernel lets anybody
// make one, the init of a namespace of processes: with it the kernel ends whatever was started, also what left the
// session and the group. Where it does not, that process is the subreaper of what was started and ends it one by one
// until nothing is left; a program that starts others faster than it can be stopped is then held by its limits only.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cordon/result.h"
#include "services/exec/program.h"

namespace cordon::services {

struct RunRequest {
  const Program* program = nullptr;    // REQUIRED
  std::vector<std::string> arguments;  // the first is the program's own name
  int directory = -1;                  // where it starts; -1: at /
  int rules = -1;                      // Landlock; REQUIRED
  std::span<const std::uint8_t> input;
  std::int64_t deadline_ns = 0;  // CLOCK_MONOTONIC; REQUIRED
  std::size_t output_bytes_max = 0;
  // Asked many times a second; true ends the program before its time. May be empty.
  std::function<bool()> stopped{};
  enum class Tree : std::uint8_t { kBest, kSubreaper } tree = Tree::kBest;
};

struct RunOutcome {
  enum class Ended : std::uint8_t { kExited, kSignalled, kTimedOut } ended = Ended::kExited;
  std::uint32_t number = 0;  // the exit status, or the signal
  std::string out, err;
  bool out_truncated = false, err_truncated = false;  // there was more; the program was left with a closed pipe
  bool in_namespace = false;
};

// E_IO when it cannot be started.
Result<RunOutcome> RunProgram(const RunRequest& request);

}  // namespace cordon::services
