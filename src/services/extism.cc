#include "services/extism.h"

#include <string>

#include "base/wire.h"
#include "services/log.h"

namespace cordon::services {
namespace {

HostReply NoFunction(std::string_view function) {
  return Trap(Code::kLink, "nothing answers " + std::string(kExtismInterface) + "#" + std::string(function));
}

// A payload that begins with a key, for the only bucket.
wire::Buffer OfBucket(std::span<const std::uint8_t> payload) {
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(0);
  out.Raw(payload);
  return asked;
}

// A `result` of wasi:keyvalue/store without its outer case: an error ends the guest's call, as it does at home.
HostReply Answer(HostReply reply) {
  if (reply.outcome != HostReply::Outcome::kDone) return reply;
  wire::Reader in(reply.payload);
  if (!in.Bool()) {
    if (!reply.payload.empty()) reply.payload.erase(reply.payload.begin());
    return reply;
  }
  constexpr std::uint32_t kCases = 3, kOther = 2;  // no-such-store, access-denied, other
  if (in.Case(kCases) != kOther) return Trap(Code::kDenied, "variables are not granted");
  const std::string text(in.String());
  return Trap(text.starts_with(CodeName(Code::kLimit)) ? Code::kLimit : Code::kIo, text);
}

}  // namespace

HostReply ExtismService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  if (function == "config_get" && parts_.settings != nullptr) return Setting(caller, payload);
  if (function.starts_with("log_") && parts_.log != nullptr) return Log(caller, function.substr(4), payload);
  if (parts_.vars == nullptr) return NoFunction(function);
  if (function == "var_get") return GetVar(caller, payload);
  if (function == "var_set") return SetVar(caller, payload);
  return NoFunction(function);
}

// `result<option<string>, error>` without its outer case.
HostReply ExtismService::Setting(const Caller& caller, std::span<const std::uint8_t> payload) const {
  HostReply reply = parts_.settings->Call(caller, "get", payload);
  if (reply.outcome != HostReply::Outcome::kDone) return reply;
  if (reply.payload.empty() || reply.payload.front() != 0) return Trap(Code::kDenied, "config_get is denied");
  reply.payload.erase(reply.payload.begin());
  return reply;
}

HostReply ExtismService::Log(const Caller& caller, std::string_view level,
                             std::span<const std::uint8_t> payload) const {
  std::uint32_t number = 0;
  while (number < static_cast<std::uint32_t>(LogLevel::kCritical) &&
         LogLevelName(static_cast<LogLevel>(number)) != level) {
    ++number;
  }
  if (number == static_cast<std::uint32_t>(LogLevel::kCritical)) return NoFunction("log_" + std::string(level));
  wire::Buffer line;
  wire::Writer out(line);
  out.U32(number);
  out.String({});
  out.Raw(payload);
  return parts_.log->Call(caller, "log", line);
}

HostReply ExtismService::GetVar(const Caller& caller, std::span<const std::uint8_t> payload) const {
  return Answer(parts_.vars->Call(caller, "[method]bucket.get", OfBucket(payload)));
}

HostReply ExtismService::SetVar(const Caller& caller, std::span<const std::uint8_t> payload) const {
  wire::Reader in(payload);
  const std::string_view key = in.String();
  const bool has_value = in.Bool();
  const std::span<const std::uint8_t> value = has_value ? in.Raw(in.Count(1)) : std::span<const std::uint8_t>();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(0);
  out.String(key);
  if (!has_value) return Answer(parts_.vars->Call(caller, "[method]bucket.delete", asked));
  out.Count(value.size());
  out.Raw(value);
  return Answer(parts_.vars->Call(caller, "[method]bucket.set", asked));
}

}  // namespace cordon::services
