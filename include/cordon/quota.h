// What plugins used, and what is left to them under the quotas of config.yaml (docs/guide/quotas.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cordon {

// One quota at a moment. CPU is in nanoseconds, the rest in bytes, calls, operations or requests.
struct QuotaUse {
  std::string quota;                   // as in config.yaml: "cpu.time", "memory", "io.read"
  std::uint64_t used = 0, limit = 0;   // of a rate: out of what one period lets by
  std::uint64_t refused = 0;           // calls and requests, so far
  std::uint64_t alerts = 0;            // how often the threshold was passed
  std::chrono::nanoseconds waited{0};  // that it made plugins wait, in sum
};

// Of one plugin by its name, or of all, since the host was made. A call counts when it is over; calls of an Instance
// are counted by and by, and all of them when it is gone.
struct UsageTotals {
  std::uint64_t calls = 0, failures = 0;  // calls: failed ones too
  std::chrono::nanoseconds wall{0}, cpu{0};
  std::uint64_t input_bytes = 0, output_bytes = 0;
  std::uint64_t file_read_bytes = 0, file_written_bytes = 0, file_operations = 0;
  std::uint64_t network_sent_bytes = 0, network_received_bytes = 0;  // bodies
  std::uint64_t host_calls = 0;                                      // what guests asked services for
  std::uint64_t memory_peak_bytes = 0;                               // of the call that had the most
  // Now. `running` leaves out the typed calls of an Instance without a quota; memory is what running calls, and
  // instances of plugins with a quota, may have at most, and its peak is known where there is a quota of memory.
  std::uint64_t running = 0, waiting = 0;
  std::uint64_t memory_reserved_bytes = 0, memory_reserved_peak_bytes = 0;
  std::vector<QuotaUse> quotas;  // each that has a bound
};

// The part of a quota that `alert` names is used: once, until less than three quarters of that part were used again.
struct QuotaAlert {
  std::string plugin;  // empty: all plugins in sum
  std::string quota;
  std::uint64_t used = 0, limit = 0;
};

// Called on the thread that used the quota, which waits: must be quick, and must not call into the Host. What it throws
// is dropped. The audit has a note of each alert.
using QuotaAlertSink = std::function<void(const QuotaAlert& alert)>;

}  // namespace cordon
