#include "policy/grant.h"

#include "base/text.h"
#include "policy/capability_grammar.h"
#include "policy/ceiling.h"

namespace cordon::policy {
namespace {

constexpr std::string_view kOptions[] = {"session", "quota", "once", "until", "uses", "rate", "bytes"};

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Every option but `session` and `quota` restricts something that this build does not count.
Status ReadOption(std::string_view option, Grant& grant) {
  if (option == "session") {
    grant.lifetime = Lifetime::kSession;
    return {};
  }
  const std::string_view key = option.substr(0, option.find('='));
  if (key == "quota") {
    if (key.size() == option.size()) return Fail(Code::kSyntax, "'quota' has no size", "write quota=10MiB");
    if (grant.capability.kind() != Kind::kStorage) {
      return Fail(Code::kInvalid, "'" + Excerpt(option) + "' is the quota of a bucket, and this is a grant of " +
                                      std::string(KindName(grant.capability.kind())),
                  "leave it out");
    }
    CORDON_ASSIGN(grant.quota, ParseBytes(option.substr(key.size() + 1)));
    return {};
  }
  for (std::string_view known : kOptions) {
    if (key != known) continue;
    return Fail(Code::kUnenforceable,
                "'" + Excerpt(option) + "' restricts a grant in a way that this build cannot enforce",
                "grant it for this run alone with '; session', or without a limit");
  }
  const std::string_view near = Nearest(key, kOptions);
  return Fail(Code::kSyntax, "'" + Excerpt(option) + "' is not an option of a grant",
              near.empty() ? "write '; session', or nothing" : "did you mean '" + std::string(near) + "'?");
}

}  // namespace

Result<Grant> Grant::Parse(std::string_view text) {
  if (text.size() > kCapabilityBytesMax) return Fail(Code::kLimit, "a grant is longer than 4096 bytes");
  std::size_t semicolon = text.find(';');
  CORDON_ASSIGN(Capability capability,
                Capability::Parse(semicolon == std::string_view::npos ? text : Trim(text.substr(0, semicolon))));
  CORDON_TRY(Ceiling::Default().Check(capability));
  Grant grant{std::move(capability), Lifetime::kPermanent, {}};
  while (semicolon != std::string_view::npos) {
    text.remove_prefix(semicolon + 1);
    semicolon = text.find(';');
    CORDON_TRY(ReadOption(Trim(text.substr(0, semicolon)), grant));
  }
  return grant;
}

std::string Grant::ToString() const {
  return capability.ToString() + (quota ? "; quota=" + FormatBytes(*quota) : "") +
         (lifetime == Lifetime::kSession ? "; session" : "");
}

bool OnByDefault(Kind kind) {
  return kind == Kind::kClock || kind == Kind::kRandom || kind == Kind::kStdio || kind == Kind::kLog;
}

}  // namespace cordon::policy
