// Takes a guest's messages to the services that answer them.
#pragma once

#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/message.h"
#include "base/spread.h"
#include "services/guard.h"
#include "services/quota.h"

namespace cordon::services {

// The shape of every service. Thread-safe; must not block beyond the request's deadline.
class HostService {
 public:
  virtual ~HostService() = default;
  // With its version, or without: then it answers every version.
  virtual std::string_view interface_name() const = 0;
  virtual HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) = 0;
  // As HostChannel::Begin, for functions that are answered later.
  virtual void Begin(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload,
                     HostChannel::Done done) {
    done(Call(caller, function, payload));
  }
};

// A reply that ends the guest's call.
HostReply Trap(Code code, std::string message);

// A message about a call that the engine answered has this prefix (engine::HostImport::Kind::kTraced).
inline constexpr std::string_view kTracePrefix = "trace:";

// Whether a message is what a guest asks for, once: not what the engine tells of it, nor what has bounds of its own.
bool CountsAsRequest(std::string_view interface_name, std::string_view function);

// A function of a stub has this prefix; the rest is its name.
inline constexpr std::string_view kStubPrefix = "deny:";

// The answers of stubs: bytes and the name of a capability, nothing else. It holds no service.
class StubAnswers {
 public:
  struct Answer {
    std::vector<std::uint8_t> payload;  // the interface's own access-denied error, in the wire format
    std::string capability;             // that was denied, compact
    std::string rule;                   // that denied it
  };
  void Set(std::string interface_name, std::string function, Answer answer);
  // Audits one denial and answers it; a function without an answer traps with E_DENIED.
  HostReply Call(const Guard& guard, const Caller& caller, std::string_view interface_name,
                 std::string_view function) const;

 private:
  std::map<std::pair<std::string, std::string>, Answer, std::less<>> answers_;
};

// Who called the calls that run now, of those that another plugin made, in whose name, and of which trace. Thread-safe;
// free of cost when there are none.
class CallChains {
 public:
  struct Origin {
    std::vector<std::string> chain{};  // outermost first
    std::shared_ptr<const Principal> principal{};
    policy::KindSet passed = policy::KindSet::All();
    std::optional<TraceParent> trace{};  // its own span
  };
  void Put(std::uint64_t call_id, Origin origin);
  void Remove(std::uint64_t call_id);
  Origin Find(std::uint64_t call_id) const;
  bool Has(std::uint64_t call_id) const;

 private:
  std::atomic<std::size_t> count_{0};
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Origin> origins_;
};

// Sees what guests ask for and what they get. Thread-safe.
class HostCallWatch {
 public:
  virtual ~HostCallWatch() = default;
  // Before it is answered; an error ends the guest's call in its place.
  virtual Status Before(const Caller&, const HostRequest&) { return {}; }
  virtual void After(const Caller&, const HostRequest&, const HostReply&, std::chrono::steady_clock::time_point) {}
};

// The channel of one plugin. Set it up first, then share it: Send is thread-safe, the setters are not.
class ServiceRouter final : public HostChannel {
 public:
  // `guard` and `chains` must outlive the router; `chains` may be null.
  explicit ServiceRouter(const Guard& guard, const CallChains* chains = nullptr);

  void Add(std::unique_ptr<HostService> service);
  // What a stub of `interface_name` (as the guest imports it) answers; `payload` comes from the ABI, which knows the
  // types.
  void SetStub(std::string interface_name, std::string function, StubAnswers::Answer answer);

  void Watch(std::shared_ptr<HostCallWatch> watch) { watches_.push_back(std::move(watch)); }
  // Requests are held to a rate: one over it waits a moment, and then ends the guest's call with E_LIMIT. What is
  // answered later waits by `later`, which lets go of it when the router is gone; false: it cannot. It may be empty.
  using Later = std::function<bool(MonotonicTime when, std::move_only_function<void()> go)>;
  void HoldTo(std::shared_ptr<LimitEnforcer> enforcer, Later later = {}) {
    enforcer_ = std::move(enforcer);
    later_ = std::move(later);
  }
  // Counts every message; `counter` outlives the router.
  void CountIn(Spread<std::atomic<std::uint64_t>>& counter) { counter_ = &counter; }

  // A message that no service answers traps with E_LINK; nothing a service throws leaves here.
  HostReply Send(const HostRequest& request) override;
  void Begin(const HostRequest& request, Done done) override;

 private:
  Caller CallerOf(const HostRequest& request) const;
  HostService* Find(std::string_view interface_name) const;
  HostReply Answer(const Caller& caller, const HostRequest& request);
  HostReply Told(const Caller& caller, const HostRequest& request);
  // How long it waits, or why it is refused.
  std::expected<Duration, HostReply> Throttle(const HostRequest& request) const;
  void BeginLater(Duration wait, const HostRequest& request, Done done);
  void BeginNow(HostService& service, const HostRequest& request, Done done);
  HostReply AnswerWatched(const Caller& caller, const HostRequest& request);

  const Guard& guard_;
  const CallChains* chains_;
  std::map<std::string, std::unique_ptr<HostService>, std::less<>> services_;
  StubAnswers stubs_;
  std::vector<std::shared_ptr<HostCallWatch>> watches_;
  Spread<std::atomic<std::uint64_t>>* counter_ = nullptr;
  std::shared_ptr<LimitEnforcer> enforcer_{};  // null: requests have no rate
  Later later_{};
};

}  // namespace cordon::services
