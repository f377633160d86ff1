#include "services/router.h"

#include <cstring>
#include <exception>
#include <thread>

#include "base/message_codec.h"
#include "services/http.h"
#include "services/log.h"

namespace cordon::services {
namespace {

// As long as a kill switch may take to be felt.
constexpr Duration kThrottleMost = std::chrono::seconds(1);

}  // namespace

bool CountsAsRequest(std::string_view interface_name, std::string_view function) {
  if (interface_name == kEgressInterface) return function == "admit";
  if (interface_name.starts_with("cordon:host/")) return false;
  if (function.starts_with(kTracePrefix) || function.starts_with("[resource-drop]")) return false;
  return !interface_name.starts_with(kLoggingInterface);
}

HostReply Trap(Code code, std::string message) {
  HostReply reply;
  reply.outcome = HostReply::Outcome::kTrap;
  reply.code = code;
  reply.message = std::move(message);
  return reply;
}

void StubAnswers::Set(std::string interface_name, std::string function, Answer answer) {
  answers_.insert_or_assign({std::move(interface_name), std::move(function)}, std::move(answer));
}

HostReply StubAnswers::Call(const Guard& guard, const Caller& caller, std::string_view interface_name,
                            std::string_view function) const {
  const std::string target = std::string(interface_name) + "#" + std::string(function);
  const auto found = answers_.find(std::pair(std::string(interface_name), std::string(function)));
  if (found == answers_.end()) {
    guard.Refuse(caller, interface_name, target, "not-linked");
    return Trap(Code::kDenied, target + " is not granted");
  }
  const Answer& answer = found->second;
  const policy::Decision decision = guard.Refuse(caller, answer.capability, target, answer.rule);
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  HostReply reply;
  reply.payload = answer.payload;
  return reply;
}

void CallChains::Put(std::uint64_t call_id, Origin origin) {
  const std::lock_guard lock(mutex_);
  origins_.insert_or_assign(call_id, std::move(origin));
  count_.store(origins_.size());
}

void CallChains::Remove(std::uint64_t call_id) {
  const std::lock_guard lock(mutex_);
  origins_.erase(call_id);
  count_.store(origins_.size());
}

CallChains::Origin CallChains::Find(std::uint64_t call_id) const {
  if (count_.load() == 0) return {};
  const std::lock_guard lock(mutex_);
  const auto found = origins_.find(call_id);
  return found == origins_.end() ? Origin() : found->second;
}

bool CallChains::Has(std::uint64_t call_id) const {
  const std::lock_guard lock(mutex_);
  return origins_.contains(call_id);
}

ServiceRouter::ServiceRouter(const Guard& guard, const CallChains* chains) : guard_(guard), chains_(chains) {}

void ServiceRouter::Add(std::unique_ptr<HostService> service) {
  std::string name(service->interface_name());
  services_.insert_or_assign(std::move(name), std::move(service));
}

void ServiceRouter::SetStub(std::string interface_name, std::string function, StubAnswers::Answer answer) {
  stubs_.Set(std::move(interface_name), std::move(function), std::move(answer));
}

HostService* ServiceRouter::Find(std::string_view interface_name) const {
  auto found = services_.find(interface_name);
  if (found == services_.end()) found = services_.find(interface_name.substr(0, interface_name.find('@')));
  return found == services_.end() ? nullptr : found->second.get();
}

HostReply ServiceRouter::Answer(const Caller& caller, const HostRequest& request) {
  if (request.function.starts_with(kStubPrefix)) {
    return stubs_.Call(guard_, caller, request.interface_name, request.function.substr(kStubPrefix.size()));
  }
  HostService* service = Find(request.interface_name);
  if (service != nullptr) return service->Call(caller, request.function, request.payload);
  const std::string name = std::string(request.interface_name) + "#" + std::string(request.function);
  return Trap(Code::kLink, "nothing answers " + name);
}

// What the engine answered by itself is seen as what a service answered.
HostReply ServiceRouter::Told(const Caller& caller, const HostRequest& told) {
  constexpr std::size_t kHead = 5;
  if (told.payload.size() < kHead) return Trap(Code::kInternal, "a trace without a head");
  std::uint32_t size = 0;
  std::memcpy(&size, told.payload.data() + 1, sizeof size);
  if (size > told.payload.size() - kHead) return Trap(Code::kInternal, "a trace that is too short");
  HostRequest request = told;
  request.function.remove_prefix(kTracePrefix.size());
  request.payload = told.payload.subspan(kHead, size);
  const auto answered = told.payload.subspan(kHead + size);
  HostReply reply;
  if (told.payload[0] == 0) {
    reply.payload.assign(answered.begin(), answered.end());
  } else {
    reply = Trap(told.payload[0] == 1 ? Code::kExit : Code::kTrap, "");
  }
  for (const auto& watch : watches_) watch->After(caller, request, reply, std::chrono::steady_clock::now());
  return {};
}

HostReply ServiceRouter::AnswerWatched(const Caller& caller, const HostRequest& request) {
  if (request.function.starts_with(kTracePrefix)) return Told(caller, request);
  const auto began = std::chrono::steady_clock::now();
  for (const auto& watch : watches_) {
    if (Status may = watch->Before(caller, request); !may) return Trap(may.error().code, may.error().message);
  }
  HostReply reply = Answer(caller, request);
  for (const auto& watch : watches_) watch->After(caller, request, reply, began);
  return reply;
}

Caller ServiceRouter::CallerOf(const HostRequest& request) const {
  CallChains::Origin origin = chains_ == nullptr ? CallChains::Origin() : chains_->Find(request.call_id);
  return {request.call_id, std::move(origin.chain), request.deadline_ns, std::move(origin.principal), origin.passed,
          origin.trace};
}

void ServiceRouter::Begin(const HostRequest& request, Done done) {
  HostService* const service = Find(request.interface_name);
  if (service == nullptr || request.function.starts_with(kStubPrefix) || request.function.starts_with(kTracePrefix)) {
    return done(Send(request));
  }
  try {
    if (enforcer_ != nullptr) [[unlikely]] {
      auto wait = Throttle(request);
      if (!wait) return done(std::move(wait).error());
      if (*wait > Duration(0)) return BeginLater(*wait, request, std::move(done));
    }
    BeginNow(*service, request, std::move(done));
  } catch (const std::exception&) {  // `done` went with what was being made for it, which ends the guest's call
  }
}

// Nobody waits on a thread of the guest's: it may be one that other calls share.
void ServiceRouter::BeginLater(Duration wait, const HostRequest& request, Done done) {
  if (!later_) {
    std::this_thread::sleep_for(wait);
    return BeginNow(*Find(request.interface_name), request, std::move(done));
  }
  OwnedRequest owned{request.call_id, std::string(request.interface_name), std::string(request.function),
                     std::vector<std::uint8_t>(request.payload.begin(), request.payload.end()), request.deadline_ns};
  later_(std::chrono::steady_clock::now() + wait, [this, owned = std::move(owned), done = std::move(done)]() mutable {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    if (owned.deadline_ns > 0 && Duration(owned.deadline_ns) <= now) return;  // its call has ended
    try {
      BeginNow(*Find(owned.interface_name), owned.Views(), std::move(done));
    } catch (const std::exception&) {  // as in Begin
    }
  });
}

void ServiceRouter::BeginNow(HostService& service, const HostRequest& request, Done done) {
  if (counter_ != nullptr) (*counter_)[counter_->HereIndex()].fetch_add(1, std::memory_order_relaxed);
  const Caller caller = CallerOf(request);
  if (watches_.empty()) return service.Begin(caller, request.function, request.payload, std::move(done));
  const auto began = std::chrono::steady_clock::now();
  for (const auto& watch : watches_) {
    if (Status may = watch->Before(caller, request); !may) return done(Trap(may.error().code, may.error().message));
  }
  auto asked = std::make_shared<const OwnedRequest>(
      OwnedRequest{request.call_id, std::string(request.interface_name), std::string(request.function),
                   std::vector<std::uint8_t>(request.payload.begin(), request.payload.end()), request.deadline_ns});
  service.Begin(caller, request.function, request.payload,
                [watches = watches_, asked, caller, began, done = std::move(done)](HostReply reply) mutable {
                  for (const auto& watch : watches) watch->After(caller, asked->Views(), reply, began);
                  done(std::move(reply));
                });
}

std::expected<Duration, HostReply> ServiceRouter::Throttle(const HostRequest& request) const {
  if (!CountsAsRequest(request.interface_name, request.function)) return Duration(0);
  Duration most = kThrottleMost;
  if (request.deadline_ns > 0) {
    const Duration now = std::chrono::steady_clock::now().time_since_epoch();
    most = std::clamp<Duration>(Duration(request.deadline_ns) - now, Duration(0), most);
  }
  const auto wait = enforcer_->SpendWithin(Resource::kRequests, 1, most);
  if (!wait) {
    const std::string name(ResourceName(Resource::kRequests));
    return std::unexpected(Trap(Code::kLimit, "the rate of requests, '" + name + "', is used up for " +
                                                  FormatDuration(wait.error().retry_after)));
  }
  return *wait;
}

HostReply ServiceRouter::Send(const HostRequest& request) {
  try {
    if (enforcer_ != nullptr) [[unlikely]] {
      auto wait = Throttle(request);
      if (!wait) return std::move(wait).error();
      if (*wait > Duration(0)) std::this_thread::sleep_for(*wait);
    }
    if (counter_ != nullptr) (*counter_)[counter_->HereIndex()].fetch_add(1, std::memory_order_relaxed);
    const Caller caller = CallerOf(request);
    return watches_.empty() ? Answer(caller, request) : AnswerWatched(caller, request);
  } catch (const std::bad_alloc&) {
    return Trap(Code::kMemory, "no memory left");
  } catch (const std::exception& fault) {
    return Trap(Code::kInternal, "a service failed: " + std::string(fault.what()));
  }
}

}  // namespace cordon::services
