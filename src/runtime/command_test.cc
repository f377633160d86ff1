#include "runtime/command.h"

#include <gtest/gtest.h>

namespace cordon::runtime {
namespace {

using manifest::CommandShape;
using Words = std::vector<std::string>;

CommandShape Shape(std::vector<CommandShape::Argument> arguments) {
  CommandShape shape;
  shape.arguments = std::move(arguments);
  return shape;
}

Words ArgumentsOf(const CommandShape& shape, std::string_view input) {
  auto given = CommandInputOf(shape, input);
  return given ? given->arguments : Words{std::string(CodeName(given.error().code))};
}

TEST(Command, WordsAndPropertiesAreArgumentsInTheirOrder) {
  const CommandShape shape = Shape({{"count", ""}, {"", "path"}, {"--limit", "limit"}, {"--sep=", "sep"}});
  EXPECT_EQ(ArgumentsOf(shape, R"({"path": "a b", "limit": 3, "sep": ","})"),
            (Words{"count", "a b", "--limit", "3", "--sep=,"}));
  EXPECT_EQ(ArgumentsOf(shape, R"({"path": null, "more": 1})"), (Words{"count"}));
  EXPECT_EQ(ArgumentsOf(shape, R"({"path": {"b": 1.5}, "limit": -2})"),
            (Words{"count", R"({"b":1.5})", "--limit", "-2"}));
  EXPECT_EQ(ArgumentsOf(shape, "3"), (Words{"count"}));
}

TEST(Command, AListIsAnArgumentForEachItem) {
  EXPECT_EQ(ArgumentsOf(Shape({{"", "paths"}, {"-x", "x"}}), R"({"paths": ["a", "b"], "x": [1, 2]})"),
            (Words{"a", "b", "-x", "1", "-x", "2"}));
}

TEST(Command, AFlagOfTrueStandsAlone) {
  const CommandShape shape = Shape({{"-v", "verbose"}, {"", "plain"}});
  EXPECT_EQ(ArgumentsOf(shape, R"({"verbose": true, "plain": true})"), (Words{"-v", "true"}));
  EXPECT_EQ(ArgumentsOf(shape, R"({"verbose": false})"), Words{});
}

TEST(attack_108, AnInputIsNeverAnOption) {
  const CommandShape bare = Shape({{"", "path"}});
  for (const char* input :
       {R"({"path": "--upload-pack=x"})", R"({"path": "-oProxyCommand=x"})", R"({"path": ["a", "-x"]})"}) {
    EXPECT_EQ(ArgumentsOf(bare, input), Words{"E_INPUT_SCHEMA"}) << input;
  }
  EXPECT_EQ(ArgumentsOf(bare, R"({"path": "-"})"), Words{"-"});
  EXPECT_EQ(ArgumentsOf(bare, R"({"path": -5})"), Words{"-5"});
  EXPECT_EQ(ArgumentsOf(Shape({{"--", ""}, {"", "path"}}), R"({"path": "--x"})"), (Words{"--", "--x"}));
  EXPECT_EQ(ArgumentsOf(bare, R"({"path": "a\u0000b"})"), Words{"E_BAD_STRING"});
}

TEST(Command, StandardInputIsNothingAllOrOneProperty) {
  CommandShape shape;
  const std::string_view input = R"({"text": "a\n", "n": [1]})";
  EXPECT_EQ(CommandInputOf(shape, input)->stdin_bytes, "");
  shape.standard_input = CommandShape::Stdin::kJson;
  EXPECT_EQ(CommandInputOf(shape, input)->stdin_bytes, input);
  shape.standard_input = CommandShape::Stdin::kProperty;
  shape.stdin_property = "text";
  EXPECT_EQ(CommandInputOf(shape, input)->stdin_bytes, "a\n");
  shape.stdin_property = "n";
  EXPECT_EQ(CommandInputOf(shape, input)->stdin_bytes, "[1]");
  shape.stdin_property = "none";
  EXPECT_EQ(CommandInputOf(shape, input)->stdin_bytes, "");
}

TEST(Command, StandardOutputIsTextLinesOrJson) {
  const auto output = [](CommandShape::Output kind, std::string_view written) {
    CommandShape shape;
    shape.output = kind;
    auto text = CommandOutputOf(shape, written);
    return text ? *text : std::string(CodeName(text.error().code));
  };
  EXPECT_EQ(output(CommandShape::Output::kText, "a\n"), R"("a\n")");
  EXPECT_EQ(output(CommandShape::Output::kLines, "a\n\nb"), R"(["a","","b"])");
  EXPECT_EQ(output(CommandShape::Output::kLines, ""), "[]");
  EXPECT_EQ(output(CommandShape::Output::kJson, " {\"a\": 1}\n"), R"({"a":1})");
  EXPECT_EQ(output(CommandShape::Output::kJson, ""), "E_OUTPUT_SCHEMA");
  EXPECT_EQ(output(CommandShape::Output::kJson, "{} {}"), "E_OUTPUT_SCHEMA");
  EXPECT_EQ(output(CommandShape::Output::kText, "\xff"), "E_BAD_STRING");
}

TEST(Command, AnEndIsAnErrorUnlessItsStatusIsZero) {
  const auto ended = [](std::string_view status) {
    return Status(Fail(Error(Code::kExit, "ended").With("status", std::string(status))));
  };
  CallReport report;
  EXPECT_TRUE(SettleExit(ended("0"), {}, report));
  EXPECT_EQ(report.exit_status, 0);
  report.stderr_text = std::string(5000, 'x') + "\x1b[31mlast\n";
  const Status failed = SettleExit(ended("3"), {}, report);
  ASSERT_FALSE(failed);
  EXPECT_EQ(report.exit_status, 3);
  EXPECT_EQ(failed.error().code, Code::kExit);
  EXPECT_TRUE(failed.error().Detail("stderr").ends_with("\\u001b[31mlast\n")) << failed.error().Detail("stderr");
  EXPECT_LT(failed.error().Detail("stderr").size(), 2100u);
  const std::uint8_t err[] = {1}, ok[] = {0};
  EXPECT_FALSE(SettleExit({}, err, report));
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_TRUE(SettleExit({}, ok, report));
}

}  // namespace
}  // namespace cordon::runtime
