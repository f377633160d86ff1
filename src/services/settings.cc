#include "services/settings.h"

#include <algorithm>

#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

constexpr std::size_t kKeyShownMax = 64;

// The interface has no access-denied; a stub of it says it so, too.
HostReply Denied() {
  constexpr std::uint32_t kUpstream = 0;
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(true);
  out.U32(kUpstream);
  out.String("access denied");
  return reply;
}

}  // namespace

HostReply SettingsService::Call(const Caller& caller, std::string_view function,
                                std::span<const std::uint8_t> payload) {
  const bool one = function == "get";
  if (!one && function != "get-all") {
    return Trap(Code::kLink, "nothing answers wasi:config/store#" + std::string(function));
  }
  wire::Reader in(payload);
  const std::string_view key = one ? in.String() : std::string_view();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const policy::Decision decision =
      guard_.Check(caller, policy::MakeConfig(), one ? "'" + EscapeShort(key, kKeyShownMax) + "'" : "all settings");
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  if (!decision.allowed()) return Denied();
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(false);
  if (one) {
    const auto found = std::ranges::find(values_, key, &SettingValue::key);
    out.Bool(found != values_.end());
    if (found != values_.end()) out.String(found->value.reveal());
    return reply;
  }
  out.Count(values_.size());
  for (const SettingValue& setting : values_) {
    out.String(setting.key);
    out.String(setting.value.reveal());
  }
  return reply;
}

}  // namespace cordon::services
