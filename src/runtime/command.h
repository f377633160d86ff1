// Commands: what a program is given, and what its end means. For this room only; pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "formats/json.h"
#include "manifest/command_shape.h"
#include "runtime/plugin.h"

namespace cordon::runtime {

// The first argument of a command: its plugin's name without the namespace.
std::string CommandName(std::string_view plugin);

// What became of a command: it went well when it ended with status 0, however it did. `wire` is what its export
// returned. Sets report.exit_status; an error has the end of what the command wrote to stderr.
Status SettleExit(Status done, std::span<const std::uint8_t> wire, CallReport& report);

struct CommandInput {
  std::vector<std::string> arguments;  // after the command's own name
  std::string stdin_bytes;
};

// An action's input as its command takes it. E_SYNTAX; E_BAD_STRING for a NUL in an argument; E_INPUT_SCHEMA for a text
// that would be taken for an option.
Result<CommandInput> CommandInputOf(const manifest::CommandShape& shape, std::string_view input_json);

// What a command wrote, as the action's output. E_BAD_STRING, E_OUTPUT_SCHEMA.
Result<std::string> CommandOutputOf(const manifest::CommandShape& shape, std::string_view written);

// What is known of an action when its manifest gives no schemas.
Json CommandInputSchema(const manifest::CommandShape& shape);
Json CommandOutputSchema(const manifest::CommandShape& shape);

}  // namespace cordon::runtime
