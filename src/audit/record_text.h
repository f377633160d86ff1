// One record as one line of JSON, and the few fields that the chain reads back. For this room only. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/observer.h"

namespace cordon::audit {

// The longest line that is ever written, newline included. A reader refuses longer ones.
inline constexpr std::size_t kLineBytesMax = 32 << 10;

// The part of a line that does not depend on its place in the chain: `"event":…}`. No control character, no newline.
std::string RecordBody(const Record& record);
// The same of a decision, appended; makes no memory of its own while the texts are plain and short.
void AppendBody(const DecisionView& decision, std::string& out);

// Appends the whole line without its newline.
void AppendLine(std::string& out, std::uint64_t sequence, std::string_view time, std::string_view previous_hash,
                std::string_view body);

// "2026-01-02T03:04:05.678901Z"
std::string TimeText(std::chrono::system_clock::time_point time);
// The same for times that mostly lie in one second. Not thread-safe.
class TimeWriter {
 public:
  std::string_view Text(std::int64_t micros);  // since the epoch; valid until the next

 private:
  std::int64_t second_ = -1;
  std::string text_;
};

struct ChainFields {
  std::uint64_t sequence = 0;
  std::string_view time, previous_hash;
};
// Nothing when the line does not begin as AppendLine writes it or does not end a JSON object.
std::optional<ChainFields> ReadChainFields(std::string_view line);

}  // namespace cordon::audit
