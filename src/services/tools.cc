#include "services/tools.h"

#include <algorithm>

#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

using policy::Decision;

constexpr std::size_t kShownBytesMax = 160;

enum class ErrorCase : std::uint32_t { kAccessDenied, kAnswered, kFailed };

HostReply Denied(const Decision& decision) {
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(true);
  out.U32(static_cast<std::uint32_t>(ErrorCase::kAccessDenied));
  out.String(decision.rule);
  return reply;
}

HostReply Failed(const Error& error) {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(true);
  out.U32(static_cast<std::uint32_t>(ErrorCase::kFailed));
  out.String(CodeName(error.code));
  out.String(Escape(error.message));
  return reply;
}

HostReply Answered(const ToolAnswer& answer) {
  HostReply reply;
  wire::Writer out(reply.payload);
  const bool is_error = answer.form == ToolAnswer::Form::kPluginError;
  out.Bool(is_error);
  if (is_error) out.U32(static_cast<std::uint32_t>(ErrorCase::kAnswered));
  out.String(answer.json);
  return reply;
}

HostReply NothingAnswers(std::string_view interface_name, std::string_view function) {
  return Trap(Code::kLink, "nothing answers " + std::string(interface_name) + "#" + std::string(function));
}

}  // namespace

HostReply ToolCallerService::Call(const Caller& caller, std::string_view function,
                                  std::span<const std::uint8_t> payload) {
  if (function != "call") return NothingAnswers(kToolCallerInterface, function);
  wire::Reader in(payload);
  const std::string_view target = in.String();
  const std::string_view input = in.String();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const auto asked = policy::MakeCall(target);
  // One action: a wildcard is for grants.
  if (!asked || target.ends_with('*')) {
    return Denied(guard_.Refuse(caller, "call", EscapeShort(target, kShownBytesMax), "call:target"));
  }
  const std::size_t hash = target.find('#');
  ToolCall call{.plugin = target.substr(0, hash),
                .action = target.substr(hash + 1),
                .input_json = input,
                .chain = caller.chain,
                .passed = caller.passed,
                .deadline_ns = caller.deadline_ns,
                .principal = caller.principal,
                .trace = caller.trace};
  call.chain.push_back(guard_.plugin());
  if (guard_.authority().Decide(*asked).allowed()) {
    // What waits for this call already would be entered again.
    if (std::ranges::find(call.chain, call.plugin) != call.chain.end()) {
      return Denied(guard_.Refuse(caller, asked->ToString(), target, "call:cycle"));
    }
    if (call.chain.size() >= kToolChainMax) {
      return Denied(guard_.Refuse(caller, asked->ToString(), target, "call:depth"));
    }
    if (!calls_->Provides(call.plugin, call.action)) {
      return Denied(guard_.Refuse(caller, asked->ToString(), target, "call:not-provided"));
    }
  }
  const Decision decision = guard_.Check(caller, *asked, target);
  if (!decision.allowed()) return Denied(decision);
  call.passed = call.passed & guard_.PassedOn(*asked);
  const Decision sent = guard_.Spend(caller, *asked, target, input.size());
  if (!sent.allowed()) return Denied(sent);
  const auto answer = calls_->Call(call);
  if (!answer) return Failed(answer.error());
  const Decision received = guard_.Spend(caller, *asked, target, answer->json.size());
  return received.allowed() ? Answered(*answer) : Denied(received);
}

HostReply ToolCalleeService::Call(const Caller& caller, std::string_view function,
                                  std::span<const std::uint8_t> payload) {
  if (function != "callers") return NothingAnswers(kToolCalleeInterface, function);
  wire::Reader in(payload);
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Count(caller.chain.size());
  for (const std::string& plugin : caller.chain) out.String(plugin);
  return reply;
}

}  // namespace cordon::services
