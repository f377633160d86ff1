#include "services/messaging/service.h"

#include <time.h>

#include <algorithm>

#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

constexpr std::size_t kNameShownMax = 80;
constexpr std::chrono::milliseconds kHoldTime{30'000};  // of a call without a deadline

enum class SendError : std::uint32_t { kAccessDenied = 0, kQueueFull = 1, kRateLimited = 2, kOther = 3 };
enum class ReceiveError : std::uint32_t { kAccessDenied = 0, kOther = 1 };
enum class SenderKind : std::uint32_t { kHost = 0, kPlugin = 1 };

template <typename Case>
HostReply Refused(Case error, std::string_view text = {}) {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(true);
  out.U32(static_cast<std::uint32_t>(error));
  if (error == Case::kOther) out.String(text);
  return reply;
}

std::string TextOf(const Error& error) { return std::string(CodeName(error.code)) + ": " + Escape(error.message); }

// Bytes that go by a channel that the plugin may use.
policy::Decision Spend(const Guard& guard, const Caller& caller, std::string_view access, std::string_view channel,
                       std::size_t bytes) {
  return guard.Spend(caller, *policy::MakeMessaging(access, channel), channel, bytes);
}

// One question for one channel. A name that has no spelling in the grammar was granted to nobody.
policy::Decision Ask(const Guard& guard, const Caller& caller, std::string_view access, std::string_view channel) {
  const auto asked = policy::MakeMessaging(access, channel);
  if (asked) return guard.Check(caller, *asked, channel);
  return guard.Refuse(caller, "msg:" + std::string(access), "'" + EscapeShort(channel, kNameShownMax) + "'",
                      "msg:channel");
}

std::chrono::milliseconds TimeLeft(std::int64_t deadline_ns) {
  if (deadline_ns == 0) return kHoldTime;
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return std::chrono::milliseconds((deadline_ns - (at.tv_sec * 1'000'000'000 + at.tv_nsec)) / 1'000'000);
}

// What the host knows the plugin as. Nothing is the host itself, so no plugin is nothing.
std::string SenderOf(const Guard& guard) { return guard.plugin().empty() ? "(no name)" : Escape(guard.plugin()); }

// What holds a message: this call of this process.
std::string HolderOf(const MessageQueue& queue, const Caller& caller) {
  return queue.process() + ":" + std::to_string(caller.call_id);
}

}  // namespace

bool SendRate::Admits(std::chrono::steady_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (at_ != std::chrono::steady_clock::time_point{}) {
    left_ = std::min(per_second_, left_ + per_second_ * std::chrono::duration<double>(now - at_).count());
  }
  at_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

HostReply ProducerService::Call(const Caller& caller, std::string_view function,
                                std::span<const std::uint8_t> payload) {
  if (function != "send")
    return Trap(Code::kLink, "nothing answers cordon:messaging/producer#" + std::string(function));
  wire::Reader in(payload);
  const std::string_view channel = in.String();
  const std::size_t size = in.Count(1);
  const std::span<const std::uint8_t> body = in.Raw(size);
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const policy::Decision decision = Ask(guard_, caller, "send", channel);
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  if (!decision.allowed()) return Refused(SendError::kAccessDenied);
  if (!rate_.Admits(std::chrono::steady_clock::now())) return Refused(SendError::kRateLimited);
  const policy::Decision spent = Spend(guard_, caller, "send", channel, body.size());
  if (spent.code == Code::kAuditUnavailable) return Trap(spent.code, "the audit cannot be written");
  if (!spent.allowed()) return Refused(SendError::kAccessDenied);
  const auto id = queue_->Send(channel, SenderOf(guard_), body, caller.deadline_ns);
  if (!id) {
    const bool is_body = std::ranges::any_of(id.error().details, [](const auto& d) { return d.second == "body"; });
    if (id.error().code == Code::kLimit && !is_body) return Refused(SendError::kQueueFull);
    return Refused(SendError::kOther, TextOf(id.error()));
  }
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(false);
  out.String(*id);
  return reply;
}

std::vector<std::string> ChannelsToSend(const Guard& guard, const Caller& caller) {
  std::vector<std::string> names;
  if (!caller.passed.Has(policy::Kind::kMessaging)) return names;
  for (const policy::Ruling& ruling : guard.authority().rulings()) {
    if (!ruling.effective || ruling.effective->kind() != policy::Kind::kMessaging) continue;
    const policy::NameScope& scope = *ruling.effective->named();
    if (scope.action == "send" && guard.Holds(*ruling.effective)) names.push_back(scope.name);
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

HostReply DirectoryService::Call(const Caller& caller, std::string_view function,
                                 std::span<const std::uint8_t> payload) {
  if (function != "to-send") {
    return Trap(Code::kLink, "nothing answers cordon:channels/directory#" + std::string(function));
  }
  wire::Reader in(payload);
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const std::vector<std::string> names = ChannelsToSend(guard_, caller);
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(false);
  out.Count(names.size());
  for (const std::string& name : names) out.String(name);
  return reply;
}

HostReply ConsumerService::Receive(const Caller& caller, std::string_view channel, std::uint32_t max) const {
  const Hold hold{HolderOf(*queue_, caller), TimeLeft(caller.deadline_ns)};
  const auto messages = queue_->Receive(channel, hold, max, caller.deadline_ns);
  if (!messages) return Refused(ReceiveError::kOther, TextOf(messages.error()));
  std::size_t bytes = 0;
  for (const Message& message : *messages) bytes += message.body.size();
  // What is not handed over here is delivered again when the hold is over.
  const policy::Decision spent = Spend(guard_, caller, "receive", channel, bytes);
  if (spent.code == Code::kAuditUnavailable) return Trap(spent.code, "the audit cannot be written");
  if (!spent.allowed()) return Refused(ReceiveError::kAccessDenied);
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(false);
  out.Count(messages->size());
  for (const Message& message : *messages) {
    out.String(message.id);
    out.U32(static_cast<std::uint32_t>(message.sender.empty() ? SenderKind::kHost : SenderKind::kPlugin));
    if (!message.sender.empty()) out.String(message.sender);
    out.U64(message.sent_ms);
    out.U32(message.attempt);
    out.Count(message.body.size());
    out.Raw(message.body);
  }
  return reply;
}

HostReply ConsumerService::Call(const Caller& caller, std::string_view function,
                                std::span<const std::uint8_t> payload) {
  const bool is_receive = function == "receive";
  if (!is_receive && function != "acknowledge") {
    return Trap(Code::kLink, "nothing answers cordon:messaging/consumer#" + std::string(function));
  }
  wire::Reader in(payload);
  const std::string_view channel = in.String();
  const std::uint32_t max = is_receive ? in.U32() : 0;
  const std::string_view id = is_receive ? std::string_view() : in.String();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const policy::Decision decision = Ask(guard_, caller, "receive", channel);
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  if (!decision.allowed()) return Refused(ReceiveError::kAccessDenied);
  if (is_receive) return Receive(caller, channel, max);
  const auto done = queue_->Acknowledge(channel, id, HolderOf(*queue_, caller), caller.deadline_ns);
  if (!done) return Refused(ReceiveError::kOther, TextOf(done.error()));
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(false);
  out.Bool(*done);
  return reply;
}

}  // namespace cordon::services
