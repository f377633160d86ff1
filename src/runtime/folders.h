// The folders that a plugin sees: resolved, checked and opened once, when it is loaded. From then on the descriptor
// counts: a path that is renamed or replaced later changes nothing.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "cordon/result.h"
#include "policy/capability.h"

namespace cordon::runtime {

struct OpenFolder {
  UniqueFd fd;
  std::string guest_path;
  std::filesystem::path host_path;
  policy::Access access = policy::Access::kRead;
};

struct FolderMap {
  std::map<std::string, std::filesystem::path> roots;   // name → host folder, for all mounts of that root
  std::map<std::string, std::filesystem::path> mounts;  // guest path → host folder: --mount, stronger than a root
};

// One for each granted scope. E_MISSING for a root that nothing maps, E_NOT_FOUND, E_IO, E_GRANT_FORBIDDEN, E_OVERLAP.
Result<std::vector<OpenFolder>> OpenFolders(std::span<const policy::FilesScope> scopes, const FolderMap& map,
                                            std::span<const std::filesystem::path> forbidden);

}  // namespace cordon::runtime
