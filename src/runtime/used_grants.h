// The smallest set of grants that would have allowed what a recorded call did.
#pragma once

#include <span>
#include <vector>

#include "audit/observer.h"
#include "policy/capability.h"
#include "runtime/plugin.h"
#include "runtime/recording.h"

namespace cordon::runtime {

// `decisions`: those of the guard during the call. What is on by default needs no grant; what a manifest requires is
// needed to load, used or not. Sorted; none covers another.
std::vector<policy::Capability> UsedGrants(const Plugin& plugin, const std::vector<audit::Record>& decisions,
                                           std::span<const HostExchange> exchanges);

}  // namespace cordon::runtime
