#include "services/log.h"

#include <gtest/gtest.h>

#include "base/wire.h"

namespace cordon::services {
namespace {

class KeptLines final : public LogSink {
 public:
  void Write(const LogLine& line) override { lines.push_back(line); }
  std::vector<LogLine> lines;
};

std::vector<std::uint8_t> Payload(std::uint32_t level, std::string_view source, std::string_view message) {
  std::vector<std::uint8_t> bytes;
  wire::Writer out(bytes);
  out.U32(level);
  out.String(source);
  out.String(message);
  return bytes;
}

TEST(Log, ALineReachesTheSinkEscaped) {
  KeptLines sink;
  LogService log("acme/x", sink);
  EXPECT_EQ(log.Call({3, {}}, "log", Payload(4, "main", "it broke")).outcome, HostReply::Outcome::kDone);
  ASSERT_EQ(sink.lines.size(), 1u);
  EXPECT_EQ(LogLevelName(sink.lines[0].level), "error");
  EXPECT_EQ(sink.lines[0].message, "it broke");
  EXPECT_EQ(sink.lines[0].call_id, 3u);
  EXPECT_EQ(log.interface_name(), kLoggingInterface);
}

TEST(attack_155, NoControlCharacterLeavesTheLog) {
  KeptLines sink;
  LogService log("acme/x", sink);
  log.Call({}, "log", Payload(2, "a\rb", "\x1b]52;c;evil\x07\x1b]8;;http://x\x1b\\ \r\b \u202e \u009b"));
  ASSERT_EQ(sink.lines.size(), 1u);
  EXPECT_EQ(sink.lines[0].source, "a\\u000db");
  EXPECT_EQ(sink.lines[0].message,
            "\\u001b]52;c;evil\\u0007\\u001b]8;;http://x\\u001b\\ \\u000d\\u0008 \\u202e \\u009b");
}

TEST(attack_156, ALineOfTheLogIsOneLine) {
  KeptLines sink;
  LogService log("acme/x", sink);
  log.Call({}, "log", Payload(2, "", "x\r\n\"}\n{\"decision\":\"allow\""));
  EXPECT_EQ(sink.lines[0].message, "x\\u000d\\u000a\"}\\u000a{\"decision\":\"allow\"");
}

TEST(attack_22, AFloodIsCutAndTheGapCounted) {
  KeptLines sink;
  auto now = std::chrono::steady_clock::time_point();
  LogLimits limits;
  limits.lines_per_second = 10;
  {
    LogService log("acme/x", sink, limits, [&] { return now; });
    for (int i = 0; i < 100; ++i) log.Call({}, "log", Payload(2, "", "flood"));
    EXPECT_EQ(sink.lines.size(), 10u);
    now += std::chrono::seconds(1);
    log.Call({}, "log", Payload(2, "", "later"));
    ASSERT_EQ(sink.lines.size(), 11u);
    EXPECT_EQ(sink.lines[10].dropped_lines, 90u);
    EXPECT_EQ(sink.lines[10].dropped_bytes, 450u);
    for (int i = 0; i < 20; ++i) log.Call({}, "log", Payload(2, "", "flood"));
    EXPECT_EQ(log.dropped_lines(), 101u);
  }
  EXPECT_EQ(sink.lines.back().dropped_lines, 11u);
}

TEST(attack_22, BytesAreBoundedToo) {
  KeptLines sink;
  auto now = std::chrono::steady_clock::time_point();
  LogService log("acme/x", sink, {}, [&] { return now; });
  for (int i = 0; i < 100; ++i) log.Call({}, "log", Payload(2, "", std::string(1 << 20, 'x')));
  std::size_t kept = 0;
  for (const LogLine& line : sink.lines) kept += line.message.size();
  EXPECT_LE(kept, (256u << 10) + 100 * 64);
  EXPECT_EQ(sink.lines.size(), 32u);
}

TEST(Log, HostilePayloadsTrap) {
  KeptLines sink;
  LogService log("acme/x", sink);
  const auto whole = Payload(2, "a", "b");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(log.Call({}, "log", std::span(whole).first(size)).code, Code::kInvalid);
  }
  EXPECT_EQ(log.Call({}, "log", Payload(6, "", "")).code, Code::kInvalid);
  EXPECT_EQ(log.Call({}, "emit", whole).code, Code::kLink);
  EXPECT_TRUE(sink.lines.empty());
}

}  // namespace
}  // namespace cordon::services
