#include "isolation/pids_group.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>

namespace cordon::isolation {
namespace {

namespace fs = std::filesystem;

constexpr int kRemoveTries = 50;
constexpr useconds_t kRemoveWaitUs = 10'000;

// Of this process, in the hierarchy that counts processes: "8:pids:/path" of version 1, "0::/path" of version 2.
fs::path OwnGroup() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string path = line.substr(second + 1), controllers = line.substr(first + 1, second - first - 1);
    if (controllers == "pids") return "/sys/fs/cgroup/pids" + path;
    if (controllers.empty() && fs::exists("/sys/fs/cgroup/cgroup.controllers")) return "/sys/fs/cgroup" + path;
  }
  return {};
}

bool Put(const fs::path& file, const std::string& text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

std::unique_ptr<PidsGroup> PidsGroup::Make(std::uint32_t processes_max) {
  const fs::path parent = OwnGroup();
  std::uint64_t random = 0;
  if (parent.empty() || ::getrandom(&random, sizeof random, 0) != sizeof random) return nullptr;
  const fs::path folder = parent / ("cordon-" + std::to_string(::getpid()) + "-" + std::to_string(random));
  if (::mkdir(folder.c_str(), 0755) != 0) return nullptr;
  // Of version 1. A thread that moves itself alone waits for nobody; a process waits until every processor was idle
  // once, which can be seconds.
  UniqueFd entry(::open((folder / "tasks").c_str(), O_WRONLY | O_CLOEXEC));
  if (!entry) entry = UniqueFd(::open((folder / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  const bool is_set = entry && Put(folder / "pids.max", std::to_string(processes_max));
  std::unique_ptr<PidsGroup> made(new PidsGroup(folder, std::move(entry)));
  if (!is_set) return nullptr;
  return made;
}

PidsGroup::~PidsGroup() {
  entry_.Reset();
  // The last of its processes may still be going.
  for (int left = kRemoveTries; ::rmdir(folder_.c_str()) != 0 && left > 0; --left) ::usleep(kRemoveWaitUs);
}

}  // namespace cordon::isolation
