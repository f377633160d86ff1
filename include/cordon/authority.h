// What a plugin asked for, what it was granted, and what became of each: values to show and to log.
//
// effective = requested (plugin.yaml) ∩ granted (operator) ∩ ceiling (level, config.yaml). Computed once, when a
// plugin is loaded; what is not effective is not linked (docs/guide/authority.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cordon/result.h"

namespace cordon {

enum class RiskLevel : std::uint8_t { kLow, kMedium, kHigh, kCritical };

// From the weakest to the strictest; docs/guide/levels.md says what each of them does.
enum class Level : std::uint8_t { kRelaxed, kDefault, kStrict, kParanoid };

// One permission, or one thing that is on by default. Texts of the manifest are the author's: escape before display.
struct Ruling {
  std::string capability;  // as requested, compact: "fs:read:/data=workspace"
  std::string effective;   // what is left of it, maybe narrower; empty when nothing is
  std::string rule;        // stable: "grant:…", "default-on", "no-grant", "ceiling:…"
  std::string reason;      // the author's
  std::string grant;       // when nothing is effective: the smallest grant that would change it
  bool required = false;
  bool is_default = false;
};

// One import of the binary.
struct ImportRuling {
  enum class State : std::uint8_t { kLinked, kLinkedEmpty, kStub, kNotLinked };
  std::string import;  // "wasi:sockets/tcp@0.2.0": the guest's own words
  std::string type;
  State state = State::kNotLinked;
  std::string rule;
  std::string grant;  // the smallest that would link it, or empty
  std::string message;
};

// The effective authority of one plugin.
struct Authority {
  std::vector<Ruling> rulings;
  std::vector<ImportRuling> imports;
  std::vector<std::string> unused_grants;  // that nothing asked for; worth a warning
  RiskLevel risk = RiskLevel::kLow;
};

enum class Access : std::uint8_t { kRead, kWrite /* read and write */ };

// A host folder that one load is given: the mount is granted and mapped in one.
struct Mount {
  std::filesystem::path host_path;
  std::string guest_path;  // "/data"
  Access access = Access::kRead;
};

}  // namespace cordon
