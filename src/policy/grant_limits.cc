#include "policy/grant_limits.h"

#include <charconv>

#include "base/text.h"
#include "policy/capability_grammar.h"

namespace cordon::policy {
namespace {

std::unexpected<Error> Twice(std::string_view key) {
  return Fail(Code::kInvalid, "'" + std::string(key) + "' stands twice in one grant", "write it once");
}

std::unexpected<Error> NobodyCounts(std::string_view option, Kind kind, std::string_view what) {
  return Fail(
      Code::kUnenforceable,
      "'" + Excerpt(option) + "' restricts a grant of " + std::string(KindName(kind)) + ", and " + std::string(what),
      "limit it by time, '; until=2026-12-01T00:00:00Z', or to this run, '; session'");
}

Result<std::uint64_t> ReadUses(std::string_view text) {
  std::uint64_t uses = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uses);
  if (error == std::errc::result_out_of_range || uses > INT64_MAX) {
    return Fail(Code::kRange, "'uses=" + Excerpt(text) + "' is more than can be counted", "leave it out");
  }
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail(Code::kType, "'uses=" + Excerpt(text) + "' is not a number", "write uses=3");
  }
  if (uses == 0) return Fail(Code::kRange, "'uses=0' is a grant of nothing", "revoke it, or write uses=1");
  return uses;
}

template <typename T>
Status Set(std::optional<T>& field, std::string_view key, const Result<T>& value) {
  if (field) return Twice(key);
  if (!value) return Fail(value.error());
  field.emplace(value.value());
  return {};
}

}  // namespace

bool AskedEachTime(Kind kind) {
  switch (kind) {
    case Kind::kEnvironment:
    case Kind::kClock:
    case Kind::kRandom:
    case Kind::kStdio:
    case Kind::kLog:
    case Kind::kArguments:
    case Kind::kInstance: return false;
    default: return true;
  }
}

bool BytesCounted(Kind kind) {
  return kind == Kind::kHttp || kind == Kind::kStorage || kind == Kind::kMessaging || kind == Kind::kMemory ||
         kind == Kind::kCall;
}

std::string GrantLimits::ToString() const {
  std::string text;
  if (until) text += "; until=" + FormatTimestamp(*until);
  if (uses) text += *uses == 1 ? "; once" : "; uses=" + std::to_string(*uses);
  if (rate) text += "; rate=" + FormatRate(*rate);
  if (bytes) text += "; bytes=" + FormatBytes(*bytes);
  return text;
}

Result<bool> ReadLimit(std::string_view option, Kind kind, GrantLimits& limits) {
  const std::size_t equals = option.find('=');
  const std::string_view key = option.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : option.substr(equals + 1);
  const bool is_once = option == "once";
  if (!is_once && key != "until" && key != "uses" && key != "rate" && key != "bytes") return false;
  if (!is_once && value.empty()) {
    return Fail(Code::kSyntax, "'" + std::string(key) + "' has no value",
                "write until=2026-12-01T00:00:00Z, uses=3, rate=60/min or bytes=10MiB");
  }
  if (key == "until") {
    CORDON_TRY(Set(limits.until, key, ParseTimestamp(value)));
    return true;
  }
  if (!AskedEachTime(kind)) return NobodyCounts(option, kind, "an instance has that from its start");
  if (key == "bytes") {
    if (!BytesCounted(kind)) return NobodyCounts(option, kind, "nothing counts the bytes of that");
    CORDON_TRY(Set(limits.bytes, key, ParseBytes(value)));
  } else if (key == "rate") {
    CORDON_TRY(Set(limits.rate, key, ParseRate(value)));
  } else {
    CORDON_TRY(Set(limits.uses, "uses", is_once ? Result<std::uint64_t>(1) : ReadUses(value)));
  }
  return true;
}

}  // namespace cordon::policy
