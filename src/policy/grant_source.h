// Where the grants of a plugin come from. The interface lives here, the stores live above.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "policy/authority.h"
#include "policy/grant.h"

namespace cordon::policy {

// What is about to run.
struct Subject {
  std::string plugin;
  Digest artifact;
  Digest manifest;
  std::span<const Request> requests;  // so that E_CHANGED can name the difference
};

class GrantSource {
 public:
  virtual ~GrantSource() = default;
  // The grants for exactly these bytes; nothing when the plugin was never granted anything; E_CHANGED when it was,
  // for other bytes. Thread-safe.
  virtual Result<std::optional<GrantSet>> Find(const Subject& subject) const = 0;
  // The grants of the plugin, for whichever bytes they are. Thread-safe.
  virtual Result<std::optional<GrantSet>> Latest(std::string_view plugin) const {
    (void)plugin;
    return std::nullopt;
  }
  // Another number whenever Find may answer otherwise, and never 0; 0 of a source that never changes. Cheap, and
  // thread-safe.
  virtual std::uint64_t Version() const { return 0; }
  // For level relaxed: whether a version that ran there before asked for less; the first, and every one that asks for
  // no more, is remembered. A source that remembers nothing sees no updates. Thread-safe.
  virtual Result<bool> Widens(const Subject& subject) const {
    (void)subject;
    return false;
  }
};

// E_CHANGED: which digest differs, what is asked for beyond `granted`, and how to grant again. Details "was", "now",
// and one "grant" for each capability that is new.
Error ChangedError(const GrantSet& granted, const Subject& subject);

}  // namespace cordon::policy
