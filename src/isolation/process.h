// A program in a confinement of its own: started, watched, and ended with all that it started.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "base/units.h"
#include "cordon/result.h"
#include "groups/group.h"

namespace cordon::isolation {

// Of the whole tree, looked at fifty times a second.
struct TreeLimits {
  std::uint64_t memory_bytes = 256 << 20;
  std::uint32_t processes = 64;
  std::optional<Duration> cpu{};
  std::int64_t deadline_ns = 0;  // CLOCK_MONOTONIC; REQUIRED
  // Asked as often; true ends the program before its time. May be empty.
  std::function<bool()> stopped{};
};

// What is handed to a new process: nothing else of this one reaches it.
struct Launch {
  int program = -1;                    // the file that is executed
  std::vector<std::string> arguments;  // the first is the program's own name
  std::vector<int> descriptors;        // it has them from 3 on
};

struct Ending {
  enum class Why : std::uint8_t { kItself, kDeadline, kMemory, kProcesses, kCpu, kStopped, kAsked } why = Why::kItself;
  int status = 0;  // of its end by itself: an exit status, or 128 and the signal
  std::uint64_t memory_peak_bytes = 0;
  Duration cpu{0};
};

// Not thread-safe. The thread that starts it must live as long as it: the kernel ends the program with that thread.
class Process {
 public:
  // E_IO.
  static Result<std::unique_ptr<Process>> Start(const Launch& launch, TreeLimits limits);
  // Ends it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // This side's ends of its standard streams, which do not block.
  int input() const { return in_.get(); }
  int output() const { return out_.get(); }
  int errors() const { return err_.get(); }
  void CloseInput() { in_.Reset(); }

  // Ends it and all that it started.
  void End();
  // Waits until it has ended, which its deadline sees to.
  Ending Wait();

 private:
  Process() = default;
  void Watch(const std::stop_token& stop);
  void Kill(Ending::Why why);

  TreeLimits limits_;
  std::shared_ptr<groups::Group> group_;  // null where there is none to be had
  pid_t pid_ = 0;
  UniqueFd process_, in_, out_, err_;
  // Written by the watcher alone until it is joined.
  Ending ending_;
  std::jthread watcher_;
  bool is_over_ = false;
};

}  // namespace cordon::isolation
