// The worker's side: one plugin's code, one call at a time, and nothing else. It has no authority: whatever a guest
// asks for goes to the host as a message.
#pragma once

#include <cstdint>

#include "worker/keeper_protocol.h"

namespace cordon::worker {

// What the process was made in.
struct Surroundings {
  int namespaces = 0;      // CLONE_NEW*
  bool in_groups = false;  // those that it was given
};

// Runs in the worker's process from its first moment, on kDoorFd and the descriptors that follow. Loads the code, gives
// up what it can, says so, and answers frames until the host is gone.
[[noreturn]] void Serve(const SpawnRequest& request, Surroundings around);

}  // namespace cordon::worker
