// How much of what plugins do is in the audit; a row of the security levels.
#pragma once

#include <cstdint>

namespace cordon::policy {

// Each has what the one before it has. Calls that fail are recorded with each of them.
enum class AuditDetail : std::uint8_t {
  kDecisions,  // what was allowed and denied
  kCalls,      // and every call; many in a second are counted together
  kDigests,    // and a record for each call, with the digests of its input and output
  kHostCalls,  // and everything that a guest asks the host for, before it is answered
};

}  // namespace cordon::policy
