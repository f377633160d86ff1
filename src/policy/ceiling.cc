#include "policy/ceiling.h"

#include <algorithm>
#include <array>

#include "policy/capability_grammar.h"
#include "policy/exec_match.h"
#include "policy/network.h"

namespace cordon::policy {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"relaxed", "default", "strict", "paranoid"};

Status CheckHost(const std::string& host, const std::string& shown) {
  const auto wide = [&](std::string_view why) {
    return Fail(Code::kGrantTooWide, "'" + Excerpt(shown) + "' " + std::string(why),
                "name the hosts that are needed, such as api.example.com or *.example.com");
  };
  if (host == "*") return wide("allows every host");
  if (host.starts_with("*.") && IsPublicSuffix(std::string_view(host).substr(2))) {
    return wide("allows every host below a suffix that anybody can register in");
  }
  if (ReachesMetadata(host)) return wide("reaches addresses at which a cloud hands out credentials");
  return {};
}

}  // namespace

std::string_view LevelName(Level level) { return kLevels[static_cast<std::size_t>(level)]; }

Result<Level> ParseLevel(std::string_view text) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == text) return static_cast<Level>(i);
  }
  return Fail(Code::kType, "'" + Excerpt(text) + "' is not a security level",
              "write relaxed, default, strict or paranoid");
}

Result<Ceiling> Ceiling::For(Level level) {
  if (level == Level::kDefault) return Ceiling(level);
  return Fail(Code::kUnenforceable, "this build cannot enforce level '" + std::string(LevelName(level)) + "' yet",
              "use level default");
}

bool Ceiling::Holds(const Capability& capability) const {
  if (capability.kind() != Kind::kHost) return true;
  return std::ranges::find(offered_, capability.named()->action) != offered_.end();
}

std::string Ceiling::rule() const { return "ceiling:level-" + std::string(LevelName(level_)); }

Status Ceiling::Check(const Capability& capability) const {
  if (capability.http() != nullptr) return CheckHost(capability.http()->host, capability.ToString());
  if (capability.exec() != nullptr) return CheckLauncher(*capability.exec(), capability.exec()->program);
  if (capability.socket() != nullptr) return CheckHost(capability.socket()->host, capability.ToString());
  return {};
}

}  // namespace cordon::policy
