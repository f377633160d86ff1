#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/unique_fd.h"
#include "manifest/manifest.h"

namespace cordon::manifest {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kManifestBytesMax = 256 << 10;
constexpr std::size_t kDigestFileBytesMax = 4 << 10;

std::unexpected<Error> FailOpen(const std::string& path, int error) {
  if (error == ELOOP || error == ENOTDIR) {
    return Fail(Code::kNotRegular, path + " is reached through a symbolic link, or is no file",
                "put the file itself into the plugin's folder");
  }
  return Fail(error == ENOENT ? Code::kNotFound : Code::kIo, "cannot read " + path + ": " + ErrnoText(error));
}

// Opens `path` below `folder` one segment at a time, so that no symbolic link leads out of it.
// REQUIRES: `path` came out of ParseFolderPath.
Result<UniqueFd> OpenBeneath(const fs::path& folder, const std::string& path) {
  UniqueFd at(::open(folder.empty() ? "." : folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return FailOpen(folder.string(), errno);
  for (std::size_t start = 0;;) {
    const std::size_t slash = path.find('/', start);
    const std::string segment = path.substr(start, slash == path.npos ? slash : slash - start);
    const bool last = slash == path.npos;
    // A FIFO is not waited for; what is not a regular file is refused after it is open.
    const int flags = O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY);
    UniqueFd next(::openat(at.get(), segment.c_str(), flags));
    if (!next) return FailOpen(path, errno);
    if (last) return next;
    at = std::move(next);
    start = slash + 1;
  }
}

Result<std::string> ReadBeneath(const fs::path& folder, const std::string& path, std::size_t bytes_max) {
  CORDON_ASSIGN(UniqueFd fd, OpenBeneath(folder, path));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return FailOpen(path, errno);
  if (!S_ISREG(status.st_mode)) return Fail(Code::kNotRegular, path + " is not a regular file");
  std::string content;
  char buffer[16 << 10];
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailOpen(path, errno);
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > bytes_max) {
      return Fail(Code::kLimit, path + " is larger than " + FormatBytes({bytes_max}));
    }
  }
}

// What `sha256sum` writes ("HEX  FILE"), or the digest alone, with or without its prefix.
Result<Digest> ParseDigestFile(std::string_view text, const std::string& path) {
  const std::string_view word = text.substr(0, text.find_first_of(" \t\r\n"));
  Result<Digest> digest =
      Digest::Parse(word.starts_with("sha256:") ? std::string(word) : "sha256:" + std::string(word));
  if (digest) return digest;
  return Fail(Code::kDigest, path + " does not hold a sha256 digest", "write it with: sha256sum FILE > FILE.sha256");
}

Error Explain(Error error, const fs::path& file) {
  if (error.code == Code::kNotFound) {
    error.message = "no manifest at " + file.string();
    error.remedy = "name a folder that has a plugin.yaml, or the .wasm file itself";
  }
  return error;
}

Status ReadSideDigest(Manifest& manifest) {
  const std::string path = manifest.runtime.artifact + ".sha256";
  Result<std::string> text = ReadBeneath(manifest.folder, path, kDigestFileBytesMax);
  if (!text && text.error().code == Code::kNotFound) return {};
  if (!text) return Fail(std::move(text).error());
  CORDON_ASSIGN(Digest digest, ParseDigestFile(*text, path));
  if (manifest.runtime.digest && *manifest.runtime.digest != digest) {
    return Fail(Code::kDigest,
                "'runtime.digest' and " + path + " name two digests: " + manifest.runtime.digest->Short() + " and " +
                    digest.Short(),
                "build the plugin again, so that both are written");
  }
  manifest.runtime.digest = digest;
  return {};
}

}  // namespace

Result<Manifest> LoadManifest(const fs::path& folder_or_file, const FileSeen& reads) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(folder_or_file, ignored);
  const fs::path file = is_folder ? folder_or_file / kManifestFile : folder_or_file;
  const fs::path folder = is_folder ? folder_or_file : folder_or_file.parent_path();
  const auto see = [&reads](const fs::path& path) {
    if (reads) reads(path);
  };
  see(file);
  Result<std::string> text = is_folder ? ReadBeneath(folder, std::string(kManifestFile), kManifestBytesMax)
                                       : ReadFile(file, kManifestBytesMax);
  if (!text) return Fail(Explain(std::move(text).error(), file));
  const RefResolver resolver = [&](const std::string& path) {
    see(folder / path);
    return ReadBeneath(folder, path, kSchemaBytesMax);
  };
  CORDON_ASSIGN(Manifest manifest, ParseManifest(*text, file.string(), resolver));
  manifest.folder = folder;
  see(folder / (manifest.runtime.artifact + ".sha256"));
  CORDON_TRY(ReadSideDigest(manifest));
  return manifest;
}

}  // namespace cordon::manifest
