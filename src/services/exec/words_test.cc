#include "services/exec/words.h"

#include <gtest/gtest.h>

namespace cordon::services {
namespace {

using Words = std::vector<std::string>;

Words Of(std::string_view line) { return SplitCommand(line).value_or(Words{"(refused)"}); }

TEST(SplitCommand, BlanksQuotesAndBackslashesAsPosixHasThem) {
  EXPECT_EQ(Of("git log --oneline  -20"), (Words{"git", "log", "--oneline", "-20"}));
  EXPECT_EQ(Of("git commit -m 'two words' \"three of them\""),
            (Words{"git", "commit", "-m", "two words", "three of them"}));
  EXPECT_EQ(Of(R"(a\ b 'c\d' "e\"f\\g\h" i'j'"k")"), (Words{"a b", R"(c\d)", R"(e"f\g\h)", "ijk"}));
  EXPECT_EQ(Of("echo '' \"\""), (Words{"echo", "", ""}));
  EXPECT_EQ(Of("printf '%s\n' x#y"), (Words{"printf", "%s\n", "x#y"}));
  EXPECT_EQ(Of(R"(grep '$HOME|*' \$x "\$y")"), (Words{"grep", "$HOME|*", "$x", "$y"}));
}

TEST(SplitCommand, attack_107_WhatOnlyAShellCouldActOnIsRefused) {
  for (const char* line : {"git log | sh", "a && b",         "a; b",          "a &",  "a > b",   "a < b",  "echo $HOME",
                           "echo `id`",    "echo $(id)",     "(a)",           "rm *", "rm ?",    "ls ~",   "a\nb",
                           "a\rb",         "echo \"$(id)\"", "echo \"`id`\"", "a #b", "rm [ab]", "a \\\nb"}) {
    const auto split = SplitCommand(line);
    ASSERT_FALSE(split) << line;
    EXPECT_EQ(split.error().code, Code::kInvalid) << line;
  }
}

TEST(SplitCommand, attack_107_WhatIsNotWholeIsRefused) {
  for (const std::string_view line :
       {std::string_view(""), std::string_view(" \t "), std::string_view("a 'b"), std::string_view("a \"b"),
        std::string_view("a \\"), std::string_view("a\0b", 3), std::string_view("'a\0b'", 5)}) {
    EXPECT_FALSE(SplitCommand(line)) << line;
  }
}

}  // namespace
}  // namespace cordon::services
