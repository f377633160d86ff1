// The audit: an append-only file of JSON lines, each holding the hash of the one before it (docs/formats/audit.md).
// Several processes may write one chain. Thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "audit/observer.h"

namespace cordon::audit {

inline constexpr std::string_view kAuditFile = "audit.jsonl";
inline constexpr std::string_view kHeadFile = "audit.head";  // last synced sequence number and hash

// The clock and the file operations, so that tests can make them fail.
struct Seams {
  std::function<std::chrono::system_clock::time_point()> now = [] { return std::chrono::system_clock::now(); };
  std::function<ssize_t(int fd, const void* bytes, std::size_t size)> write;  // default: write(2)
  std::function<int(int fd)> sync;                                            // default: fdatasync(2)
};

class AuditLog final : public Observer {
 public:
  // Opens the chain in `state_folder`, which is made (0700) when it is absent. E_AUDIT_UNAVAILABLE when the folder is
  // a symbolic link, not ours, or writable by others; or the file cannot be opened or locked. A last line that a
  // crash tore is set aside, and a record says so.
  static Result<std::unique_ptr<AuditLog>> Open(const std::filesystem::path& state_folder, Seams seams = {});
  // Flushes; an error then is lost, so call Flush before.
  ~AuditLog() override;

  Status On(const Record& record) override;
  // Writes and syncs everything that is buffered. On failure it stays buffered, and later calls try again.
  Status Flush();
  // Flushes, and takes no more: whoever is about to end the process leaves no half-written file behind.
  Status Close();

 private:
  struct State;
  explicit AuditLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct BadRecord {
  std::uint64_t line = 0;      // 1-based line of the file; one past the last for a tail that was cut
  std::uint64_t sequence = 0;  // as the record says, or as it should have been
  std::string why;
};
struct Verification {
  std::uint64_t records = 0;
  std::uint64_t last_sequence = 0;
  std::optional<BadRecord> bad;  // the first one
};

// Reads the chain of a state folder from its beginning. E_NOT_FOUND, E_IO.
Result<Verification> Verify(const std::filesystem::path& state_folder);

}  // namespace cordon::audit
