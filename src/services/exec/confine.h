// What a program that a plugin runs can reach of the file system: Landlock, without which nothing is run.
#pragma once

#include <filesystem>
#include <span>

#include "base/unique_fd.h"
#include "cordon/result.h"
#include "services/exec/program.h"

namespace cordon::services {

// A folder that a plugin was granted, as its programs see it.
struct ExecFolder {
  std::string guest_path;           // "/data"
  std::filesystem::path host_path;  // canonical
  UniqueFd fd;
  policy::Access access = policy::Access::kRead;
};

// The rules that a process takes on before it becomes the program: it executes `programs` alone, reads the system's
// libraries and settings, and has the folders as the plugin has them. E_UNAVAILABLE where the kernel has no Landlock.
Result<UniqueFd> MakeRules(std::span<const Program* const> programs, std::span<const ExecFolder> folders);

}  // namespace cordon::services
