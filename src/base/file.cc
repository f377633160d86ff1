#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>
#include <random>

#include "base/unique_fd.h"

namespace cordon {
namespace {

constexpr std::size_t kChunk = 64 << 10;

std::unexpected<Error> FailIo(std::string_view what, const std::filesystem::path& path, int error) {
  const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kIo;
  return Fail(code, "cannot " + std::string(what) + " " + path.string() + ": " + ErrnoText(error));
}

Status WriteAll(int fd, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailIo("write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

std::string ErrnoText(int error) {
  std::string text = strerrordesc_np(error) != nullptr ? strerrordesc_np(error) : "error " + std::to_string(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

Result<std::string> ReadFile(const std::filesystem::path& path, std::size_t max_bytes) {
  UniqueFd owned;
  int fd = STDIN_FILENO;
  if (path != "-") {
    owned.Reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!owned) return FailIo("open", path, errno);
    fd = owned.get();
    struct stat st{};
    if (::fstat(fd, &st) != 0) return FailIo("read", path, errno);
    if (!S_ISREG(st.st_mode)) return Fail(Code::kNotRegular, path.string() + " is not a regular file");
  }
  std::string content;
  while (true) {
    const std::size_t old = content.size();
    content.resize(old + kChunk);
    const ssize_t n = ::read(fd, content.data() + old, kChunk);
    content.resize(old + static_cast<std::size_t>(n > 0 ? n : 0));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailIo("read", path, errno);
    if (n == 0) return content;
    if (content.size() > max_bytes) {
      return Fail(Code::kLimit, path.string() + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content, FileMode mode) {
  const std::filesystem::path folder = path.parent_path().empty() ? "." : path.parent_path();
  const std::filesystem::path temporary =
      folder / ("." + path.filename().string() + "." + std::to_string(std::random_device{}()) + ".tmp");
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                     mode == FileMode::kPrivate ? 0600 : 0644));
  if (!fd) return FailIo("create a file in", folder, errno);
  Status written = WriteAll(fd.get(), content, path);
  if (written && ::fsync(fd.get()) != 0) written = FailIo("flush", path, errno);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = FailIo("replace", path, errno);
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  UniqueFd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir || ::fsync(dir.get()) != 0) return FailIo("flush", folder, errno);
  return {};
}

}  // namespace cordon
