// The backend that confines native programs: bubblewrap (bwrap), with namespaces for everything, no capability, no
// variable, no descriptor but those that are given, a filter of system calls, and of the file system the machine's
// programs and libraries, read-only, and what is bound.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "isolation/process.h"

namespace cordon::isolation {

inline constexpr const char* kBubblewrap = "/usr/bin/bwrap";

// A folder that the program sees, by its open descriptor: no path is looked up again.
struct Bind {
  int fd = -1;
  std::string inside;
  enum class Access : std::uint8_t { kRead, kWrite } access = Access::kRead;
};

struct Confined {
  std::span<const std::uint8_t> program;  // copied, so that it is these bytes that run
  std::string name = "plugin";            // what it is called
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<Bind> binds;
  std::string directory = "/";
};

// A program that runs, or ran, inside.
class ConfinedProcess {
 public:
  Process& process() { return *process_; }
  // Waits; nothing when it was never started, because the backend failed, which says why on its standard error.
  struct Outcome {
    Ending ending;
    std::optional<int> status;  // the program's own
  };
  Outcome Wait();

 private:
  friend class Bubblewrap;
  std::unique_ptr<Process> process_;
  UniqueFd status_;
};

// Thread-safe.
class Bubblewrap {
 public:
  // Finds it and tries it. E_UNAVAILABLE, which names what is missing: the program, one that others cannot write, what
  // it must know, or the kernel's leave to make user namespaces.
  static Result<Bubblewrap> Find(const std::filesystem::path& path = kBubblewrap);
  // E_IO.
  Result<ConfinedProcess> Start(const Confined& confined, TreeLimits limits) const;

 private:
  explicit Bubblewrap(UniqueFd program) : program_(std::move(program)) {}
  Status Probe(const std::filesystem::path& path) const;
  UniqueFd program_;
};

}  // namespace cordon::isolation
