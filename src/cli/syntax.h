// What a command takes: one table from which come the parser, `--help`, the shell completions and the test of the man
// pages.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cordon/result.h"

namespace cordon::cli {

// What a shell may offer for a word.
enum class Offer : std::uint8_t { kNothing, kFile, kFolder, kWords };

struct Option {
  std::string_view name;   // "--grant"
  std::string_view value;  // "CAP"; empty: a flag, which takes no value
  std::string_view help;
  enum class Times : std::uint8_t { kOnce, kMany } times = Times::kOnce;
  Offer offer = Offer::kNothing;
  std::string_view words = {};  // for kWords, separated by spaces
};

struct Positional {
  std::string_view name;  // "PLUGIN"
  std::string_view help;
  enum class Count : std::uint8_t { kOne, kOptional, kAny } count = Count::kOne;
  Offer offer = Offer::kNothing;
  std::string_view words = {};
};

struct Syntax {
  std::string_view command;  // "plugin grant"
  std::string_view summary;  // one sentence
  std::span<const Positional> positionals = {};
  std::span<const Option> options = {};
  enum class Rest : std::uint8_t { kRefused, kTaken } rest = Rest::kRefused;              // words after `--`
  enum class Settings : std::uint8_t { kRefused, kTaken } settings = Settings::kRefused;  // of config.yaml
};

// Options that every command has: --json, --quiet, --verbose, --config, --help.
std::span<const Option> CommonOptions();

// The words of one command, parsed. A value type.
class Arguments {
 public:
  bool Has(std::string_view name) const { return values_.contains(name); }
  // The value of an option (`--input`) or positional (`PLUGIN`), or nothing.
  std::optional<std::string> One(std::string_view name) const;
  std::vector<std::string> All(std::string_view name) const;
  // REQUIRES: a positional of Count::kOne.
  std::string Get(std::string_view name) const { return *One(name); }

  std::vector<std::string> rest;                              // after `--`
  std::vector<std::pair<std::string, std::string>> settings;  // "--plugins-limits-memory", "64MiB"

 private:
  friend Result<Arguments> ParseArguments(const Syntax& syntax, std::span<const std::string> words);
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// E_USAGE, with the nearest option where one is unknown. With --help nothing else is asked for.
Result<Arguments> ParseArguments(const Syntax& syntax, std::span<const std::string> words);

// The whole text of `cordon COMMAND --help`.
std::string HelpText(const Syntax& syntax);
// "cordon run PLUGIN [ACTION] [options] [-- ARGS…]"
std::string UsageLine(const Syntax& syntax);

}  // namespace cordon::cli
