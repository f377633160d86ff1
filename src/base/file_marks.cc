#include "base/file_marks.h"

#include <sys/stat.h>

namespace cordon {

FileMarks::Mark FileMarks::Look(const std::filesystem::path& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0) return {};
  const auto ns = [](const timespec& time) { return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec; };
  return {st.st_dev, st.st_ino, static_cast<std::uint64_t>(st.st_size), ns(st.st_mtim), ns(st.st_ctim)};
}

void FileMarks::Add(const std::filesystem::path& path) {
  if (!marks_.contains(path)) marks_.emplace(path, Look(path));
}

std::vector<std::filesystem::path> FileMarks::Differing(const FileMarks& other) const {
  std::vector<std::filesystem::path> paths;
  for (const auto& [path, mark] : marks_) {
    const auto found = other.marks_.find(path);
    if (found == other.marks_.end() || found->second != mark) paths.push_back(path);
  }
  return paths;
}

FileMarks FileMarks::Again() const {
  FileMarks now;
  for (const auto& [path, _] : marks_) now.marks_.emplace(path, Look(path));
  return now;
}

}  // namespace cordon
