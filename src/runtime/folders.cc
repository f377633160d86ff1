#include "runtime/folders.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "policy/roots.h"

namespace cordon::runtime {
namespace {

namespace fs = std::filesystem;

// The operator's home, from the password database: an environment variable is the caller's word.
fs::path Home() {
  struct passwd entry{};
  struct passwd* found = nullptr;
  std::string buffer(16 << 10, '\0');
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  std::error_code error;
  const fs::path home = fs::canonical(found->pw_dir, error);
  return error ? fs::path() : home;
}

std::unexpected<Error> FailOpen(const policy::FilesScope& scope, const fs::path& path, int error) {
  const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kIo;
  return Fail(code, "cannot open " + path.string() + " for the mount " + scope.mount + ": " + ErrnoText(error),
              "name a folder that exists, with --root " + scope.root + "=PATH");
}

// The folder that a scope's root, or the mount itself, is mapped to.
Result<fs::path> Mapped(const policy::FilesScope& scope, const FolderMap& map) {
  if (auto mount = map.mounts.find(scope.mount); mount != map.mounts.end()) return mount->second;
  if (auto root = map.roots.find(scope.root); root != map.roots.end()) return root->second;
  return Fail(Error(Code::kMissing,
                    "the root '" + scope.root + "' of the mount " + scope.mount + " is not mapped to a folder",
                    "add --root " + scope.root + "=PATH")
                  .With("root", scope.root));
}

UniqueFd OpenFolderAt(int dir, const char* path, std::uint64_t resolve) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | resolve;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, dir, path, &how, sizeof how)));
}

policy::FileId IdOf(const struct stat& st) { return {st.st_dev, st.st_ino}; }

policy::ResolvedMount Resolve(const OpenFolder& folder) {
  policy::ResolvedMount mount{
      .mount = folder.guest_path, .host = folder.host_path, .id = {}, .ancestors = {}, .access = folder.access};
  struct stat st{};
  if (::fstat(folder.fd.get(), &st) == 0) mount.id = IdOf(st);
  for (fs::path above = folder.host_path; above.has_relative_path();) {
    above = above.parent_path();
    if (::stat(above.c_str(), &st) == 0) mount.ancestors.push_back(IdOf(st));
  }
  return mount;
}

Result<OpenFolder> Open(const policy::FilesScope& scope, const FolderMap& map, std::span<const fs::path> forbidden,
                        const fs::path& home) {
  CORDON_ASSIGN(const fs::path mapped, Mapped(scope, map));
  CORDON_TRY(policy::CheckRootText(scope.root, mapped.string()));
  std::error_code error;
  const fs::path canonical = fs::canonical(mapped, error);
  if (error) return FailOpen(scope, mapped, error.value());
  CORDON_TRY(policy::CheckRoot(scope.root, canonical, forbidden, home));
  // A canonical path has no links; one that has them by now is another path than the one that was checked.
  UniqueFd fd = OpenFolderAt(AT_FDCWD, canonical.c_str(), 0);
  if (!fd) return FailOpen(scope, canonical, errno);
  const bool direct = map.mounts.contains(scope.mount);
  if (!scope.below.empty() && !direct) {
    UniqueFd below = OpenFolderAt(fd.get(), scope.below.c_str(), RESOLVE_BENEATH);
    if (!below) return FailOpen(scope, canonical / scope.below, errno);
    fd = std::move(below);
  }
  const fs::path host = direct || scope.below.empty() ? canonical : canonical / scope.below;
  return OpenFolder{std::move(fd), scope.mount, host, scope.access};
}

}  // namespace

Result<std::vector<OpenFolder>> OpenFolders(std::span<const policy::FilesScope> scopes, const FolderMap& map,
                                            std::span<const fs::path> forbidden) {
  std::vector<OpenFolder> folders;
  std::vector<policy::ResolvedMount> resolved;
  const fs::path home = scopes.empty() ? fs::path() : Home();
  for (const policy::FilesScope& scope : scopes) {
    CORDON_ASSIGN(OpenFolder folder, Open(scope, map, forbidden, home));
    resolved.push_back(Resolve(folder));
    folders.push_back(std::move(folder));
  }
  CORDON_TRY(policy::CheckOverlap(resolved));
  return folders;
}

}  // namespace cordon::runtime
