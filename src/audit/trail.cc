#include "audit/trail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "audit/record_text.h"
#include "audit/trail_reader.h"
#include "base/file.h"

namespace cordon::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRotatedPrefix = "audit-", kRotatedSuffix = ".jsonl";
constexpr std::size_t kDigits = 20;

// Nothing for a name that rotation does not give.
std::optional<std::uint64_t> FirstSequenceOf(std::string_view name) {
  if (name.size() != kRotatedPrefix.size() + kDigits + kRotatedSuffix.size()) return std::nullopt;
  if (!name.starts_with(kRotatedPrefix) || !name.ends_with(kRotatedSuffix)) return std::nullopt;
  const char* from = name.data() + kRotatedPrefix.size();
  std::uint64_t sequence = 0;
  const auto parsed = std::from_chars(from, from + kDigits, sequence);
  return parsed.ec == std::errc() && parsed.ptr == from + kDigits ? std::optional(sequence) : std::nullopt;
}

std::unexpected<Error> CannotOpen(const fs::path& path, int error) {
  return Fail(error == ENOENT ? Code::kNotFound : Code::kIo, "cannot open " + path.string() + ": " + ErrnoText(error),
              error == ENOENT ? "run a plugin first: it is made with the first record" : "");
}

}  // namespace

std::string RotatedName(std::uint64_t first_sequence) {
  char name[64];
  std::snprintf(name, sizeof name, "audit-%020llu.jsonl", static_cast<unsigned long long>(first_sequence));
  return name;
}

Result<std::vector<TrailFile>> TrailFiles(const fs::path& state_folder) {
  std::vector<TrailFile> files;
  std::error_code error;
  for (fs::directory_iterator it(state_folder, error), end; !error && it != end; it.increment(error)) {
    const auto first = FirstSequenceOf(it->path().filename().string());
    struct stat st{};
    if (!first || ::lstat(it->path().c_str(), &st) != 0 || !S_ISREG(st.st_mode)) continue;
    files.push_back({it->path(), *first, static_cast<std::uint64_t>(st.st_size)});
  }
  if (error) return CannotOpen(state_folder, error.value());
  std::ranges::sort(files, {}, &TrailFile::first_sequence);
  const fs::path current = state_folder / kAuditFile;
  struct stat st{};
  if (::lstat(current.c_str(), &st) == 0) files.push_back({current, 0, static_cast<std::uint64_t>(st.st_size)});
  return files;
}

Result<TrailSnapshot> TrailSnapshot::Take(const fs::path& state_folder) {
  constexpr int kTries = 20;
  for (int i = 0; i < kTries; ++i) {
    TrailSnapshot snapshot;
    const fs::path current = state_folder / kAuditFile;
    const UniqueFd fd(::open(current.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    const int error = fd ? 0 : errno;
    if (!fd && error != ENOENT) return CannotOpen(current, error);
    std::optional<FileLock> lock;
    if (fd) {
      auto taken = FileLock::Take(fd.get());
      if (!taken) return Fail(std::move(taken).error());
      lock.emplace(std::move(*taken));
    }
    CORDON_ASSIGN(const std::vector<TrailFile> files, TrailFiles(state_folder));
    const auto head = ReadFile(state_folder / kHeadFile, 256);
    if (!fd && files.empty() && !head) return CannotOpen(current, error);
    bool whole = true;
    for (const TrailFile& file : files) {
      UniqueFd part(::open(file.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
      if (!part) return CannotOpen(file.path, errno);
      struct stat ours{}, locked{};
      if (::fstat(part.get(), &ours) != 0) return CannotOpen(file.path, errno);
      if (file.first_sequence == 0 && (::fstat(fd.get(), &locked) != 0 || locked.st_ino != ours.st_ino)) whole = false;
      snapshot.parts_.push_back({file, std::move(part)});
      snapshot.parts_.back().file.size_bytes = static_cast<std::uint64_t>(ours.st_size);
    }
    if (!whole) continue;  // the file was rotated between opening and locking it
    if (head) snapshot.head_ = ParseHead(*head);
    return snapshot;
  }
  return Fail(Code::kBusy, "the audit log is rotated faster than it can be read", "try again");
}

Status TrailSnapshot::Read(const LineVisitor& visit, const std::function<void(const TrailFile& file)>& torn) const {
  for (const Part& part : parts_) {
    std::string buffer;
    std::uint64_t done = 0;
    while (done < part.file.size_bytes) {
      const std::size_t old = buffer.size();
      const std::size_t want = std::min<std::uint64_t>(part.file.size_bytes - done, 256 << 10);
      buffer.resize(old + want);
      const ssize_t n = ::pread(part.fd.get(), buffer.data() + old, want, static_cast<off_t>(done));
      buffer.resize(old + static_cast<std::size_t>(n > 0 ? n : 0));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Fail(Code::kIo, "cannot read " + part.file.path.string() + ": " + ErrnoText(errno));
      if (n == 0) break;
      done += static_cast<std::uint64_t>(n);
      std::size_t start = 0;
      for (std::size_t end; (end = buffer.find('\n', start)) != std::string::npos; start = end + 1) {
        if (!visit(part.file, std::string_view(buffer).substr(start, end - start))) return {};
      }
      buffer.erase(0, start);
      // No record is this long: what comes of this file is not worth reading.
      if (buffer.size() > 2 * kLineBytesMax) break;
    }
    if (!buffer.empty()) torn(part.file);
  }
  return {};
}

Status ForEachLine(const fs::path& state_folder, const LineVisitor& visit) {
  CORDON_ASSIGN(const TrailSnapshot snapshot, TrailSnapshot::Take(state_folder));
  return snapshot.Read(visit, [](const TrailFile&) {});
}

}  // namespace cordon::audit
