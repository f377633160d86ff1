// How an action of a command turns its input into arguments and standard input, and standard output into its output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::manifest {

inline constexpr std::size_t kCommandArgumentsMax = 64;

struct CommandShape {
  struct Argument {
    std::string text;   // as it stands; or the flag before the value, if any
    std::string input;  // the property of the input that is the value; empty: none
  };
  std::vector<Argument> arguments;

  enum class Stdin : std::uint8_t { kNone, kJson /* the whole input */, kProperty } standard_input = Stdin::kNone;
  std::string stdin_property;

  enum class Output : std::uint8_t { kText, kJson, kLines } output = Output::kText;

  // Whether a text of the input that begins with '-' may be an argument where no `--` or flag stands before it.
  enum class Dashes : std::uint8_t { kRefused, kTaken } dashes = Dashes::kRefused;

  // Of a plugin for fledge that gives none: {"args": [...]}, each as it stands.
  static CommandShape OfArguments() {
    CommandShape shape;
    shape.arguments.push_back({"", "args"});
    shape.dashes = Dashes::kTaken;
    return shape;
  }
};

class Findings;
}  // namespace cordon::manifest

namespace cordon::yaml {
struct Node;
}

namespace cordon::manifest {

// `command` of an action. Nothing after a finding: E_TYPE, E_LIMIT, E_UNKNOWN_KEY, E_MISSING, E_RANGE, E_INVALID.
std::optional<CommandShape> ReadCommandShape(Findings& findings, const yaml::Node& node, const std::string& path);

}  // namespace cordon::manifest
