#include "services/exec/program.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace cordon::services {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kFolders = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"};
constexpr off_t kProgramBytesMax = 1 << 30;
constexpr std::size_t kSegmentsMax = 64;

std::string Shown(const fs::path& path) { return EscapeShort(path.string(), 200); }

Result<Digest> DigestOf(int fd, const fs::path& path) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> sum(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (sum == nullptr || EVP_DigestInit_ex(sum.get(), EVP_sha256(), nullptr) != 1) {
    return Fail(Code::kInternal, "there is no memory for a digest");
  }
  std::vector<std::uint8_t> block(256 << 10);
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(fd, block.data(), block.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(Code::kIo, "cannot read " + Shown(path) + ": " + ErrnoText(errno));
    if (n == 0) break;
    at += n;
    if (at > kProgramBytesMax) return Fail(Code::kLimit, Shown(path) + " is larger than 1 GiB");
    EVP_DigestUpdate(sum.get(), block.data(), static_cast<std::size_t>(n));
  }
  std::array<std::uint8_t, 32> raw{};
  EVP_DigestFinal_ex(sum.get(), raw.data(), nullptr);
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = "sha256:";
  for (const std::uint8_t byte : raw) text.append({kHex[byte >> 4], kHex[byte & 15]});
  return Digest::Parse(text);
}

// What the file says of its loader. E_INVALID for what is no program of this machine's word size.
Result<fs::path> LoaderOf(int fd, const fs::path& path) {
  Elf64_Ehdr header{};
  const ssize_t got = ::pread(fd, &header, sizeof header, 0);
  if (got < 4 || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return Fail(Error(Code::kInvalid, Shown(path) + " is a script: an interpreter would run it",
                      "grant a program that the machine runs by itself")
                    .With("rule", "exec:script"));
  }
  if (got != sizeof header || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_phnum > kSegmentsMax) {
    return Fail(Code::kInvalid, Shown(path) + " is not a program of this machine");
  }
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    const auto at = static_cast<off_t>(header.e_phoff + i * sizeof segment);
    if (::pread(fd, &segment, sizeof segment, at) != sizeof segment) break;
    if (segment.p_type != PT_INTERP || segment.p_filesz < 2 || segment.p_filesz > 4096) continue;
    std::string name(segment.p_filesz - 1, '\0');
    if (::pread(fd, name.data(), name.size(), static_cast<off_t>(segment.p_offset)) ==
        static_cast<ssize_t>(name.size())) {
      return fs::path(name);
    }
  }
  return fs::path();
}

bool SameTime(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

bool Program::Unchanged() const {
  struct stat now{};
  return ::fstat(fd.get(), &now) == 0 && now.st_size == seen.st_size && SameTime(now.st_mtim, seen.st_mtim) &&
         SameTime(now.st_ctim, seen.st_ctim);
}

Result<Program> OpenProgram(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::canonical(path, error);
  const auto cannot = [&](int why) {
    return Fail(why == ENOENT || why == ENOTDIR ? Code::kNotFound : Code::kIo,
                "cannot open the program " + Shown(path) + ": " + ErrnoText(why),
                "name a program that exists, with --program NAME=PATH");
  };
  if (error) return cannot(error.value());
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  Program program;
  program.fd = UniqueFd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, canonical.c_str(), &how, sizeof how)));
  if (!program.fd) return cannot(errno);
  if (::fstat(program.fd.get(), &program.seen) != 0) return cannot(errno);
  if (!S_ISREG(program.seen.st_mode)) return Fail(Code::kNotRegular, Shown(path) + " is not a regular file");
  if ((program.seen.st_mode & 0111) == 0) return Fail(Code::kInvalid, Shown(path) + " is not executable");
  CORDON_ASSIGN(program.loader, LoaderOf(program.fd.get(), path));
  CORDON_ASSIGN(program.pin.digest, DigestOf(program.fd.get(), path));
  program.pin.path = std::move(canonical);
  program.pin.id = {program.seen.st_dev, program.seen.st_ino};
  if (!program.Unchanged()) return Fail(Code::kChanged, Shown(path) + " was written to while it was read");
  return program;
}

Result<Program> OpenPinned(std::string_view name, const policy::ProgramPin& pin) {
  auto program = OpenProgram(pin.path);
  const bool gone = !program && program.error().code == Code::kNotFound;
  if (!program && !gone) return program;
  if (!gone && program->pin == pin) return program;
  const std::string shown(name);
  Error error(Code::kChanged,
              "the program " + shown + " is not the file that was granted: " + Shown(pin.path) +
                  (gone                                ? " is gone"
                   : program->pin.digest == pin.digest ? " is another file"
                                                       : " has other content"),
              "when that is as it should be, grant it again: cordon plugin grant PLUGIN --program " + shown + "=" +
                  pin.path.string());
  error.details = {{"program", shown}, {"was", pin.digest.ToString()}, {"rule", "exec:program-changed"}};
  if (!gone) error.details.emplace_back("now", program->pin.digest.ToString());
  return Fail(std::move(error));
}

Result<fs::path> FindProgram(std::string_view name) {
  for (const std::string_view folder : kFolders) {
    fs::path path = fs::path(folder) / name;
    if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return path;
  }
  return Fail(Code::kNotFound, "there is no program '" + std::string(name) + "' in the folders of the system",
              "say where it is: --program " + std::string(name) + "=PATH");
}

}  // namespace cordon::services
