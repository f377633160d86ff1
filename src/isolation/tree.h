// What a process and all that it started use together. Linux's /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/units.h"

namespace cordon::isolation {

struct TreeUse {
  std::uint32_t processes = 0;
  std::uint64_t memory_bytes = 0;  // anonymous and shared memory; what is mapped of files is the system's
  Duration cpu{0};                 // of those that live, and of their children that ended
};

// Whether the kernel says who is whose child.
bool CanMeasureTrees();

// All that descend from `root`, without it: no more than so many.
std::vector<pid_t> DescendantsOf(pid_t root, std::size_t max);

// `root` counts too. Counts no further than `processes_max`.
TreeUse MeasureTree(pid_t root, std::uint32_t processes_max);

}  // namespace cordon::isolation
