#include "isolation/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace cordon::isolation {
namespace {

constexpr std::size_t kFileBytesMax = 64 << 10;

// Empty when the process is gone.
std::string ReadSmall(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char block[4096];
  while (fd && text.size() < kFileBytesMax) {
    const ssize_t got = ::read(fd.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(block, static_cast<std::size_t>(got));
  }
  return text;
}

std::uint64_t NumberAt(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::uint64_t KibAfter(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  return at == status.npos ? 0 : NumberAt(status.substr(at + name.size()));
}

// utime, stime, cutime, cstime: the twelfth to the fifteenth after the name, which may hold anything.
std::uint64_t TicksOf(std::string_view stat) {
  const std::size_t close = stat.rfind(')');
  if (close == stat.npos) return 0;
  stat.remove_prefix(close + 1);
  std::uint64_t ticks = 0;
  for (int field = 0; field < 15 && !stat.empty(); ++field) {
    stat.remove_prefix(std::min(stat.find_first_not_of(' '), stat.size()));
    if (field >= 11) ticks += NumberAt(stat);
    stat.remove_prefix(std::min(stat.find(' '), stat.size()));
  }
  return ticks;
}

void AddChildren(const std::string& process, std::vector<pid_t>& out) {
  DIR* const tasks = ::opendir((process + "/task").c_str());
  if (tasks == nullptr) return;
  while (const dirent* const task = ::readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    const std::string text = ReadSmall(process + "/task/" + task->d_name + "/children");
    for (std::string_view rest = text; !rest.empty();) {
      if (const std::uint64_t pid = NumberAt(rest); pid != 0) out.push_back(static_cast<pid_t>(pid));
      rest.remove_prefix(std::min(rest.find(' '), rest.size() - 1) + 1);
    }
  }
  ::closedir(tasks);
}

}  // namespace

bool CanMeasureTrees() { return ::access("/proc/thread-self/children", R_OK) == 0; }

std::vector<pid_t> DescendantsOf(pid_t root, std::size_t max) {
  std::vector<pid_t> found;
  AddChildren("/proc/" + std::to_string(root), found);
  for (std::size_t at = 0; at < found.size() && found.size() < max; ++at) {
    AddChildren("/proc/" + std::to_string(found[at]), found);
  }
  return found;
}

TreeUse MeasureTree(pid_t root, std::uint32_t processes_max) {
  const auto tick = std::chrono::nanoseconds(1'000'000'000 / std::max<long>(::sysconf(_SC_CLK_TCK), 1));
  TreeUse use;
  std::vector<pid_t> left = {root};
  while (!left.empty() && use.processes < processes_max) {
    const std::string process = "/proc/" + std::to_string(left.back());
    left.pop_back();
    const std::string stat = ReadSmall(process + "/stat");
    if (stat.empty()) continue;
    ++use.processes;
    use.cpu += static_cast<std::int64_t>(TicksOf(stat)) * tick;
    const std::string status = ReadSmall(process + "/status");
    use.memory_bytes += (KibAfter(status, "RssAnon:") + KibAfter(status, "RssShmem:")) << 10;
    AddChildren(process, left);
  }
  return use;
}

}  // namespace cordon::isolation
