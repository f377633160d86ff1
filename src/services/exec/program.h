// A program that plugins may be let run: one file, opened once, known by its inode and its digest. Whoever runs it runs
// the open file, so that no path is looked up again.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "policy/grant.h"

namespace cordon::services {

struct Program {
  UniqueFd fd;
  policy::ProgramPin pin;
  std::filesystem::path loader;  // the ELF interpreter that the kernel starts it with; empty when it needs none
  struct stat seen{};            // when its digest was computed

  // Whether the file is still what was hashed: a write to it would show in its times.
  bool Unchanged() const;
};

// Opens and hashes it. E_NOT_FOUND; E_NOT_REGULAR; E_INVALID for what the kernel would hand to an interpreter, or what
// nobody may execute; E_LIMIT beyond 1 GiB.
Result<Program> OpenProgram(const std::filesystem::path& path);

// OpenProgram, then E_CHANGED unless it is the very file of the pin.
Result<Program> OpenPinned(std::string_view name, const policy::ProgramPin& pin);

// Where a program without a path is looked for, whatever the environment says. E_NOT_FOUND.
Result<std::filesystem::path> FindProgram(std::string_view name);

}  // namespace cordon::services
