// How the calls of a plugin share instances of it, and what keeps one alive that stays: `runtime.instance` and
// `lifecycle` of plugin.yaml. Values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace cordon::manifest {

class Fields;
class Findings;

// As the format names them, in its order.
enum class InstancePolicy : std::uint8_t {
  kPerCall,
  kPooled,    // calls reuse instances
  kResident,  // all calls go to one, one after another
};
std::string_view InstancePolicyName(InstancePolicy policy);

// When an instance that ended is made anew. kOnFailure: when it failed, and not when the guest left with status 0.
enum class RestartPolicy : std::uint8_t { kNever, kOnFailure, kAlways };

// What stands in for an answer when the resident has failed. kOpen: of hooks, none, as if the plugin were not there.
enum class Degradation : std::uint8_t { kClosed, kOpen, kLastGood };

struct Lifecycle {
  struct Liveness {
    Duration every{std::chrono::seconds(10)};
    Duration timeout{std::chrono::seconds(1)};
  };
  RestartPolicy restart = RestartPolicy::kOnFailure;
  std::optional<Liveness> liveness;
  Degradation on_failure = Degradation::kClosed;
  Duration drain{std::chrono::seconds(5)};
  std::optional<Duration> snapshot;  // how often
};

// Bounds of the format.
inline constexpr Duration kProbeEveryMin = std::chrono::milliseconds(100), kProbeEveryMax = std::chrono::hours(1);
inline constexpr Duration kProbeTimeoutMax = std::chrono::seconds(10);
inline constexpr Duration kDrainMax = std::chrono::seconds(60);
inline constexpr Duration kSnapshotEveryMin = std::chrono::milliseconds(100);
inline constexpr Duration kSnapshotEveryMax = std::chrono::hours(24);

// The keys of `lifecycle`. E_RANGE, E_TYPE, E_MISSING.
Lifecycle ReadLifecycle(Findings& findings, const Fields& fields);

}  // namespace cordon::manifest
