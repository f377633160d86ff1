// What a guest logs: bounded, escaped, counted. Logging is on by default, so what decides is whether it is linked;
// single lines are not audited.
//
//   log(level: LogLevel as u32, context: string, message: string)
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kLoggingInterface = "wasi:logging/logging";

enum class LogLevel : std::uint32_t { kTrace = 0, kDebug, kInfo, kWarn, kError, kCritical };
std::string_view LogLevelName(LogLevel level);

// One line, already escaped: safe for a terminal and a file.
struct LogLine {
  std::uint64_t call_id = 0;
  LogLevel level = LogLevel::kInfo;
  std::string plugin;
  std::string source;  // the guest's `context`
  std::string message;
  std::uint64_t dropped_lines = 0;  // lost before this line
  std::uint64_t dropped_bytes = 0;
};

// Gets lines one at a time, in order. Must not call back into the service.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(const LogLine& line) = 0;
};

struct LogLimits {
  std::uint64_t lines_per_second = 1000;
  std::uint64_t bytes_per_second = 256 << 10;
  std::size_t line_bytes = 8 << 10;  // the rest of a longer line is counted, not kept
};

class LogService final : public HostService {
 public:
  using Now = std::function<std::chrono::steady_clock::time_point()>;
  // `sink` must outlive the service. `interface_name`: with no version it answers all of them.
  LogService(std::string plugin, LogSink& sink, const LogLimits& limits = {}, Now now = nullptr,
             std::string_view interface_name = kLoggingInterface);
  // Tells the sink of a gap that no later line has told.
  ~LogService() override;

  std::string_view interface_name() const override;
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;
  // Lines and bytes lost so far.
  std::uint64_t dropped_lines() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cordon::services
