#include "services/principal.h"

#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

Status CheckPart(std::string_view name, const std::string& value) {
  if (value.size() > kPrincipalBytesMax) {
    return Fail(Code::kLimit, "the " + std::string(name) + " of the call has " + std::to_string(value.size()) +
                                  " bytes, above " + std::to_string(kPrincipalBytesMax));
  }
  if (Escape(value) != value) {
    return Fail(Code::kInvalid, "the " + std::string(name) + " of the call has a control character, or is not UTF-8");
  }
  return {};
}

constexpr std::uint32_t kAccessDenied = 0;

}  // namespace

Status CheckPrincipal(const Principal& principal) {
  CORDON_TRY(CheckPart("user", principal.user));
  CORDON_TRY(CheckPart("session", principal.session));
  CORDON_TRY(CheckPart("agent", principal.agent));
  return CheckPart("tenant", principal.tenant);
}

HostReply PrincipalService::Call(const Caller& caller, std::string_view function,
                                 std::span<const std::uint8_t> payload) {
  const auto asked = policy::MakeCaller(function);
  if (!asked || function == "project") {
    return Trap(Code::kLink, "nothing answers cordon:context/call#" + std::string(function));
  }
  wire::Reader in(payload);
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const policy::Decision decision = guard_.Check(caller, *asked, function);
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(!decision.allowed());
  if (!decision.allowed()) {
    out.U32(kAccessDenied);
    return reply;
  }
  static const Principal kNobody;
  const Principal& principal = caller.principal != nullptr ? *caller.principal : kNobody;
  const std::string& value = function == "user"      ? principal.user
                             : function == "session" ? principal.session
                                                     : principal.agent;
  out.Bool(!value.empty());
  if (!value.empty()) out.String(value);
  return reply;
}

}  // namespace cordon::services
