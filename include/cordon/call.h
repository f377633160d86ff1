// What a call is given beside its input, how it is stopped, and what it used.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon {

// What a call may use, as computed from the manifest, the operator's ceiling and the load's own options.
struct Limits {
  std::chrono::nanoseconds timeout{0};          // wall time, from the start of the call
  std::optional<std::chrono::nanoseconds> cpu;  // of the calling thread
  std::optional<std::uint64_t> fuel;
  std::uint64_t memory_bytes = 0;  // linear memories and tables of an instance together
  std::uint64_t input_bytes = 0, output_bytes = 0;
  std::uint64_t stdout_bytes = 0;  // kept of stdout, and as much of stderr; the rest is counted
};

// What was used. Times are sampled each millisecond.
struct Usage {
  std::chrono::nanoseconds wall{0}, cpu{0};
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t fuel = 0;
  std::uint64_t host_calls = 0;
  std::uint64_t input_bytes = 0, output_bytes = 0;
  std::uint64_t stdout_dropped_bytes = 0, stderr_dropped_bytes = 0;
};

// Stops calls. Copies share one state; thread-safe. A token that was cancelled stays so: calls that are given it later
// end at once with E_INTERRUPTED.
class CancelToken {
 public:
  // A token that can be cancelled.
  static CancelToken Make();
  // One that never is; costs nothing.
  CancelToken() = default;

  // Ends every running call that has the token, blocked in a host call or not, within about a millisecond.
  void Cancel() const;
  bool cancelled() const;
  bool can_be_cancelled() const { return state_ != nullptr; }

  struct State;
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

class ServiceCall;

// In whose name a call is made; a plugin learns what it was granted to know (`ctx:user`), and its memories are kept
// apart by it. At most 256 bytes each, without control characters; empty: not said.
struct Principal {
  std::string user{}, session{}, agent{};
  // Whose data this is, where one program works for several that must not meet. A worker that served one tenant never
  // serves another; audit records of the call name it, and no plugin learns it.
  std::string tenant{};
  bool empty() const { return user.empty() && session.empty() && agent.empty() && tenant.empty(); }
};

// Which of the asynchronous calls that wait goes first. Plugins take turns within one; of 21 turns 16 are for high, 4
// for normal and 1 for low, so that none waits for ever.
enum class Priority : std::uint8_t { kLow, kNormal, kHigh };

// A value; the default calls with the plugin's own limits.
struct CallOptions {
  // Not an aggregate: GCC 12 destroys temporaries of aggregates twice in an expression with co_await.
  CallOptions() {}
  // Both can only shorten the plugin's own timeout. A deadline that has passed is E_TIMEOUT, and nothing runs.
  std::optional<std::chrono::nanoseconds> timeout{};
  std::optional<std::chrono::steady_clock::time_point> deadline{};
  CancelToken cancel{};
  Priority priority = Priority::kNormal;  // of asynchronous calls
  std::string stdin_bytes{};
  // A call from inside a host service names the call that it serves: it inherits its deadline, and the audit shows the
  // chain. Without it such a call is E_USAGE: a guest must not reach another by way of the host unseen.
  const ServiceCall* parent = nullptr;
  Principal principal{};  // empty: that of `parent`; without a tenant, that of `parent` too
  // The W3C header of whoever asks: the call is a span of that trace, and the audit's records of it name both. What is
  // not one counts as none. A call with a parent goes on with the parent's without it.
  std::string traceparent{};
  // Answers the questions of a native plugin with a line of text, or with nothing: then the plugin's default counts.
  // A question is safe to show. It is called on the thread of the call; what it throws counts as nothing. Empty: nobody
  // is there to ask.
  std::function<std::optional<std::string>(std::string_view question)> answer{};
};

// What an action answered.
struct Answer {
  std::string json = "null";
  // The action's own result was an error: the call worked, and this is what the plugin said.
  bool is_plugin_error = false;
  // Bytes of the guest: escape before display (EscapeForDisplay).
  std::string stdout_text, stderr_text;
  Usage usage;
  std::uint64_t call_id = 0;
  // Of a resident that has failed (`lifecycle: { on-failure: last-good }`): this is the last good answer to the same
  // question, and so old. Nothing: it is the answer to this call.
  std::optional<std::chrono::nanoseconds> degraded{};
};

// Text from a plugin, made safe for a terminal, a log line or a page: control, bidirectional and invisible characters
// and what is not UTF-8 become escapes. Thread-safe.
std::string EscapeForDisplay(std::string_view text);

}  // namespace cordon
