#include "policy/ceiling.h"

#include <algorithm>
#include <array>

#include "policy/capability_grammar.h"
#include "policy/exec_match.h"
#include "policy/grant.h"
#include "policy/network.h"

namespace cordon::policy {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"relaxed", "default", "strict", "paranoid"};
constexpr std::string_view kWorkspace = "workspace";

std::unexpected<Error> Wide(const std::string& shown, std::string_view why) {
  return Fail(Code::kGrantTooWide, "'" + Excerpt(shown) + "' " + std::string(why),
              "name the hosts that are needed, such as api.example.com or *.example.com");
}

Status CheckHost(const std::string& host, const std::string& shown, Level level) {
  if (ReachesMetadata(host)) return Wide(shown, "reaches addresses at which a cloud hands out credentials");
  if (level == Level::kRelaxed) return {};
  if (host == "*") return Wide(shown, "allows every host");
  if (host.starts_with("*.") && IsPublicSuffix(std::string_view(host).substr(2))) {
    return Wide(shown, "allows every host below a suffix that anybody can register in");
  }
  if (level < Level::kStrict) return {};
  const std::string at = ", and level " + std::string(LevelName(level));
  if (host.starts_with("*.")) return Wide(shown, "has a wildcard" + at + " has none");
  const auto block = AddressBlock::Parse(host);
  if (!block) return {};
  const auto what = ClassOf(host);
  if (!what) return Wide(shown, "is a block of addresses" + at + " has none");
  if (*what == AddressClass::kPublic) return {};
  return Wide(shown, "is not a public address" + at + " has no other");
}

// `host:NAME` has none to look for: what its targets mean is the embedding program's, and no target is every target.
bool HasWildcard(const Capability& capability) {
  return capability.kind() == Kind::kCall && capability.named()->name.ends_with('*');
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

Status CheckWidth(const Capability& capability, Level level) {
  if (capability.exec() != nullptr) CORDON_TRY(CheckLauncher(*capability.exec(), capability.exec()->program));
  if (capability.http() != nullptr) return CheckHost(capability.http()->host, capability.ToString(), level);
  if (capability.socket() != nullptr) return CheckHost(capability.socket()->host, capability.ToString(), level);
  if (level < Level::kStrict) return {};
  const std::string at = ", and level " + std::string(LevelName(level)) + " has none";
  if (HasWildcard(capability)) {
    return Fail(Code::kGrantTooWide, "'" + Excerpt(capability.ToString()) + "' has a wildcard" + at,
                "name each thing that is needed");
  }
  if (capability.exec() != nullptr && HasPattern(*capability.exec())) {
    return Fail(Code::kGrantTooWide, "'" + Excerpt(capability.ToString()) + "' has arguments that vary" + at,
                "write the arguments out");
  }
  return {};
}

Ceiling Ceiling::For(Level level, std::vector<std::shared_ptr<const Policy>> policies, std::string_view plugin,
                     const Digest& artifact) {
  Ceiling ceiling(level);
  ceiling.plugin_ = plugin;
  ceiling.artifact_ = artifact;
  for (std::shared_ptr<const Policy>& policy : policies) {
    const auto [rules, named] = policy->Find(plugin, artifact);
    ceiling.level_ = std::max({ceiling.level_, policy->others.level, rules->level});
    for (const auto& risk : {policy->others.risk, rules->risk}) {
      if (risk && (!ceiling.risk_ || *risk < ceiling.risk_->risk)) ceiling.risk_ = RiskCap{*risk, policy->file};
    }
    ceiling.shares_.push_back({std::move(policy), rules, named});
  }
  return ceiling;
}

bool Ceiling::Holds(const Capability& capability) const {
  if (capability.kind() != Kind::kHost) return true;
  return std::ranges::find(offered_, capability.named()->action) != offered_.end();
}

Ceiling::Capped Ceiling::Refused(std::string why) const {
  const std::string level(LevelName(level_));
  return {std::nullopt, "ceiling:level-" + level, "level " + level + " " + std::move(why)};
}

Ceiling::Capped Ceiling::CapByLevel(const Capability& capability) const {
  if (const Status width = CheckWidth(capability, level_); !width) {
    return Refused("refuses it: " + width.error().message);
  }
  if (level_ < Level::kStrict) return {capability};
  if (capability.kind() == Kind::kInstance) return Refused("gives each call an instance of its own");
  if (const FilesScope* files = capability.files(); files != nullptr && files->root != kWorkspace) {
    return Refused("lets files be granted in the root 'workspace' only");
  }
  if (const ClockScope* clock = capability.clock(); clock != nullptr && clock->precision == ClockPrecision::kFine) {
    return {MakeClock(ClockPrecision::kCoarse)};
  }
  if (level_ < Level::kParanoid) return {capability};
  if (capability.kind() == Kind::kExec) return Refused("lets no program be run");
  if (capability.kind() == Kind::kContext) return Refused("gives no context");
  const bool listed = std::ranges::any_of(shares_, &Share::named);
  if (!listed && !OnByDefault(capability.kind())) {
    return Refused("grants only what a policy lists for plugins that it names");
  }
  if (const FilesScope* files = capability.files(); files != nullptr && !Spells(capability)) {
    return {
        *MakeFiles(files->mount, files->below.empty() ? files->root : files->root + "/" + files->below, Access::kRead)};
  }
  return {capability};
}

Ceiling::Capped Ceiling::CapByPolicy(const Share& share, const Capability& capability) const {
  std::optional<Capability> best;
  for (const Allowance& allowance : share.rules->allow) {
    std::optional<Capability> part = allowance.Narrow(capability);
    if (part && (!best || part->Covers(*best))) best = std::move(part);
  }
  if (best) return {std::move(best)};
  const std::string list = share.named ? "'allow' of " + plugin_ : "'allow'";
  return {std::nullopt, "ceiling:policy", list + " in " + share.policy->file + " does not have it"};
}

Ceiling::Capped Ceiling::Cap(const Capability& capability) const {
  if (cuts_network_ && (capability.kind() == Kind::kHttp || capability.kind() == Kind::kSockets)) {
    return {std::nullopt, "ceiling:isolation",
            "plugins.isolation.network_enabled is false, and the plugin is isolated"};
  }
  Capped capped = CapByLevel(capability);
  for (const Share& share : shares_) {
    if (!capped.capability) break;
    capped = CapByPolicy(share, *capped.capability);
  }
  return capped;
}

bool Ceiling::Spells(const Capability& capability) const {
  return std::ranges::any_of(shares_, [&](const Share& share) {
    return share.named && std::ranges::any_of(share.rules->allow, [&](const Allowance& allowance) {
             return allowance.Spells() && allowance.Narrow(capability) == capability;
           });
  });
}

Status Ceiling::CheckRunnable() const {
  for (const Share& share : shares_) {
    const std::vector<Digest>& pins = share.rules->artifacts;
    if (pins.empty() || std::ranges::find(pins, artifact_) != pins.end()) continue;
    return Fail(Error(Code::kDenied,
                      share.policy->file + " pins " + plugin_ + " to other bytes than " + artifact_.ToString(),
                      "put the bytes back, or add their digest to 'artifacts' of " + plugin_ + " there")
                    .With("rule", "ceiling:policy"));
  }
  const std::string rule = "ceiling:level-" + std::string(LevelName(level_));
  if (level_ < Level::kStrict) return {};
  const bool pinned = std::ranges::any_of(shares_, [&](const Share& share) {
    return share.named && (std::ranges::find(share.rules->artifacts, artifact_) != share.rules->artifacts.end() ||
                           share.policy->plugins.contains(artifact_.ToString()));
  });
  if (pinned) return {};
  return Fail(Error(Code::kUnenforceable,
                    "level " + std::string(LevelName(level_)) +
                        " runs signed plugins only, and this build verifies no signatures yet",
                    "pin these bytes in policy.yaml in place of a signature: plugins: {" + plugin_ +
                        ": {artifacts: [\"" + artifact_.ToString() + "\"], allow: […]}}")
                  .With("rule", rule));
}

}  // namespace cordon::policy
