// The cap that policy and security level put on every grant. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/capability.h"

namespace cordon::policy {

enum class Level : std::uint8_t { kRelaxed, kDefault, kStrict, kParanoid };
std::string_view LevelName(Level level);
// E_TYPE for another word. That a level can be enforced is for Ceiling::For to say.
Result<Level> ParseLevel(std::string_view text);

// What a level lets be granted. Only `default` can be enforced by this build.
class Ceiling {
 public:
  // E_UNENFORCEABLE for a level whose rules this build cannot hold to.
  static Result<Ceiling> For(Level level);
  static Ceiling Default() { return Ceiling(Level::kDefault); }

  Level level() const { return level_; }
  // What the embedding program offers, by name: a request for anything else of the kind `host` is unenforceable.
  void Offer(std::vector<std::string> host_names) { offered_ = std::move(host_names); }
  // Whether somebody holds a plugin to this capability.
  bool Holds(const Capability& capability) const;
  // "ceiling:level-default": the rule that decides where this ceiling does.
  std::string rule() const;
  // E_GRANT_TOO_WIDE for what no grant may say at this level: any host, a wildcard over a public suffix, an address
  // that answers with credentials, every action of every plugin.
  Status Check(const Capability& capability) const;

 private:
  explicit Ceiling(Level level) : level_(level) {}
  Level level_;
  std::vector<std::string> offered_;
};

}  // namespace cordon::policy
