// The two records that the log writes about itself, as text: signed checkpoints, and what rotation removed. For this
// room only. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/chain_file.h"

namespace cordon::audit {

// A checkpoint is due after so many records. A chain with more than twice as many and no checkpoint is not whole.
inline constexpr std::uint64_t kCheckpointRecords = 1024;

// What a checkpoint signs: its own number and time, and through the hash everything before it.
std::string CheckpointMessage(std::uint64_t sequence, std::string_view time, std::string_view previous_hash);
std::string CheckpointBody(std::string_view signature_hex);

// `through` was the last record of the files that were removed.
std::string PruneBody(const ChainEnd& through, std::size_t files);

// What a line of the chain says about the chain; nothing for all other records.
struct OwnRecord {
  enum class What : std::uint8_t { kCheckpoint, kPrune } what = What::kCheckpoint;
  std::string_view time;
  std::string_view signature;  // of a checkpoint
  ChainEnd through;            // of a prune
};
std::optional<OwnRecord> ReadOwnRecord(std::string_view line);

}  // namespace cordon::audit
