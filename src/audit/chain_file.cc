#include "audit/chain_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <thread>

#include "audit/checkpoint.h"
#include "audit/record_text.h"
#include "audit/trail.h"
#include "base/digest.h"
#include "base/file.h"

namespace cordon::audit {
namespace {

constexpr std::string_view kRemedy = "make the state folder writable, with free space, for this user alone";
constexpr const char* kAuditFileName = kAuditFile.data();  // a literal, so terminated
constexpr auto kLockWait = std::chrono::seconds(5);

std::unexpected<Error> UnavailableErrno(std::string_view what, const std::filesystem::path& path, int error) {
  return Unavailable("cannot " + std::string(what) + " " + path.string() + ": " + ErrnoText(error));
}

Status CheckOwned(int fd, const std::filesystem::path& path, mode_t type) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return UnavailableErrno("look at", path, errno);
  if ((st.st_mode & S_IFMT) != type) return Unavailable(path.string() + " is not what it should be");
  if (st.st_uid != ::geteuid()) return Unavailable(path.string() + " belongs to another user");
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) return Unavailable(path.string() + " can be written by other users");
  if (type == S_IFREG && st.st_nlink > 1) return Unavailable(path.string() + " has a second name");
  return {};
}

std::uint64_t LastCheckpoint(std::string_view lines) {
  std::uint64_t last = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    const auto own = ReadOwnRecord(line);
    const auto fields = own && own->what == OwnRecord::What::kCheckpoint ? ReadChainFields(line) : std::nullopt;
    if (fields) last = fields->sequence;
    lines.remove_prefix(std::min(lines.size(), end + 1));
  }
  return last;
}

}  // namespace

std::unexpected<Error> Unavailable(std::string message) {
  return Fail(Code::kAuditUnavailable, "the audit cannot be written: " + std::move(message), std::string(kRemedy));
}

Result<UniqueFd> OpenStateFolder(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!folder.parent_path().empty()) std::filesystem::create_directories(folder.parent_path(), ignored);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return UnavailableErrno("make", folder, errno);
  std::string text = folder.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();  // a slash at the end would follow a link
  UniqueFd fd(::open(text.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return UnavailableErrno("open", folder, errno);
  CORDON_TRY(CheckOwned(fd.get(), folder, S_IFDIR));
  return fd;
}

std::string HeadText(const ChainEnd& end) { return std::to_string(end.sequence) + " " + end.hash + "\n"; }

std::optional<ChainEnd> ParseHead(std::string_view text) {
  ChainEnd end;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), end.sequence);
  if (parsed.ec != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  if (text.size() != 66 || text.front() != ' ' || text.back() != '\n') return std::nullopt;
  end.hash = std::string(text.substr(1, 64));
  if (end.hash.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
  return end;
}

Result<FileLock> FileLock::Take(int fd) {
  const auto until = std::chrono::steady_clock::now() + kLockWait;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Unavailable("cannot lock it: " + ErrnoText(errno));
    if (std::chrono::steady_clock::now() > until) return Unavailable("another process has held its lock for 5 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return FileLock(fd);
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

Result<ChainFile> ChainFile::Open(const std::filesystem::path& folder, const Seams& seams) {
  ChainFile file;
  file.folder_ = folder;
  file.seams_ = &seams;
  CORDON_ASSIGN(file.folder_fd_, OpenStateFolder(folder));
  CORDON_TRY(file.Refresh());
  return file;
}

bool ChainFile::IsCurrent() const {
  struct stat now{}, ours{};
  return fd_ && ::fstat(fd_.get(), &ours) == 0 &&
         ::fstatat(folder_fd_.get(), kAuditFileName, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == ours.st_ino &&
         now.st_dev == ours.st_dev;
}

Status ChainFile::Refresh() {
  if (IsCurrent()) return {};
  const std::filesystem::path path = folder_ / kAuditFile;
  UniqueFd fd(::openat(folder_fd_.get(), kAuditFileName,
                       O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600));
  if (!fd) return UnavailableErrno("open", path, errno);
  CORDON_TRY(CheckOwned(fd.get(), path, S_IFREG));
  fd_ = std::move(fd);
  return {};
}

Result<std::uint64_t> ChainFile::Size() const {
  struct stat st{};
  if (::fstat(fd_.get(), &st) != 0) return UnavailableErrno("look at", folder_ / kAuditFile, errno);
  return static_cast<std::uint64_t>(st.st_size);
}

Result<std::string> ChainFile::ReadRange(std::uint64_t offset, std::uint64_t size) const {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd_.get(), bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return UnavailableErrno("read", folder_ / kAuditFile, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Result<std::string> ChainFile::SetAside(std::uint64_t from, std::uint64_t size, std::uint64_t sequence) {
  CORDON_ASSIGN(const std::string torn, ReadRange(from, size));
  std::string name = "audit.torn-" + std::to_string(sequence) + "-" + Digest::Of(torn).Short();
  const Status kept = WriteFileAtomically(folder_ / name, torn, FileMode::kPrivate);
  if (!kept) return Unavailable(kept.error().message);
  if (::ftruncate(fd_.get(), static_cast<off_t>(from)) != 0) {
    return UnavailableErrno("mend", folder_ / kAuditFile, errno);
  }
  return name;
}

// What a process left that was killed while it wrote the head. Every head is written under the lock, which is held.
void RemoveLeftHeads(const std::filesystem::path& folder) {
  const std::string start = "." + std::string(kHeadFile) + ".";
  std::error_code ignored;
  for (std::filesystem::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(start) || !name.ends_with(".tmp")) continue;
    std::error_code gone;
    std::filesystem::remove(at->path(), gone);
  }
}

Result<ChainFile::Tail> ChainFile::ReadTail() {
  Tail tail;
  RemoveLeftHeads(folder_);
  CORDON_ASSIGN(tail.size_bytes, Size());
  const std::uint64_t window = std::min<std::uint64_t>(tail.size_bytes, 2 * kLineBytesMax);
  CORDON_ASSIGN(std::string bytes, ReadRange(tail.size_bytes - window, window));
  const std::size_t last_newline = bytes.rfind('\n');
  const std::size_t whole = last_newline == std::string::npos ? 0 : last_newline + 1;
  const std::size_t torn = bytes.size() - whole;
  if (torn > kLineBytesMax) return Unavailable("it ends in a line that is longer than any record; move it away");
  bytes.resize(whole);
  if (!bytes.empty()) {
    bytes.pop_back();
    const std::size_t start = bytes.rfind('\n');
    const std::string_view line = std::string_view(bytes).substr(start == std::string::npos ? 0 : start + 1);
    // A last line that is no record is left for Verify to name: the chain goes on over its bytes.
    if (const auto fields = ReadChainFields(line)) tail.end.sequence = fields->sequence;
    tail.end.hash = Digest::Of(line).Hex();
    tail.checkpoint = LastCheckpoint(bytes);
    CORDON_TRY(ReadFirst(tail));
  } else {
    // A file that has just begun goes on from the one before it.
    CORDON_ASSIGN(const std::vector<TrailFile> files, TrailFiles(folder_));
    for (const TrailFile& file : files) {
      if (file.first_sequence == 0) continue;
      CORDON_ASSIGN(tail.end, LastOf(file.path));
      tail.checkpoint = tail.end.sequence;  // with one, every file that was moved aside ends
    }
  }
  const auto head_text = ReadFile(folder_ / kHeadFile, 256);
  const auto head = head_text ? ParseHead(*head_text) : std::nullopt;
  if (torn > 0) {
    const std::uint64_t from = tail.size_bytes - torn;
    CORDON_ASSIGN(tail.set_aside, SetAside(from, torn, tail.end.sequence + 1));
    tail.size_bytes = from;
  }
  if (head && head->sequence > tail.end.sequence) {
    // What was synced is gone: the chain goes on from what is known, so that the gap stays visible.
    tail.cut_records = head->sequence - tail.end.sequence;
    tail.end = *head;
  }
  return tail;
}

Status ChainFile::ReadFirst(Tail& tail) const {
  CORDON_ASSIGN(const std::string bytes, ReadRange(0, kLineBytesMax));
  const std::string_view line = std::string_view(bytes).substr(0, bytes.find('\n'));
  const auto fields = ReadChainFields(line);
  if (!fields) return {};
  tail.first_sequence = fields->sequence;
  tail.first_time = fields->time;
  return {};
}

Status ChainFile::MoveAside(std::uint64_t first_sequence) {
  const std::string name = RotatedName(first_sequence);
  const int folder = folder_fd_.get();
  if (::renameat2(folder, kAuditFileName, folder, name.c_str(), RENAME_NOREPLACE) != 0) {
    return UnavailableErrno("move aside", folder_ / kAuditFile, errno);
  }
  if (::fsync(folder) != 0) return UnavailableErrno("sync", folder_, errno);
  return {};
}

void ChainFile::Remove(const std::vector<std::filesystem::path>& files) {
  for (const std::filesystem::path& file : files) {
    (void)::unlinkat(folder_fd_.get(), file.filename().c_str(), 0);  // what stays is removed with the next
  }
}

Result<ChainEnd> ChainFile::LastOf(const std::filesystem::path& path) {
  ChainFile file;
  file.folder_ = path.parent_path();
  file.fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!file.fd_) return UnavailableErrno("open", path, errno);
  CORDON_ASSIGN(const std::uint64_t size, file.Size());
  const std::uint64_t window = std::min<std::uint64_t>(size, 2 * kLineBytesMax);
  CORDON_ASSIGN(std::string bytes, file.ReadRange(size - window, window));
  if (bytes.empty() || bytes.back() != '\n') return Unavailable(path.string() + " ends in no record");
  bytes.pop_back();
  const std::size_t start = bytes.rfind('\n');
  const std::string_view line = std::string_view(bytes).substr(start == std::string::npos ? 0 : start + 1);
  const auto fields = ReadChainFields(line);
  if (!fields) return Unavailable(path.string() + " ends in no record");
  return ChainEnd{fields->sequence, Digest::Of(line).Hex()};
}

Status ChainFile::Append(std::string_view lines, std::uint64_t size_before) {
  const std::filesystem::path path = folder_ / kAuditFile;
  std::string_view rest = lines;
  int error = 0;
  while (!rest.empty()) {
    const ssize_t n = seams_->write ? seams_->write(fd_.get(), rest.data(), rest.size())
                                    : ::write(fd_.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error = n == 0 ? ENOSPC : errno;
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (rest.empty()) return {};
  // Half a group would look torn to the next reader; take it back while the lock is held.
  if (rest.size() != lines.size() && ::ftruncate(fd_.get(), static_cast<off_t>(size_before)) != 0) error = errno;
  return UnavailableErrno("write", path, error);
}

Status ChainFile::Sync(const ChainEnd& end) {
  const int synced = seams_->sync ? seams_->sync(fd_.get()) : ::fdatasync(fd_.get());
  if (synced != 0) return UnavailableErrno("sync", folder_ / kAuditFile, errno);
  const Status head = WriteFileAtomically(folder_ / kHeadFile, HeadText(end), FileMode::kPrivate);
  if (!head) return Unavailable(head.error().message);
  return {};
}

}  // namespace cordon::audit
