// Native plugins: a confined process that speaks the messages of docs/formats/native-protocol.md on its standard
// streams. For this room only, but for NativeTerminal.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "engine/engine.h"
#include "isolation/bubblewrap.h"

namespace cordon::runtime {

struct CallReport;

// One line of the program, at most.
inline constexpr std::size_t kNativeLineBytesMax = 1 << 20;
// Processes at once, the program's own among them.
inline constexpr std::uint32_t kNativeProcessesMax = 64;

// Who answers the questions of a plugin. What it is given to show is escaped.
class NativeTerminal {
 public:
  virtual ~NativeTerminal() = default;
  // One line; nothing at the end of input, when the time is over (CLOCK_MONOTONIC), or once `stopped`, which may be
  // empty, says so.
  virtual std::optional<std::string> Ask(std::string_view question, std::int64_t deadline_ns,
                                         const std::function<bool()>& stopped) = 0;
  virtual void Progress(std::string_view text) = 0;
};

struct NativeCall {
  const engine::InstanceOptions* options = nullptr;  // REQUIRED; the first argument is the program's own name
  engine::CallLimits limits;
  std::uint64_t call_id = 0;
  std::function<bool()> stopped{};     // may be empty
  NativeTerminal* terminal = nullptr;  // null: there is nobody to ask
};

// One that was found, checked and can be confined. Thread-safe.
class NativeProgram {
 public:
  // `bytes` must outlive it.
  NativeProgram(isolation::Bubblewrap backend, std::span<const std::uint8_t> bytes)
      : backend_(std::move(backend)), bytes_(bytes) {}
  // E_EXIT with the detail "status" for another end than with 0; E_TIMEOUT, E_CPU, E_MEMORY, E_LIMIT, E_INTERRUPTED;
  // E_UNAVAILABLE when the backend failed, or when it asks for what nobody can answer; what its messages come to.
  Status Run(const NativeCall& call, const std::shared_ptr<HostChannel>& channel, CallReport& report) const;

 private:
  isolation::Bubblewrap backend_;
  std::span<const std::uint8_t> bytes_;
};

}  // namespace cordon::runtime
