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

// When a file is moved aside for a new one, and which of those are kept. The chain goes on from file to file.
struct Rotation {
  std::uint64_t file_bytes = 64ull << 20;
  std::optional<std::chrono::seconds> file_age;  // of its first record
  // The oldest go first, after a record that says so; nothing: all are kept.
  std::optional<std::uint32_t> keep_files;
  std::optional<std::uint64_t> keep_bytes;
};

class AuditLog final : public Observer {
 public:
  // Opens the chain in `state_folder`, which is made (0700) when it is absent. E_AUDIT_UNAVAILABLE when the folder is
  // a symbolic link, not ours, or writable by others; or the file cannot be opened or locked. A last line that a
  // crash tore is set aside, and a record says so.
  static Result<std::unique_ptr<AuditLog>> Open(const std::filesystem::path& state_folder, Seams seams = {},
                                                const Rotation& rotation = {});
  // Flushes; an error then is lost, so call Flush before.
  ~AuditLog() override;

  Status On(const Record& record) override;
  Status OnDecision(const DecisionView& decision) override;
  // Writes, syncs and signs everything that is buffered. On failure it stays buffered, and later calls try again.
  Status Flush();
  // Flushes, and takes no more: whoever is about to end the process leaves no half-written file behind.
  Status Close();

 private:
  struct State;
  explicit AuditLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cordon::audit
