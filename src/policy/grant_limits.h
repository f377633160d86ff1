// What ends a grant before anybody takes it back. docs/formats/grants.md has the text forms. Values; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "base/units.h"
#include "policy/capability.h"

namespace cordon::policy {

// `until=2026-12-01T00:00:00Z; uses=3; rate=60/min; bytes=10MiB`. A use is one question that the guard says yes to;
// `once` is one of them. Bytes go both ways together.
struct GrantLimits {
  std::optional<Timestamp> until{};
  std::optional<std::uint64_t> uses{};
  std::optional<Rate> rate{};
  std::optional<Bytes> bytes{};

  bool any() const { return until || counted(); }
  bool counted() const { return uses || rate || bytes; }
  bool HasEnded(Timestamp now) const { return until && *until <= now; }
  // "; until=…; once", or nothing.
  std::string ToString() const;
  friend bool operator==(const GrantLimits&, const GrantLimits&) = default;
};

// Whether the guard is asked each time that a capability of this kind is used. The others are given to an instance when
// it is made.
bool AskedEachTime(Kind kind);
// Whether somebody counts the bytes that go by a capability of this kind.
bool BytesCounted(Kind kind);

// Reads one option into `limits`; false: it is none of these. E_SYNTAX, E_TYPE, E_RANGE; E_INVALID when it stands
// twice; E_UNENFORCEABLE for a kind that nothing would hold to it.
Result<bool> ReadLimit(std::string_view option, Kind kind, GrantLimits& limits);

// A grant that has limits, as far as who counts has to know it.
struct LimitedGrant {
  std::string text;  // canonical, limits included
  GrantLimits limits;
  enum class Keep : std::uint8_t { kRun, kDisk /* what was used stays used in the next run */ } keep = Keep::kRun;
  friend bool operator==(const LimitedGrant&, const LimitedGrant&) = default;
};

}  // namespace cordon::policy
