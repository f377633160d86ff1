// What an operator gave: one grant, and the set that belongs to one plugin's exact bytes. docs/formats/grants.md has
// the text forms. Values; pure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/units.h"
#include "policy/capability.h"
#include "policy/grant_limits.h"
#include "policy/kind_set.h"
#include "policy/level.h"
#include "policy/roots.h"

namespace cordon::policy {

enum class Lifetime : std::uint8_t { kPermanent, kSession /* this run only, never on disk */ };

// `fs:read:/data=workspace/data`, `env:TOKEN; session`, `http:GET:https://a.example/*; uses=3`. A limit that nothing
// would hold the plugin to is E_UNENFORCEABLE: a restriction is never accepted in silence.
struct Grant {
  Capability capability;
  Lifetime lifetime = Lifetime::kPermanent;
  std::optional<Bytes> quota{};  // of a bucket: `kv:write:cache; quota=10MiB`
  // Of `call:…; pass=http,storage`: what the plugin that is called may use of its own rights meanwhile.
  std::optional<KindSet> pass{};
  GrantLimits limits{};
  // Where it comes from: what was used of a grant on disk stays used in the next run.
  LimitedGrant::Keep keep = LimitedGrant::Keep::kRun;

  // Errors of Capability::Parse and ReadLimit; E_GRANT_TOO_WIDE at `level`; E_INVALID for a quota of what is not
  // storage.
  static Result<Grant> Parse(std::string_view text, Level level = Level::kDefault);
  std::string ToString() const;
  friend bool operator==(const Grant&, const Grant&) = default;
};

// The kinds that are on unless they are withdrawn: clock, random, stdio, log.
bool OnByDefault(Kind kind);

// The file that a grant of `exec` runs, and no other: written down when it was granted.
struct ProgramPin {
  std::filesystem::path path;  // canonical
  FileId id;
  Digest digest;
  friend bool operator==(const ProgramPin&, const ProgramPin&) = default;
};

// Everything granted to one plugin.
struct GrantSet {
  std::string plugin;                                  // "acme/linkcheck"
  Digest artifact;                                     // of the .wasm file
  Digest manifest;                                     // of the canonical manifest; zero for a bare .wasm
  std::string publisher;                               // "" while nothing is signed
  std::map<std::string, std::filesystem::path> roots;  // name → host folder, absolute
  std::map<std::string, ProgramPin> programs;          // name in `exec:NAME …` → file
  std::vector<Grant> granted;
  std::vector<Kind> denied;  // defaults that are withdrawn: `deny: [clock]`
  std::string by;            // who granted
  std::string at;            // when, RFC 3339 UTC
  friend bool operator==(const GrantSet&, const GrantSet&) = default;
};

}  // namespace cordon::policy
