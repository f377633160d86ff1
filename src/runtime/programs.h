// The programs of a plugin's `exec` grants: found, opened and held against what was granted, once, when it is loaded.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>

#include "policy/authority.h"
#include "runtime/folders.h"
#include "services/exec/service.h"

namespace cordon::runtime {

struct ProgramMap {
  std::map<std::string, std::filesystem::path> named;           // --program: stronger than a pin
  std::map<std::string, policy::ProgramPin, std::less<>> pins;  // of the grants on disk
  std::set<std::string, std::less<>> session;                   // granted for this load alone: may be looked for
};

// What is effective, each with its file or the reason why it has none. E_CHANGED, E_NOT_FOUND, E_MISSING, E_INVALID
// when a required permission has none; E_GRANT_TOO_WIDE when a name stands for a launcher that its grant does not spell
// out.
Result<services::ExecOptions> OpenPrograms(const policy::Authority& authority, const ProgramMap& map,
                                           std::span<const OpenFolder> folders);

}  // namespace cordon::runtime
