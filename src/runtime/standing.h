// What became of a plugin's authority since it was loaded: grants that were taken back, and grants whose time is over.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "policy/ceiling.h"
#include "policy/grant_source.h"
#include "services/guard.h"

namespace cordon::runtime {

// Thread-safe. What a guest asks for each time is denied from its next question on. What an instance holds from its
// start (an open file, a socket, a variable) is not asked for again: when something of that kind is gone, the plugin is
// over, and has to be loaded anew.
class PluginStanding final : public services::Standing {
 public:
  // What becomes of it when its grants are written down anew for other bytes of the same plugin. kEnds: it has none.
  // kServesOut: until whoever replaces it has done so, it keeps what both it and the new ones were granted.
  enum class Regranted : std::uint8_t { kEnds, kServesOut };
  // What the authority was computed from.
  struct Basis {
    std::string plugin;
    Digest artifact, manifest;
    std::vector<policy::Request> requests;
    std::vector<policy::Grant> own;        // of this load: flags
    std::optional<policy::GrantSet> kept;  // of `source`, as it was when the plugin was loaded
    std::vector<policy::Kind> withdrawn;   // by the manifest
    policy::Ceiling ceiling = policy::Ceiling::Default();
    policy::LinkMode link = policy::LinkMode::kLenient;
    std::shared_ptr<const policy::GrantSource> source;  // null, or one that does not change: nothing is looked at again
    std::uint64_t version = 0;                          // of the source, before `kept` was read
    policy::Authority authority;                        // what came of it
    Regranted regranted = Regranted::kEnds;
  };
  explicit PluginStanding(Basis basis);

  // Looks at the source at most once in a millisecond.
  const policy::Authority* Now() override;
  // E_DENIED (rule "revoked" or "limit:until") when the plugin is over.
  Status Check();
  // Whether Check could ever fail without a Revoke.
  bool can_end() const { return can_end_; }
  // Takes back what `capability` covers, until the plugin is loaded anew.
  void Revoke(const policy::Capability& capability);
  // The operator's ceiling is this one by now. What is wider than before gives nothing: the plugin was not loaded with
  // it.
  void Restrict(policy::Ceiling ceiling);
  // It is over: `why` is what every later call answers.
  void End(Error why);
  // Whether the source gives the plugin other grants than when it was loaded, or none.
  bool GrantsDiffer();

 private:
  std::optional<policy::GrantSet> FindKept() const;
  bool IsReplaced(const policy::Grant& grant) const;  // REQUIRES: mutex_
  void Look();                                        // REQUIRES: mutex_
  void Recompute();                                   // REQUIRES: mutex_
  void End(std::string rule, const policy::Capability& lost);
  void Over(Error why);  // REQUIRES: mutex_

  const Basis basis_;
  bool can_end_ = false;           // of itself
  std::optional<Timestamp> ends_;  // the first moment at which something is over that nobody asks for again
  std::optional<policy::Capability> ending_;
  std::atomic<std::int64_t> looked_ns_{0};
  std::atomic<const policy::Authority*> now_{nullptr};
  std::atomic<const Error*> over_{nullptr};

  std::mutex mutex_;  // guards what follows
  std::uint64_t version_ = 0;
  policy::Ceiling ceiling_;
  std::optional<policy::GrantSet> kept_;
  std::vector<policy::Capability> revoked_;
  // All that was ever handed out: somebody may be reading it.
  std::vector<std::unique_ptr<const policy::Authority>> authorities_;
  std::unique_ptr<const Error> error_;
};

}  // namespace cordon::runtime
