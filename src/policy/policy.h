// The operator's policy: what any grant may at most be. It narrows and never gives. docs/formats/policy.md has the
// file, manifest/policy_file.h reads it. Values; pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "policy/capability.h"
#include "policy/level.h"
#include "policy/risk.h"

namespace cordon::policy {

// One entry of an allowlist: a kind (`storage`), or a capability (`http:GET:https://*.example.com/*`), whose mount may
// be any (`fs:read:*=workspace/docs`).
class Allowance {
 public:
  // Errors of Capability::Parse.
  static Result<Allowance> Parse(std::string_view text);
  // The part of `capability` that this entry covers; nothing when it covers none of it.
  std::optional<Capability> Narrow(const Capability& capability) const;
  // Whether this entry names what it covers, in place of a whole kind.
  bool Spells() const { return capability_.has_value(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  Kind kind_ = Kind::kFiles;
  std::optional<Capability> capability_;  // nothing: all of the kind
  bool any_mount_ = false;
};

// What a policy says of one plugin, or of all that it does not name. Absent and empty `allow` both allow nothing.
struct PolicyRules {
  Level level = Level::kRelaxed;  // at least this strict
  std::optional<RiskLevel> risk;  // not above this
  std::vector<Allowance> allow;
  std::vector<Digest> artifacts;  // these bytes alone; empty: any
};

struct Policy {
  std::string file;  // for messages
  PolicyRules others;
  std::map<std::string, PolicyRules, std::less<>> plugins;  // by full name, or by "sha256:…" of the artifact

  // The rules for one plugin, and whether it is named.
  struct Found {
    const PolicyRules* rules;
    bool named;
  };
  Found Find(std::string_view plugin, const Digest& artifact) const;
};

}  // namespace cordon::policy
