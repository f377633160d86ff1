#include "cli/syntax.h"

#include <gtest/gtest.h>

#include "cli/command.h"

namespace cordon::cli {
namespace {

constexpr Positional kWords[] = {{"PLUGIN", "what to run"}, {"ACTION", "what to do", Positional::Count::kOptional}};
constexpr Option kOptions[] = {
    {"--grant", "CAP", "a grant", Option::Times::kMany}, {"--timeout", "TIME", "a limit"}, {"--debug", "", "a flag"}};
constexpr Syntax kSyntax = {.command = "run",
                            .summary = "run",
                            .positionals = kWords,
                            .options = kOptions,
                            .rest = Syntax::Rest::kTaken,
                            .settings = Syntax::Settings::kTaken};

Result<Arguments> Parse(std::vector<std::string> words) { return ParseArguments(kSyntax, words); }

TEST(Syntax, WordsAndOptionsMix) {
  const auto arguments = Parse({"--grant", "a", "p.wasm", "--debug", "--grant=b", "go", "--", "--timeout", "x"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->Get("PLUGIN"), "p.wasm");
  EXPECT_EQ(arguments->One("ACTION"), "go");
  EXPECT_EQ(arguments->All("--grant"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(arguments->Has("--debug"));
  EXPECT_FALSE(arguments->Has("--timeout"));
  EXPECT_EQ(arguments->rest, (std::vector<std::string>{"--timeout", "x"}));
}

TEST(Syntax, AnOptionTakesOneValueAndNoMore) {
  const auto arguments = Parse({"--grant", "a", "p.wasm", "go"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->All("--grant"), std::vector<std::string>{"a"});
}

TEST(Syntax, ValuesAreTakenAsTheyAre) {
  for (const char* value : {"[1,2]", "{\"a\": \"b, c\"}", "\"quoted\"", "-", "a=b=c", "%{x}", ""}) {
    const auto arguments = Parse({"p.wasm", "--grant", value});
    ASSERT_TRUE(arguments) << value;
    EXPECT_EQ(arguments->All("--grant"), std::vector<std::string>{value});
  }
}

TEST(Syntax, SettingsComeFromTheTableOfTheConfiguration) {
  const auto arguments = Parse({"p.wasm", "--plugins-limits-memory", "1MiB"});
  ASSERT_TRUE(arguments);
  ASSERT_EQ(arguments->settings.size(), 1u);
  EXPECT_EQ(arguments->settings[0], std::pair(std::string("--plugins-limits-memory"), std::string("1MiB")));
}

TEST(Syntax, MistakesNameTheFix) {
  const auto misspelled = Parse({"p.wasm", "--grnat", "x"});
  ASSERT_FALSE(misspelled);
  EXPECT_EQ(misspelled.error().code, Code::kUsage);
  EXPECT_EQ(misspelled.error().remedy, "did you mean '--grant'?");
  EXPECT_FALSE(Parse({}));
  EXPECT_FALSE(Parse({"a", "b", "c"}));
  EXPECT_FALSE(Parse({"a", "--timeout", "1s", "--timeout", "1s"}));
  EXPECT_FALSE(Parse({"a", "--timeout"}));
  EXPECT_FALSE(Parse({"a", "--debug=x"}));
}

TEST(Syntax, HelpAsksForNothingElse) {
  const auto arguments = Parse({"--help"});
  ASSERT_TRUE(arguments);
  EXPECT_TRUE(arguments->Has("--help"));
}

TEST(Command, FoundAmongCommonOptions) {
  std::vector<std::string> words = {"--json", "--config", "run", "plugin", "--quiet", "grants", "acme/x"};
  const auto command = FindCommand(words);
  ASSERT_TRUE(command);
  EXPECT_EQ((*command)->syntax.command, "plugin grants");
  EXPECT_EQ(words, (std::vector<std::string>{"--json", "--config", "run", "--quiet", "acme/x"}));
}

TEST(Command, UnknownOnesNameTheNearest) {
  std::vector<std::string> words = {"plugin", "valdate"};
  const auto command = FindCommand(words);
  ASSERT_FALSE(command);
  EXPECT_EQ(command.error().remedy, "did you mean 'cordon plugin validate'?");
}

}  // namespace
}  // namespace cordon::cli
