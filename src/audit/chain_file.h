// The file under the audit log: its folder, its lock, its tail. For this room only. Not thread-safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.h"
#include "base/unique_fd.h"

namespace cordon::audit {

// The last record of a chain.
struct ChainEnd {
  std::uint64_t sequence = 0;  // 0: no record yet
  std::string hash = std::string(64, '0');
  friend bool operator==(const ChainEnd&, const ChainEnd&) = default;
};

std::unexpected<Error> Unavailable(std::string message);

// The state folder: made 0700 when absent; refused unless it is a folder of ours that nobody else can write.
Result<UniqueFd> OpenStateFolder(const std::filesystem::path& folder);

// "1 <hash>\n" ↔ ChainEnd.
std::string HeadText(const ChainEnd& end);
std::optional<ChainEnd> ParseHead(std::string_view text);

// Holds an exclusive lock on a descriptor while it lives. Waits for other processes, not for ever.
class FileLock {
 public:
  static Result<FileLock> Take(int fd);
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

class ChainFile {
 public:
  static Result<ChainFile> Open(const std::filesystem::path& folder, const Seams& seams);

  int fd() const { return fd_.get(); }
  // Opens the file anew when somebody moved or removed it. Call before locking.
  Status Refresh();
  // Whether the path still leads to the file that is open. REQUIRES: the lock is held.
  bool IsCurrent() const;
  struct Tail {
    ChainEnd end;
    std::uint64_t size_bytes = 0;
    std::optional<std::string> set_aside;  // the name of the file that holds a torn last line
    std::uint64_t cut_records = 0;         // that the head knows and the file lacks
    std::string first_time;                // of the file's first record; empty: it has none
    std::uint64_t first_sequence = 0;
    std::uint64_t checkpoint = 0;  // the number of the last one, if it is one of the last hundred records or so
  };
  // The end of the chain as it is on disk; mends a torn last line. REQUIRES: the lock is held.
  Result<Tail> ReadTail();
  // The size of the file now. REQUIRES: the lock is held.
  Result<std::uint64_t> Size() const;
  // Appends whole lines with one write; on failure the file is as it was, as far as the disk allows.
  Status Append(std::string_view lines, std::uint64_t size_before);
  // Syncs the file, then records `end` as the head.
  Status Sync(const ChainEnd& end);
  // Moves the file aside under the number of its first record; Refresh then makes a new one. REQUIRES: it was synced,
  // and the lock is held.
  Status MoveAside(std::uint64_t first_sequence);
  // Removes files that were moved aside.
  void Remove(const std::vector<std::filesystem::path>& files);
  // The last record of a file that was moved aside.
  static Result<ChainEnd> LastOf(const std::filesystem::path& file);

 private:
  Result<std::string> ReadRange(std::uint64_t offset, std::uint64_t size) const;
  Status ReadFirst(Tail& tail) const;
  Result<std::string> SetAside(std::uint64_t from, std::uint64_t size, std::uint64_t sequence);

  std::filesystem::path folder_;
  UniqueFd folder_fd_;
  UniqueFd fd_;
  const Seams* seams_ = nullptr;
};

}  // namespace cordon::audit
