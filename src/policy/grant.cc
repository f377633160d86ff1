#include "policy/grant.h"

#include <algorithm>

#include "base/text.h"
#include "policy/capability_grammar.h"
#include "policy/ceiling.h"

namespace cordon::policy {
namespace {

constexpr std::string_view kOptions[] = {"session", "quota", "pass", "once", "until", "uses", "rate", "bytes"};

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// `pass=http,storage`, `pass=nothing`
Status ReadPass(std::string_view option, Grant& grant) {
  if (grant.capability.kind() != Kind::kCall) {
    return Fail(Code::kInvalid,
                "'" + Excerpt(option) + "' is for calls of plugins, and this is a grant of " +
                    std::string(KindName(grant.capability.kind())),
                "leave it out");
  }
  std::string_view words = option.substr(std::min(option.size(), std::string_view("pass=").size()));
  grant.pass.emplace();
  if (words == "nothing") return {};
  while (true) {
    const std::size_t comma = words.find(',');
    const auto kind = KindNamed(words.substr(0, comma));
    if (!kind || OnByDefault(*kind)) {
      return Fail(Code::kSyntax, "'" + Excerpt(words.substr(0, comma)) + "' is no kind that a call could pass on",
                  "write pass=nothing, or kinds such as pass=http,storage");
    }
    grant.pass->Add(*kind);
    if (comma == std::string_view::npos) return {};
    words.remove_prefix(comma + 1);
  }
}

std::string PassText(KindSet pass) {
  std::string words;
  for (std::size_t i = 0; i < kKindCount; ++i) {
    const auto kind = static_cast<Kind>(i);
    if (pass.Has(kind)) words += (words.empty() ? "" : ",") + std::string(KindName(kind));
  }
  return words.empty() ? "nothing" : words;
}

Status ReadOption(std::string_view option, Grant& grant) {
  if (option == "session") {
    grant.lifetime = Lifetime::kSession;
    return {};
  }
  const std::string_view key = option.substr(0, option.find('='));
  if (key == "quota") {
    if (key.size() == option.size()) return Fail(Code::kSyntax, "'quota' has no size", "write quota=10MiB");
    if (grant.capability.kind() != Kind::kStorage) {
      return Fail(Code::kInvalid,
                  "'" + Excerpt(option) + "' is the quota of a bucket, and this is a grant of " +
                      std::string(KindName(grant.capability.kind())),
                  "leave it out");
    }
    CORDON_ASSIGN(grant.quota, ParseBytes(option.substr(key.size() + 1)));
    return {};
  }
  if (key == "pass") return ReadPass(option, grant);
  CORDON_ASSIGN(const bool is_limit, ReadLimit(option, grant.capability.kind(), grant.limits));
  if (is_limit) return {};
  const std::string_view near = Nearest(key, kOptions);
  return Fail(Code::kSyntax, "'" + Excerpt(option) + "' is not an option of a grant",
              near.empty() ? "write '; session', or nothing" : "did you mean '" + std::string(near) + "'?");
}

}  // namespace

Result<Grant> Grant::Parse(std::string_view text, Level level) {
  if (text.size() > kCapabilityBytesMax) return Fail(Code::kLimit, "a grant is longer than 4096 bytes");
  std::size_t semicolon = text.find(';');
  CORDON_ASSIGN(Capability capability,
                Capability::Parse(semicolon == std::string_view::npos ? text : Trim(text.substr(0, semicolon))));
  CORDON_TRY(CheckWidth(capability, level));
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
         (pass ? "; pass=" + PassText(*pass) : "") + limits.ToString() +
         (lifetime == Lifetime::kSession ? "; session" : "");
}

bool OnByDefault(Kind kind) {
  return kind == Kind::kClock || kind == Kind::kRandom || kind == Kind::kStdio || kind == Kind::kLog;
}

}  // namespace cordon::policy
