#include "services/log.h"

#include <array>
#include <mutex>

#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info", "warn", "error", "critical"};
constexpr std::size_t kSourceBytesMax = 256;

}  // namespace

std::string_view LogLevelName(LogLevel level) {
  const auto at = static_cast<std::size_t>(level);
  return at < kLevels.size() ? kLevels[at] : "info";
}

struct LogService::State {
  std::string plugin;
  LogSink& sink;
  LogLimits limits;
  Now now;
  std::string interface_name;

  mutable std::mutex mutex;
  std::chrono::steady_clock::time_point window_start{};
  std::uint64_t window_lines = 0, window_bytes = 0;
  std::uint64_t gap_lines = 0, gap_bytes = 0;  // lost since the last line that was kept
  std::uint64_t dropped_lines = 0;

  // Whether a line of this size still fits the second. REQUIRES: the mutex is held.
  bool Admit(std::size_t bytes) {
    const auto at = now();
    if (window_lines == 0 || at - window_start >= std::chrono::seconds(1)) {
      window_start = at;
      window_lines = 0;
      window_bytes = 0;
    }
    const std::size_t counted = std::min(bytes, limits.line_bytes);
    if (window_lines >= limits.lines_per_second || window_bytes + counted > limits.bytes_per_second) {
      ++gap_lines;
      ++dropped_lines;
      gap_bytes += bytes;
      return false;
    }
    ++window_lines;
    window_bytes += counted;
    return true;
  }
};

LogService::LogService(std::string plugin, LogSink& sink, const LogLimits& limits, Now now,
                       std::string_view interface_name)
    : state_(new State{std::move(plugin), sink, limits, std::move(now), std::string(interface_name), {}}) {
  if (!state_->now) state_->now = [] { return std::chrono::steady_clock::now(); };
}

LogService::~LogService() {
  if (state_->gap_lines == 0) return;
  LogLine line;
  line.level = LogLevel::kWarn;
  line.plugin = state_->plugin;
  line.message = "log lines were dropped";
  line.dropped_lines = state_->gap_lines;
  line.dropped_bytes = state_->gap_bytes;
  state_->sink.Write(line);
}

std::string_view LogService::interface_name() const { return state_->interface_name; }

std::uint64_t LogService::dropped_lines() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped_lines;
}

HostReply LogService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  if (function != "log") {
    return Trap(Code::kLink, "nothing answers " + state_->interface_name + "#" + std::string(function));
  }
  wire::Reader in(payload);
  const auto level = static_cast<LogLevel>(in.Case(kLevels.size()));
  const std::string_view source = in.String();
  const std::string_view message = in.String();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);

  // Held while the sink writes, so that lines keep their order and a gap stands where it happened.
  const std::lock_guard lock(state_->mutex);
  if (!state_->Admit(source.size() + message.size())) return {};
  LogLine line;
  line.call_id = caller.call_id;
  line.level = level;
  line.plugin = state_->plugin;
  line.source = EscapeShort(source, kSourceBytesMax);
  line.message = EscapeShort(message, state_->limits.line_bytes);
  line.dropped_lines = std::exchange(state_->gap_lines, 0);
  line.dropped_bytes = std::exchange(state_->gap_bytes, 0);
  state_->sink.Write(line);
  return {};
}

}  // namespace cordon::services
