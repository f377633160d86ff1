// Everything between a guest's import and the service that answers it is a message: nothing here is a pointer into
// the guest or the host, so a process boundary can stand between the two sides (ARCHITECTURE.md, "Placement").
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"

namespace cordon {

// What a guest asks. Views live for the duration of the call only.
struct HostRequest {
  std::uint64_t call_id = 0;              // the Call in whose service the guest runs
  std::string_view interface_name;        // "cordon:host/files", "wasi:logging/logging@0.1.0-draft"
  std::string_view function;              // "open", "log"
  std::span<const std::uint8_t> payload;  // parameters in the wire format (docs/formats/wire.md)
  std::int64_t deadline_ns = 0;           // CLOCK_MONOTONIC; 0: none
};

// What comes back: results in the wire format, or a refusal that ends the guest's call (a trap of the host's making).
struct HostReply {
  enum class Outcome : std::uint8_t { kDone, kTrap };
  Outcome outcome = Outcome::kDone;
  std::vector<std::uint8_t> payload;
  Code code = Code::kInternal;  // when kTrap
  std::string message;          // when kTrap
};

// The door to the services, seen from a guest. Thread-safe: guests of many threads use one channel.
class HostChannel {
 public:
  virtual ~HostChannel() = default;
  virtual HostReply Send(const HostRequest& request) = 0;
  // The same for what is answered later: returns at once, and `done` gets the reply, on any thread, at most once. One
  // that is let go without a reply ends the guest's call.
  using Done = std::move_only_function<void(HostReply reply)>;
  virtual void Begin(const HostRequest& request, Done done) { done(Send(request)); }
};

}  // namespace cordon
