// Descriptors that go to another process by a socket of AF_UNIX, with one byte of no meaning (unix(7), SCM_RIGHTS).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/unique_fd.h"

namespace cordon {

inline constexpr std::size_t kPassedFdsMax = 8;

// False when there are too many, or nobody can get them.
bool PassFds(int socket, std::span<const int> fds);
// All `count` of them, or none: what came was something else. Waits, unless `flags` has MSG_DONTWAIT.
std::vector<UniqueFd> ReceiveFds(int socket, std::size_t count, int flags = 0);

}  // namespace cordon
