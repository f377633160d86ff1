#include "manifest/command_shape.h"

#include <array>

#include "formats/yaml.h"
#include "manifest/fields.h"
#include "manifest/keys.h"

namespace cordon::manifest {
namespace {

using yaml::Node;

constexpr std::array<std::string_view, 2> kStdins = {"none", "json"};
constexpr std::array<std::string_view, 3> kOutputs = {"text", "json", "lines"};

std::optional<std::string> ReadProperty(Findings& findings, const Fields& fields) {
  const Node* node = fields.Require("input", "name a property of the action's input");
  if (node == nullptr) return std::nullopt;
  auto name = ReadText(findings, *node, fields.NameOf("input"));
  if (name && name->empty()) {
    findings.At(*node, Code::kInvalid, "'" + fields.NameOf("input") + "' names no property", "write its name");
    return std::nullopt;
  }
  return name;
}

void ReadArgument(Findings& findings, const Node& node, const std::string& path, CommandShape& shape) {
  CommandShape::Argument argument;
  if (node.kind == Node::Kind::kMapping) {
    const Fields fields(findings, &node, path, KeysAt(ManifestKeys(), "actions.*.command.args[]"));
    argument.input = ReadProperty(findings, fields).value_or("");
    argument.text = fields.Text("flag").value_or("");
  } else {
    argument.text = ReadText(findings, node, path).value_or("");
  }
  shape.arguments.push_back(std::move(argument));
}

}  // namespace

std::optional<CommandShape> ReadCommandShape(Findings& findings, const Node& node, const std::string& path) {
  if (node.kind != Node::Kind::kMapping) {
    findings.At(node, Code::kType, "'" + path + "' must be a mapping, not " + std::string(KindName(node)),
                "write args, stdin and output below it");
    return std::nullopt;
  }
  const Fields fields(findings, &node, path, KeysAt(ManifestKeys(), "actions.*.command"));
  CommandShape shape;
  for (const Node& item : ItemsOf(findings, fields.Get("args"), path + ".args", kCommandArgumentsMax)) {
    ReadArgument(findings, item, path + ".args", shape);
  }
  if (const Node* given = fields.Get("stdin"); given != nullptr && given->kind == Node::Kind::kMapping) {
    const Fields from(findings, given, path + ".stdin", KeysAt(ManifestKeys(), "actions.*.command.stdin"));
    shape.standard_input = CommandShape::Stdin::kProperty;
    shape.stdin_property = ReadProperty(findings, from).value_or("");
  } else if (given != nullptr) {
    const auto word = ReadWord(findings, *given, path + ".stdin", kStdins);
    if (word == 1) shape.standard_input = CommandShape::Stdin::kJson;
  }
  if (const Node* output = fields.Get("output")) {
    const auto word = ReadWord(findings, *output, path + ".output", kOutputs);
    if (word) shape.output = static_cast<CommandShape::Output>(*word);
  }
  return shape;
}

}  // namespace cordon::manifest
