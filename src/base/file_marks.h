// How files look from outside, so that a change of them is seen without reading them. A value type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

namespace cordon {

class FileMarks {
 public:
  // Looks at it now; one that is known is left as it is. Links are followed. A file that is not there is known as such.
  void Add(const std::filesystem::path& path);
  // The same files as they are now.
  FileMarks Again() const;
  // The files that are otherwise there.
  std::vector<std::filesystem::path> Differing(const FileMarks& other) const;
  bool empty() const { return marks_.empty(); }
  friend bool operator==(const FileMarks&, const FileMarks&) = default;

 private:
  struct Mark {
    std::uint64_t device = 0, inode = 0, size = 0;  // all 0: not there
    std::int64_t modified_ns = 0, changed_ns = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  static Mark Look(const std::filesystem::path& path);
  std::map<std::filesystem::path, Mark> marks_;
};

}  // namespace cordon
