// What runs between clone and execveat. Nothing here allocates, locks or calls what could: other threads of the host
// may have held any lock when this process was made.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace cordon::services {

// Of the child's own report to the host.
struct ChildReport {
  enum class What : std::uint32_t { kNoNamespace, kNotStarted, kEnded } what = What::kEnded;
  std::int32_t number = 0;  // errno, or the status of wait
};

struct ChildPlan {
  int program = -1, directory = -1, rules = -1;
  int in = -1, out = -1, err = -1;
  int control = -1;      // readable when everything shall end, or the host did
  int control_end = -1;  // the host's end of it
  int report = -1;       // ChildReports
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  enum class Place : std::uint8_t { kUserNamespace, kNamespace, kSubreaper } place = Place::kSubreaper;
  const char* uid_map = nullptr;  // for kUserNamespace
  const char* gid_map = nullptr;
  std::uint64_t cpu_seconds = 0;
};

// The life of the process above the program. REQUIRES: every signal is blocked; descriptors of the plan are above 2.
[[noreturn]] void RunChild(const ChildPlan& plan);

}  // namespace cordon::services
