#include "cordon/service.h"

#include <algorithm>

#include "abi/extism.h"
#include "base/message_codec.h"
#include "embed/state.h"

namespace cordon::embed {
namespace {

// Set while this thread runs a function of a service.
thread_local const ServiceCall* serving = nullptr;

class ServingScope {
 public:
  explicit ServingScope(const ServiceCall& call) : outer_(std::exchange(serving, &call)) {}
  ~ServingScope() { serving = outer_; }
  ServingScope(const ServingScope&) = delete;
  ServingScope& operator=(const ServingScope&) = delete;

 private:
  const ServiceCall* outer_;
};

std::chrono::steady_clock::time_point TimeOf(std::int64_t deadline_ns) {
  if (deadline_ns == 0) return std::chrono::steady_clock::time_point::max();
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline_ns));
}

class ServedCall final : public ServiceCall {
 public:
  ServedCall(const services::Guard& guard, const services::Caller& caller, const Service::Entry& entry)
      : guard_(guard), caller_(caller), entry_(entry) {}
  std::string_view plugin() const override { return guard_.plugin(); }
  const std::vector<std::string>& callers() const override { return caller_.chain; }
  const Principal& principal() const override {
    static const Principal kNobody;
    return caller_.principal != nullptr ? *caller_.principal : kNobody;
  }
  std::uint64_t call_id() const override { return caller_.call_id; }
  std::chrono::steady_clock::time_point deadline() const override { return TimeOf(caller_.deadline_ns); }
  std::string traceparent() const override { return caller_.trace ? caller_.trace->Header() : std::string(); }

  Status Allow(std::string_view target) const override {
    asked_ = true;
    auto capability = policy::MakeHostTarget(entry_.capability.name(), target);
    if (!capability || target.ends_with('*')) {
      // What has no spelling in the grammar was granted to nobody; a question with a wildcard asks for many things.
      const policy::Decision decision =
          guard_.Refuse(caller_, "host:" + entry_.capability.name(), target, "target-syntax");
      return Fail(decision.code, "the target is not one that can be granted");
    }
    const policy::Decision decision = guard_.Check(caller_, *capability, target);
    if (decision.allowed()) return {};
    return Fail(
        Error(decision.code, capability->ToString() + " is not granted", decision.remedy).With("rule", decision.rule));
  }
  bool asked() const { return asked_; }

 private:
  const services::Guard& guard_;
  const services::Caller& caller_;
  const Service::Entry& entry_;
  mutable std::atomic<bool> asked_ = false;
};

HostReply ReplyOf(Encoder& reply, const std::string& place) {
  if (reply.too_large() || reply.size() > kMessagePayloadMax) {
    return services::Trap(Code::kOutputSize, place + " answers with more than a message may hold");
  }
  HostReply answer;
  for (const ByteView piece : reply.Pieces()) answer.payload.insert(answer.payload.end(), piece.begin(), piece.end());
  return answer;
}

// An answer that the program gives when it likes. `done` keeps what the guard is part of.
class LaterReply final : public detail::PendingReply {
 public:
  LaterReply(std::shared_ptr<const Service> service, const services::Guard& guard, services::Caller caller,
             const Service::Entry& entry, std::string place, HostChannel::Done done)
      : done_(std::move(done)),
        service_(std::move(service)),
        guard_(guard),
        caller_(std::move(caller)),
        entry_(entry),
        place_(std::move(place)),
        call_(guard_, caller_, entry_) {}
  LaterReply(const LaterReply&) = delete;
  LaterReply& operator=(const LaterReply&) = delete;
  ~LaterReply() override {
    if (done_) Settle(services::Trap(Code::kService, place_ + " was let go without an answer"));
  }

  const ServiceCall& call() const override { return call_; }
  void Give(Encoder& reply) override {
    if (entry_.capability.is_per_target() && !call_.asked()) {
      guard_.Refuse(caller_, "host:" + entry_.capability.name(), place_, "not-asked");
      return Settle(services::Trap(Code::kDenied, place_ + " asked for no target: its answer is withheld"));
    }
    Settle(ReplyOf(reply, place_));
  }
  void Fail(Error error) override { Settle(services::Trap(error.code, place_ + ": " + error.message)); }

 private:
  void Settle(HostReply reply) noexcept {
    auto done = std::exchange(done_, nullptr);
    try {
      if (done) done(std::move(reply));
    } catch (...) {  // it went without a reply, which ends the guest's call
    }
  }

  HostChannel::Done done_;
  const std::shared_ptr<const Service> service_;
  const services::Guard& guard_;
  const services::Caller caller_;
  const Service::Entry& entry_;
  const std::string place_;
  const ServedCall call_;
};

// One plugin's view of a service.
class OwnService final : public services::HostService {
 public:
  OwnService(std::shared_ptr<const Service> service, const services::Guard& guard)
      : service_(std::move(service)), guard_(guard) {}

  std::string_view interface_name() const override { return service_->interface_name(); }

  HostReply Call(const services::Caller& caller, std::string_view function,
                 std::span<const std::uint8_t> payload) override {
    const Service::Entry* const entry = Find(function);
    if (entry == nullptr || !entry->function) return NoFunction(function);
    const std::string place = PlaceOf(*entry);
    if (auto denied = Denied(caller, *entry, place)) return std::move(*denied);
    return Run(caller, *entry, place, payload);
  }

  void Begin(const services::Caller& caller, std::string_view function, std::span<const std::uint8_t> payload,
             HostChannel::Done done) override {
    const Service::Entry* const entry = Find(function);
    if (entry == nullptr || !entry->later) return done(Call(caller, function, payload));
    const std::string place = PlaceOf(*entry);
    if (auto denied = Denied(caller, *entry, place)) return done(std::move(*denied));
    auto reply = std::make_unique<LaterReply>(service_, guard_, caller, *entry, place, std::move(done));
    const ServingScope scope(reply->call());
    try {
      entry->later(std::move(reply), payload);
    } catch (...) {  // the reply went with it, and the guest's call ends
    }
  }

 private:
  const Service::Entry* Find(std::string_view function) const {
    const auto entry = std::ranges::find(service_->functions(), function, &Service::Entry::name);
    return entry == service_->functions().end() ? nullptr : &*entry;
  }
  static HostReply NoFunction(std::string_view function) {
    return services::Trap(Code::kLink, "the service has no function " + std::string(function));
  }
  std::string PlaceOf(const Service::Entry& entry) const { return service_->interface_name() + "#" + entry.name; }

  std::optional<HostReply> Denied(const services::Caller& caller, const Service::Entry& entry,
                                  const std::string& place) const {
    if (entry.capability.is_per_target()) return std::nullopt;
    const auto capability = policy::MakeHost(entry.capability.name());
    const policy::Decision decision = guard_.Check(caller, *capability, place);
    if (decision.allowed()) return std::nullopt;
    return services::Trap(decision.code, place + " is denied: " + decision.rule);
  }

  HostReply Run(const services::Caller& caller, const Service::Entry& entry, const std::string& place,
                std::span<const std::uint8_t> payload) const {
    const ServedCall call(guard_, caller, entry);
    const ServingScope scope(call);
    Encoder reply;
    try {
      const Status answered = entry.function(call, payload, reply);
      if (entry.capability.is_per_target() && !call.asked()) {
        guard_.Refuse(caller, "host:" + entry.capability.name(), place, "not-asked");
        return services::Trap(Code::kDenied, place + " asked for no target: its answer is withheld");
      }
      if (!answered) return services::Trap(answered.error().code, place + ": " + answered.error().message);
    } catch (const std::exception& fault) {
      return services::Trap(Code::kService, place + " threw an exception: " + fault.what());
    } catch (...) {
      return services::Trap(Code::kService, place + " threw an exception");
    }
    return ReplyOf(reply, place);
  }

  std::shared_ptr<const Service> service_;
  const services::Guard& guard_;
};

engine::HostImport::Kind KindOf(Runs runs) {
  switch (runs) {
    case Runs::kInline: return engine::HostImport::Kind::kQuick;
    case Runs::kLater: return engine::HostImport::Kind::kDeferred;
    case Runs::kAside: break;
  }
  return engine::HostImport::Kind::kBlocking;
}

}  // namespace

bool InsideService() { return serving != nullptr; }

Result<runtime::HostedInterface> HostedOf(Service from) {
  const auto service = std::make_shared<const Service>(std::move(from));
  runtime::HostedInterface hosted;
  hosted.offer.name = service->interface_name();
  if (hosted.offer.name.starts_with("wasi:") || hosted.offer.name.starts_with("cordon:") ||
      hosted.offer.name == abi::kExtismEnv) {
    return Fail(Code::kName, "'" + hosted.offer.name + "' is not an interface of the embedder's own",
                "name it in a package of your own, such as acme:shop/prices@1.0.0");
  }
  if (service->functions().empty()) {
    return Fail(Code::kInvalid, "the service '" + hosted.offer.name + "' has no function", "add one with Function");
  }
  for (const Service::Entry& entry : service->functions()) {
    if ((entry.runs == Runs::kLater) != static_cast<bool>(entry.later) || (entry.later && entry.function)) {
      return Fail(Code::kInvalid, "the function " + entry.name + " of '" + hosted.offer.name + "' has nothing to run");
    }
    CORDON_TRY(policy::MakeHostTarget(entry.capability.name(), ""));
    if (std::ranges::find(hosted.offer.functions, entry.name, &abi::OfferedFunction::name) !=
        hosted.offer.functions.end()) {
      return Fail(Code::kInvalid, "the service '" + hosted.offer.name + "' has two functions named " + entry.name);
    }
    hosted.offer.functions.push_back({
        .name = entry.name,
        .shape = entry.shape,
        .capability = entry.capability.name(),
        .scope = entry.capability.is_per_target() ? abi::OfferedFunction::Scope::kPerTarget
                                                  : abi::OfferedFunction::Scope::kWhole,
        .kind = KindOf(entry.runs),
    });
  }
  hosted.serve = [service](const services::Guard& guard) { return std::make_unique<OwnService>(service, guard); };
  return hosted;
}

}  // namespace cordon::embed
