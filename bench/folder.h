// A temporary folder of one row.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace cordon::bench {

// Gone with this. The path is empty when none could be made.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "cordon-bench-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace cordon::bench
