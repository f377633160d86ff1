#include "services/secrets.h"

#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

constexpr std::size_t kNameShownMax = 64;

enum class SecretError : std::uint32_t { kAccessDenied = 0, kNotFound = 1, kOther = 2 };

HostReply Refused(SecretError error, std::string_view text = {}) {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(true);
  out.U32(static_cast<std::uint32_t>(error));
  if (error == SecretError::kOther) out.String(text);
  return reply;
}

}  // namespace

HostReply SecretsService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  if (function != "get") return Trap(Code::kLink, "nothing answers cordon:secrets/store#" + std::string(function));
  wire::Reader in(payload);
  const std::string_view name = in.String();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const auto asked = policy::MakeSecret(name);
  const policy::Decision decision =
      asked ? guard_.Check(caller, *asked, name)
            : guard_.Refuse(caller, "secret", "'" + EscapeShort(name, kNameShownMax) + "'", "secret:name");
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  if (!decision.allowed()) return Refused(SecretError::kAccessDenied);
  const auto value = source_->Find(guard_.plugin(), name);
  if (!value) {
    return Refused(SecretError::kOther, std::string(CodeName(value.error().code)) + ": the secret cannot be read");
  }
  if (!*value) return Refused(SecretError::kNotFound);
  HostReply reply;
  reply.payload.reserve(5 + (*value)->reveal().size());
  wire::Writer out(reply.payload);
  out.Bool(false);
  out.String((*value)->reveal());
  return reply;
}

}  // namespace cordon::services
