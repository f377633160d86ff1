// The cap that security level and policy put on every grant. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/audit_detail.h"
#include "policy/capability.h"
#include "policy/level.h"
#include "policy/policy.h"

namespace cordon::policy {

// E_GRANT_TOO_WIDE for what no grant may say at a level: any host, a wildcard over a public suffix, an address that
// answers with credentials; from `strict` on any wildcard in hosts, calls and arguments.
Status CheckWidth(const Capability& capability, Level level);

// Who put the lid on the risk, and at what.
struct RiskCap {
  RiskLevel risk = RiskLevel::kCritical;
  std::string file;
};

// For one plugin.
class Ceiling {
 public:
  // The level is the strictest of `level` and what the policies say of the plugin. Every policy holds.
  static Ceiling For(Level level, std::vector<std::shared_ptr<const Policy>> policies, std::string_view plugin,
                     const Digest& artifact);
  static Ceiling At(Level level) { return Ceiling(level); }
  static Ceiling Default() { return Ceiling(Level::kDefault); }

  Level level() const { return level_; }
  // At level relaxed requests are granted as they stand, until an update of the plugin asks for more.
  bool GrantsRequests() const { return level_ == Level::kRelaxed && !widened_; }
  void Widened() { widened_ = true; }
  // What the embedding program offers, by name: a request for anything else of the kind `host` is unenforceable.
  void Offer(std::vector<std::string> host_names) { offered_ = std::move(host_names); }
  // No capability of the network is granted: rule "ceiling:isolation".
  void CutNetwork() { cuts_network_ = true; }
  // Whether somebody holds a plugin to this capability.
  bool Holds(const Capability& capability) const;

  // The widest part of a capability that may be granted. Rules: "ceiling:level-LEVEL", "ceiling:policy".
  struct Capped {
    std::optional<Capability> capability;
    std::string rule{};  // when there is none
    std::string why{};   // "level strict …"
  };
  Capped Cap(const Capability& capability) const;
  // Whether a policy writes this very capability out for the plugin, and not only its kind: writing at level paranoid
  // needs that.
  bool Spells(const Capability& capability) const;
  std::optional<RiskCap> risk() const { return risk_; }
  AuditDetail audit() const { return static_cast<AuditDetail>(level_); }

  // E_UNENFORCEABLE when a row of the level is beyond this build, E_DENIED when a policy pins other bytes.
  Status CheckRunnable() const;

 private:
  // What one policy says of the plugin.
  struct Share {
    std::shared_ptr<const Policy> policy;
    const PolicyRules* rules;
    bool named;
  };
  explicit Ceiling(Level level) : level_(level) {}
  Capped CapByLevel(const Capability& capability) const;
  Capped CapByPolicy(const Share& share, const Capability& capability) const;
  Capped Refused(std::string why) const;

  Level level_;
  bool widened_ = false;
  bool cuts_network_ = false;
  std::vector<Share> shares_;
  std::vector<std::string> offered_;
  std::optional<RiskCap> risk_;
  std::string plugin_;
  Digest artifact_;
};

}  // namespace cordon::policy
