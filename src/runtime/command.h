// Commands: what a program is given, and what its end means. For this room only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cordon/result.h"
#include "runtime/plugin.h"

namespace cordon::runtime {

// The first argument of a command: its plugin's name without the namespace.
std::string CommandName(std::string_view plugin);

// What became of a command: it went well when it ended with status 0, however it did. `wire` is what its export
// returned. Sets report.exit_status.
Status SettleExit(Status done, std::span<const std::uint8_t> wire, CallReport& report);

}  // namespace cordon::runtime
