// Reading a log that may lie in several files. Thread-safe; nothing here writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/signing_key.h"

namespace cordon::audit {

// One file of the log; `first_sequence` 0: the one that is written now.
struct TrailFile {
  std::filesystem::path path;
  std::uint64_t first_sequence = 0;
  std::uint64_t size_bytes = 0;
};
// The name of a file that was rotated away: "audit-00000000000000000001.jsonl".
std::string RotatedName(std::uint64_t first_sequence);
// Oldest first; the current one last, when it is there.
Result<std::vector<TrailFile>> TrailFiles(const std::filesystem::path& state_folder);

// Every line of every file, oldest first, without its newline, as they were when it began; writers go on. `visit`
// stops it by giving false. E_NOT_FOUND when there is no log, E_IO, E_AUDIT_UNAVAILABLE.
using LineVisitor = std::function<bool(const TrailFile& file, std::string_view line)>;
Status ForEachLine(const std::filesystem::path& state_folder, const LineVisitor& visit);

struct BadRecord {
  std::string file;            // its name in the state folder
  std::uint64_t line = 0;      // 1-based line of the file; one past the last for a tail that was cut
  std::uint64_t sequence = 0;  // as the record says, or as it should have been
  std::string why;
};
struct Verification {
  std::uint64_t records = 0;
  std::uint64_t first_sequence = 0;  // of what is kept
  std::uint64_t last_sequence = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t unsigned_records = 0;  // after the last checkpoint
  std::size_t files = 0;
  std::string key;               // the fingerprint of the key that the checkpoints were held to; empty: there is none
  std::optional<BadRecord> bad;  // the first one
};

// Reads the chain from the oldest file that is kept. Checkpoints are held to `key`, else to audit.pub. E_NOT_FOUND,
// E_IO.
Result<Verification> Verify(const std::filesystem::path& state_folder,
                            const std::optional<PublicKey>& key = std::nullopt);

}  // namespace cordon::audit
