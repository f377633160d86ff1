// Which host folders an operator may map a root to, and which folders may be granted side by side. Pure: the caller has
// resolved every path and opened every folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/capability.h"

namespace cordon::policy {

// `[a-z][a-z0-9-]{0,63}`, or E_NAME.
Status CheckRootName(std::string_view name);

// The text of a mapping before it is resolved: `~`, `$HOME`, a `..` segment, a control character are E_GRANT_FORBIDDEN.
Status CheckRootText(std::string_view name, std::string_view text);

// The resolved folder of a mapping. E_GRANT_FORBIDDEN for `/`, the kernel's trees (/proc, /sys, /dev), a folder in
// `forbidden` (our state, configuration, cache and plugin folders), anything beneath or above one of those, and
// `home` or above. `home` may be empty. REQUIRES: every path is canonical.
Status CheckRoot(std::string_view name, const std::filesystem::path& canonical_host_path,
                 std::span<const std::filesystem::path> forbidden, const std::filesystem::path& home);

struct FileId {
  std::uint64_t device = 0, inode = 0;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};

// A folder that is about to be preopened.
struct ResolvedMount {
  std::string mount;           // "/data"
  std::filesystem::path host;  // canonical
  FileId id;
  std::vector<FileId> ancestors;  // of `host`, nearest first, up to "/"; finds bind mounts that paths do not show
  Access access = Access::kRead;
};

// E_OVERLAP when two folders with different access are one, or one holds the other.
Status CheckOverlap(std::span<const ResolvedMount> mounts);

}  // namespace cordon::policy
