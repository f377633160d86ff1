#include "groups/places.h"

#include <algorithm>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

#include "base/file.h"

namespace cordon::groups {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTextMax = 1 << 20;

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, at)) parts.emplace_back(part.begin(), part.end());
  if (parts.empty()) parts.emplace_back();
  return parts;
}

struct Mount {
  fs::path root, point;  // what of the hierarchy is mounted, and where
  bool is_second = false;
  std::vector<std::string_view> controllers;
};

// "36 31 0:35 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory", with tags before the hyphen.
std::optional<Mount> Read(std::string_view line) {
  const std::vector<std::string_view> words = Split(line, ' ');
  const auto hyphen = std::ranges::find(words, "-");
  if (words.size() < 6 || words.end() - hyphen < 4) return std::nullopt;
  Mount mount{fs::path(words[3]), fs::path(words[4]), hyphen[1] == "cgroup2", Split(hyphen[3], ',')};
  if (!mount.is_second && hyphen[1] != "cgroup") return std::nullopt;
  return mount;
}

// The folder of a group within a mount; a part of the tree that is not mounted has none.
fs::path Within(const Mount& mount, std::string_view group) {
  const fs::path inside = fs::path(group).lexically_relative(mount.root);
  if (inside.empty() || *inside.begin() == "..") return {};
  return inside == "." ? mount.point : mount.point / inside;
}

}  // namespace

Places PlacesIn(std::string_view groups, std::string_view mounts) {
  std::vector<Mount> all;
  for (const std::string_view line : Split(mounts, '\n')) {
    if (auto mount = Read(line)) all.push_back(std::move(*mount));
  }
  Places places;
  for (const std::string_view line : Split(groups, '\n')) {  // "4:memory:/path", or "0::/path" of version 2
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::vector<std::string_view> controllers = Split(line.substr(first + 1, second - first - 1), ',');
    const std::string_view group = line.substr(second + 1);
    const auto folder = [&](std::string_view controller) -> fs::path {
      for (const Mount& mount : all) {
        const bool has = std::ranges::find(mount.controllers, controller) != mount.controllers.end();
        const bool is_it = controller.empty() ? mount.is_second : !mount.is_second && has;
        if (is_it) return Within(mount, group);
      }
      return {};
    };
    for (const std::string_view controller : controllers) {
      if (controller == "memory") places.memory = folder(controller);
      if (controller == "pids") places.processes = folder(controller);
      if (controller == "cpu") places.processors = folder(controller);
      if (controller.empty()) places.own = folder(controller);
    }
  }
  const bool is_first = !places.memory.empty() || !places.processes.empty() || !places.processors.empty();
  if (is_first) {
    places.version = Version::kOne;
  } else if (!places.own.empty()) {
    places.version = Version::kTwo;
  }
  return places;
}

Places FindPlaces() {
  const Result<std::string> groups = ReadFile("/proc/self/cgroup", kTextMax);
  const Result<std::string> mounts = ReadFile("/proc/self/mountinfo", kTextMax);
  if (!groups || !mounts) return {};
  return PlacesIn(*groups, *mounts);
}

}  // namespace cordon::groups
