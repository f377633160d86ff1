#include "runtime/find_plugins.h"

#include <algorithm>

#include "manifest/manifest.h"

namespace cordon::runtime {

namespace fs = std::filesystem;

std::vector<fs::path> FindPlugins(std::span<const fs::path> folders) {
  constexpr int kDepthMax = 2;  // FOLDER/acme/linkcheck
  std::vector<fs::path> found;
  for (const fs::path& folder : folders) {
    std::error_code error;
    fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error), end;
    for (; !error && at != end && found.size() < kFoundMax; at.increment(error)) {
      if (at.depth() >= kDepthMax) at.disable_recursion_pending();
      if (at->path().filename() == manifest::kManifestFile) found.push_back(at->path());
    }
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace cordon::runtime
