// What a process has: children, descriptors, threads, mappings, memory.
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace processes {

// Parent of a process; 0 when it is gone.
inline pid_t ParentOf(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text, '\0');  // which does not throw when the process goes meanwhile
  const std::size_t end = text.rfind(')');
  if (end == text.npos) return 0;
  std::istringstream rest(text.substr(end + 1));
  std::string state;
  pid_t parent = 0;
  rest >> state >> parent;
  return state == "Z" ? 0 : parent;
}

// Processes that a process has made, and that live.
inline std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> found;
  DIR* folder = ::opendir("/proc");
  while (const dirent* entry = ::readdir(folder)) {
    const pid_t process = std::atoi(entry->d_name);
    if (process > 0 && ParentOf(process) == parent) found.push_back(process);
  }
  ::closedir(folder);
  return found;
}
inline std::vector<pid_t> Keepers(pid_t host = ::getpid()) { return ChildrenOf(host); }
inline std::vector<pid_t> Workers(pid_t host = ::getpid()) {
  std::vector<pid_t> found;
  for (const pid_t keeper : Keepers(host)) {
    const std::vector<pid_t> children = ChildrenOf(keeper);
    found.insert(found.end(), children.begin(), children.end());
  }
  return found;
}

// What they are and where in the kernel they wait, for the text of a failure.
inline std::string Named(const std::vector<pid_t>& processes) {
  std::string text;
  for (const pid_t process : processes) {
    for (const char* file : {"comm", "wchan", "stat"}) {
      std::ifstream in("/proc/" + std::to_string(process) + "/" + file);
      text += std::string(std::istreambuf_iterator<char>(in), {}) + " ";
    }
  }
  return text;
}

inline int CountIn(const char* folder) {
  int count = 0;
  DIR* open = ::opendir(folder);
  while (::readdir(open) != nullptr) ++count;
  ::closedir(open);
  return count;
}

inline int Mappings() {
  std::ifstream maps("/proc/self/maps");
  return static_cast<int>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
}

inline long ResidentKiB() {
  std::ifstream statm("/proc/self/statm");
  long size = 0, resident = 0;
  statm >> size >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

template <typename F>
bool Soon(F holds) {
  for (int i = 0; i < 1000; ++i) {
    if (holds()) return true;
    ::usleep(10'000);
  }
  return false;
}

}  // namespace processes
