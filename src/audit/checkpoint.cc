#include "audit/checkpoint.h"

#include <charconv>

namespace cordon::audit {
namespace {

constexpr std::string_view kTime = ",\"time\":\"";
constexpr std::string_view kPrevious = "\",\"prev\":\"";
constexpr std::string_view kCheckpoint = "\"event\":\"checkpoint\",\"sig\":\"";
constexpr std::string_view kPrune = "\"event\":\"prune\",\"through\":";
constexpr std::string_view kHash = ",\"hash\":\"";
constexpr std::size_t kHashSize = 64;

}  // namespace

std::string CheckpointMessage(std::uint64_t sequence, std::string_view time, std::string_view previous_hash) {
  return "cordon-audit-checkpoint-1\n" + std::to_string(sequence) + "\n" + std::string(time) + "\n" +
         std::string(previous_hash) + "\n";
}

std::string CheckpointBody(std::string_view signature_hex) {
  return std::string(kCheckpoint) + std::string(signature_hex) + "\"}";
}

std::string PruneBody(const ChainEnd& through, std::size_t files) {
  return std::string(kPrune) + std::to_string(through.sequence) + std::string(kHash) + through.hash +
         "\",\"files\":" + std::to_string(files) + "}";
}

std::optional<OwnRecord> ReadOwnRecord(std::string_view line) {
  const std::size_t time = line.find(kTime);
  if (time == std::string_view::npos || time > 64) return std::nullopt;
  const std::size_t previous = line.find(kPrevious, time);
  if (previous == std::string_view::npos || previous - time > 64) return std::nullopt;
  const std::size_t body = previous + kPrevious.size() + kHashSize + 2;
  if (line.size() < body) return std::nullopt;
  OwnRecord own;
  own.time = line.substr(time + kTime.size(), previous - time - kTime.size());
  line.remove_prefix(body);
  if (line.starts_with(kCheckpoint)) {
    line.remove_prefix(kCheckpoint.size());
    if (!line.ends_with("\"}")) return std::nullopt;
    own.signature = line.substr(0, line.size() - 2);
    return own;
  }
  if (!line.starts_with(kPrune)) return std::nullopt;
  line.remove_prefix(kPrune.size());
  own.what = OwnRecord::What::kPrune;
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), own.through.sequence);
  if (parsed.ec != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
  if (!line.starts_with(kHash) || line.size() < kHash.size() + kHashSize) return std::nullopt;
  own.through.hash = line.substr(kHash.size(), kHashSize);
  return own;
}

}  // namespace cordon::audit
