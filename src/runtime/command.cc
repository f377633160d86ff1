#include "runtime/command.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace cordon::runtime {
namespace {

using manifest::CommandShape;

constexpr std::string_view kStatus = "status";
constexpr std::size_t kStderrTailBytes = 2000;

int StatusOf(const Error& error) {
  const std::string_view text = error.Detail(kStatus);
  std::int64_t status = 0;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return static_cast<int>(status);
}

// The last words of a command, for whoever called it.
void TellStderr(Error& error, std::string_view text) {
  if (text.empty()) return;
  const std::string_view tail = text.substr(text.size() - std::min(text.size(), kStderrTailBytes));
  error.details.emplace_back("stderr", Escape(tail, Lines::kKeep));
}

const Json* Find(const Json& input, const std::string& property) {
  if (!input.is_object()) return nullptr;
  const auto found = input.find(property);
  return found == input.end() || found->is_null() ? nullptr : &*found;
}

std::string TextOf(const Json& value) { return value.is_string() ? value.get<std::string>() : json::Dump(value); }

// Puts the arguments of one command together.
class Arguments {
 public:
  explicit Arguments(CommandShape::Dashes dashes) : options_end_(dashes == CommandShape::Dashes::kTaken) {}

  Status Add(const CommandShape::Argument& argument, const Json& input) {
    if (argument.input.empty()) {
      options_end_ = options_end_ || argument.text == "--";
      out_.push_back(argument.text);
      return {};
    }
    const Json* value = Find(input, argument.input);
    if (value == nullptr) return {};
    if (value->is_boolean() && !argument.text.empty()) {
      if (value->get<bool>()) out_.push_back(argument.text);
      return {};
    }
    if (!value->is_array()) return AddValue(argument, *value);
    for (const Json& item : *value) CORDON_TRY(AddValue(argument, item));
    return {};
  }

  std::vector<std::string> Take() && { return std::move(out_); }

 private:
  Status AddValue(const CommandShape::Argument& argument, const Json& value) {
    const std::string text = TextOf(value);
    if (text.find('\0') != std::string::npos) {
      return Fail(Error(Code::kBadString, "the input's '" + argument.input + "' holds a NUL, which no argument can")
                      .With("path", "/" + argument.input));
    }
    if (argument.text.ends_with('=')) {
      out_.push_back(argument.text + text);
      return {};
    }
    const bool is_option = value.is_string() && argument.text.empty() && text.size() > 1 && text.front() == '-';
    if (is_option && !options_end_) {
      return Fail(Error(Code::kInputSchema,
                        "the input's '" + argument.input + "' begins with '-', so it would be taken for an option",
                        "pass another text, or write '--' before it in the args of plugin.yaml")
                      .With("path", "/" + argument.input));
    }
    if (!argument.text.empty()) out_.push_back(argument.text);
    out_.push_back(text);
    return {};
  }

  std::vector<std::string> out_;
  bool options_end_;
};

Result<std::string> LinesOf(std::string_view written) {
  Json lines = Json::array();
  while (!written.empty()) {
    const std::size_t end = written.find('\n');
    lines.push_back(std::string(written.substr(0, end)));
    written.remove_prefix(end == std::string_view::npos ? written.size() : end + 1);
  }
  return json::Dump(lines);
}

}  // namespace

std::string CommandName(std::string_view plugin) { return std::string(plugin.substr(plugin.rfind('/') + 1)); }

Status SettleExit(Status done, std::span<const std::uint8_t> wire, CallReport& report) {
  if (!done && done.error().code == Code::kExit) {
    report.exit_status = StatusOf(done.error());
    if (report.exit_status == 0) return {};
  }
  // Of a component: result<_, _>.
  if (done && !wire.empty() && wire[0] != 0) {
    report.exit_status = 1;
    done = Fail(Error(Code::kExit, "the guest ended itself with status 1").With(std::string(kStatus), "1"));
  }
  if (done) return done;
  Error error = std::move(done).error();
  if (error.code == Code::kExit) error.backtrace.clear();  // it meant to
  TellStderr(error, report.stderr_text);
  return Fail(std::move(error));
}

Result<CommandInput> CommandInputOf(const CommandShape& shape, std::string_view input_json) {
  CORDON_ASSIGN(const Json input, json::Parse(input_json));
  CommandInput given;
  Arguments arguments(shape.dashes);
  for (const CommandShape::Argument& argument : shape.arguments) CORDON_TRY(arguments.Add(argument, input));
  given.arguments = std::move(arguments).Take();
  switch (shape.standard_input) {
    case CommandShape::Stdin::kNone: break;
    case CommandShape::Stdin::kJson: given.stdin_bytes = input_json; break;
    case CommandShape::Stdin::kProperty:
      if (const Json* value = Find(input, shape.stdin_property)) given.stdin_bytes = TextOf(*value);
  }
  return given;
}

Result<std::string> CommandOutputOf(const CommandShape& shape, std::string_view written) {
  if (!IsUtf8(written)) {
    return Fail(Code::kBadString, "what the command wrote is not UTF-8", "report this to the plugin's author");
  }
  switch (shape.output) {
    case CommandShape::Output::kText: return json::Dump(Json(std::string(written)));
    case CommandShape::Output::kLines: return LinesOf(written);
    case CommandShape::Output::kJson: break;
  }
  auto value = json::Parse(written, "stdout", {.bytes = SIZE_MAX});
  if (value) return json::Dump(*value);
  Error error(Code::kOutputSchema, "what the command wrote is not JSON: " + value.error().message,
              "report this to the plugin's author");
  error.causes.push_back(std::move(value).error());
  return Fail(std::move(error));
}

Json CommandInputSchema(const CommandShape& shape) {
  Json properties = Json::object();
  for (const CommandShape::Argument& argument : shape.arguments) {
    if (!argument.input.empty()) properties[argument.input] = Json::object();
  }
  if (shape.standard_input == CommandShape::Stdin::kProperty) properties[shape.stdin_property] = Json::object();
  return {{"type", "object"}, {"properties", std::move(properties)}};
}

Json CommandOutputSchema(const CommandShape& shape) {
  switch (shape.output) {
    case CommandShape::Output::kText: return {{"type", "string"}};
    case CommandShape::Output::kLines: return {{"type", "array"}, {"items", {{"type", "string"}}}};
    case CommandShape::Output::kJson: break;
  }
  return Json::object();
}

}  // namespace cordon::runtime
