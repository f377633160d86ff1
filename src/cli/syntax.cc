#include "cli/syntax.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "manifest/config.h"

namespace cordon::cli {
namespace {

constexpr std::size_t kHelpColumn = 26;
constexpr std::size_t kHelpWidth = 100;

constexpr Option kCommon[] = {
    {"--json", "", "answer with one JSON document"},
    {"--quiet", "", "only results and errors"},
    {"--verbose", "", "say what is being done"},
    {"--config", "FILE", "instead of config.yaml of the user or the system", Option::Times::kOnce, Offer::kFile},
    {"--help", "", "this text"},
};

std::string Label(const Option& option) {
  std::string label(option.name);
  if (!option.value.empty()) label += " " + std::string(option.value);
  if (option.times == Option::Times::kMany) label += "…";
  return label;
}

std::string Label(const Positional& positional) {
  const std::string name(positional.name);
  switch (positional.count) {
    case Positional::Count::kOne: return name;
    case Positional::Count::kOptional: return "[" + name + "]";
    case Positional::Count::kAny: return "[" + name + "…]";
  }
  return name;
}

// Columns of text that is ASCII but for "…".
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void AddRow(std::string& out, std::string_view label, std::string_view help) {
  std::string line = "  " + std::string(label);
  if (Width(line) + 2 > kHelpColumn) {
    out += line + "\n";
    line.clear();
  }
  line.append(kHelpColumn - Width(line), ' ');
  while (!help.empty()) {
    std::size_t cut = help.size();
    if (kHelpColumn + Width(help) > kHelpWidth) cut = help.rfind(' ', kHelpWidth - kHelpColumn);
    out += line + std::string(help.substr(0, cut)) + "\n";
    help.remove_prefix(std::min(help.size(), cut + 1));
    line.assign(kHelpColumn, ' ');
  }
}

std::unexpected<Error> Usage(const Syntax& syntax, std::string message, std::string remedy = {}) {
  if (remedy.empty()) remedy = "see: cordon " + std::string(syntax.command) + " --help";
  return Fail(Code::kUsage, std::move(message), std::move(remedy));
}

std::unexpected<Error> Unexpected(const Syntax& syntax, const std::string& word, const CLI::App& app) {
  if (!word.starts_with('-') || word == "-") {
    return Usage(syntax, "'" + EscapeShort(word, 80) + "' is one argument too many");
  }
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = Nearest(name, views);
  return Usage(syntax, "unknown option '" + EscapeShort(name, 80) + "'",
               near.empty() ? "" : "did you mean '" + std::string(near) + "'?");
}

std::string LowerFirst(std::string text) {
  if (text.size() > 1 && !std::isupper(static_cast<unsigned char>(text[1]))) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  while (text.ends_with('.') || text.ends_with('\n')) text.pop_back();
  return Escape(text);
}

using Values = std::map<std::string, std::vector<std::string>, std::less<>>;

void AddOption(CLI::App& app, const Option& option, Values& values) {
  std::string names(option.name);
  if (names == "--help" || names == "--quiet" || names == "--verbose") names = "-" + names.substr(2, 1) + "," + names;
  std::vector<std::string>& slot = values[std::string(option.name)];
  if (option.value.empty()) {
    app.add_flag_callback(names, [&slot] { slot.emplace_back(); });
    return;
  }
  app.add_option(names, slot)->type_name(std::string(option.value))->allow_extra_args(false);
}

Status CheckCounts(const Syntax& syntax, const Values& values) {
  const auto check = [&](const Option& option) -> Status {
    const auto given = values.find(option.name);
    if (given == values.end() || option.value.empty() || option.times == Option::Times::kMany) return {};
    if (given->second.size() == 1) return {};
    return Usage(syntax, std::string(option.name) + " is given " + std::to_string(given->second.size()) + " times",
                 "give it once");
  };
  for (const Option& option : CommonOptions()) CORDON_TRY(check(option));
  for (const Option& option : syntax.options) CORDON_TRY(check(option));
  return {};
}

// Hands out the words that are no options, in order.
Status PlaceWords(const Syntax& syntax, std::span<const std::string> words, Values& values) {
  std::size_t next = 0;
  for (const Positional& positional : syntax.positionals) {
    const bool many = positional.count == Positional::Count::kAny;
    if (next == words.size() && positional.count == Positional::Count::kOne) {
      return Usage(syntax, std::string(positional.name) + " is missing", "write: " + UsageLine(syntax));
    }
    const std::size_t end = many ? words.size() : std::min(words.size(), next + 1);
    while (next < end) values[std::string(positional.name)].push_back(words[next++]);
  }
  if (next < words.size()) return Usage(syntax, "'" + EscapeShort(words[next], 80) + "' is one argument too many");
  return {};
}

}  // namespace

std::span<const Option> CommonOptions() { return kCommon; }

std::optional<std::string> Arguments::One(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front();
}

std::vector<std::string> Arguments::All(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

Result<Arguments> ParseArguments(const Syntax& syntax, std::span<const std::string> words) {
  Arguments arguments;
  std::vector<std::string> before(words.begin(), words.end());
  if (syntax.rest == Syntax::Rest::kTaken) {
    const auto dashes = std::find(before.begin(), before.end(), "--");
    if (dashes != before.end()) {
      arguments.rest.assign(dashes + 1, before.end());
      before.erase(dashes, before.end());
    }
  }
  Values& values = arguments.values_;
  Values settings;
  std::vector<std::string> plain;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  for (const Option& option : kCommon) AddOption(app, option, values);
  for (const Option& option : syntax.options) AddOption(app, option, values);
  if (syntax.settings == Syntax::Settings::kTaken) {
    for (const manifest::Setting& setting : manifest::Settings()) {
      AddOption(app, {setting.flag, "VALUE", setting.description}, settings);
    }
  }
  app.add_option("WORDS", plain);
  try {
    std::reverse(before.begin(), before.end());
    app.parse(before);
  } catch (const CLI::ParseError& error) {
    return Usage(syntax, LowerFirst(error.what()));
  }
  std::erase_if(values, [](const auto& entry) { return entry.second.empty(); });
  if (values.contains("--help")) return arguments;
  if (const std::vector<std::string> extra = app.remaining(); !extra.empty()) {
    return Unexpected(syntax, extra.front(), app);
  }
  CORDON_TRY(CheckCounts(syntax, values));
  CORDON_TRY(PlaceWords(syntax, plain, values));
  for (const auto& [flag, given] : settings) {
    if (!given.empty()) arguments.settings.emplace_back(flag, given.back());
  }
  return arguments;
}

std::string UsageLine(const Syntax& syntax) {
  std::string line = "cordon " + std::string(syntax.command);
  for (const Positional& positional : syntax.positionals) line += " " + Label(positional);
  line += " [options]";
  if (syntax.rest == Syntax::Rest::kTaken) line += " [-- ARGS…]";
  return line;
}

std::string HelpText(const Syntax& syntax) {
  std::string out = "Usage: " + UsageLine(syntax) + "\n" + std::string(syntax.summary) + "\n\n";
  for (const Positional& positional : syntax.positionals) AddRow(out, positional.name, positional.help);
  for (const Option& option : syntax.options) AddRow(out, Label(option), option.help);
  if (syntax.settings == Syntax::Settings::kTaken) {
    AddRow(out, "--plugins-…", "any key of config.yaml (man cordon): --plugins-limits-memory 64MiB");
  }
  for (const Option& option : kCommon) AddRow(out, Label(option), option.help);
  return out;
}

}  // namespace cordon::cli
