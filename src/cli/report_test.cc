#include "cli/report.h"

#include <gtest/gtest.h>

namespace cordon::cli {
namespace {

const Terminal kPlain;

TEST(Report, AnErrorHasItsPlaceAndACaret) {
  Error error(Code::kUnknownKey, "unknown key 'permisions'", "did you mean 'permissions'?");
  error.place = Place{"plugin.yaml", 7, 3, "  permisions:"};
  EXPECT_EQ(ErrorText(error, kPlain),
            "error[E_UNKNOWN_KEY]: unknown key 'permisions'\n"
            " --> plugin.yaml:7:3\n"
            "  |\n"
            "7 |   permisions:\n"
            "  |   ^\n"
            "  fix: did you mean 'permissions'?\n");
}

TEST(Report, CausesAreAList) {
  Error error(Code::kLink, "2 imports were not linked");
  error.causes.push_back(Error(Code::kLink, "env.system was not linked", "build without it").With("rule", "unknown"));
  error.causes.push_back(Error(Code::kLink, "env.exec was not linked"));
  EXPECT_EQ(ErrorText(error, kPlain),
            "error[E_LINK]: 2 imports were not linked\n"
            "  - E_LINK env.system was not linked\n"
            "      rule: unknown\n"
            "      fix: build without it\n"
            "  - E_LINK env.exec was not linked\n");
}

TEST(Report, TheCaretStandsUnderItsCharacter) {
  Error error(Code::kType, "wrong");
  error.place = Place{"f", 1, 4, "\té\x1bX"};
  const std::string text = ErrorText(error, kPlain);
  // A tab is one column, and what is escaped takes the columns that it is shown with.
  EXPECT_NE(text.find("1 |  é\\u001bX\n  |         ^\n"), std::string::npos) << text;
}

TEST(Report, LongLinesAreCutAroundTheCaret) {
  Error error(Code::kType, "wrong");
  error.place = Place{"f", 1, 5001, std::string(5000, 'a') + "X" + std::string(5000, 'b')};
  const std::string text = ErrorText(error, kPlain);
  EXPECT_LT(text.size(), 400u);
  EXPECT_NE(text.find("aX"), std::string::npos);
}

TEST(Report, attack_155_TextFromOutsideIsEscapedAndCannotForgeALine) {
  Error error(Code::kTrap, "trap\x1b[31m\nerror[E_DENIED]: forged", "do\x07 this");
  error.details.emplace_back("k\x1b", "v\u202e\n  fix: forged");
  error.place = Place{"a\nb", 1, 9999, "\x9b"};
  error.backtrace = "frame\x1b]52;c;x\x07\nframe";
  const std::string text = ErrorText(error, kPlain);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
  EXPECT_EQ(text.find("\nerror["), std::string::npos);
  EXPECT_EQ(text.find("\n  fix: forged"), std::string::npos);
  const std::string document = SafeJson(ErrorJson(error));
  EXPECT_EQ(document.find('\x1b'), std::string::npos);
  EXPECT_EQ(document.find('\n'), std::string::npos);
}

TEST(Report, JsonIsSafeOnATerminalAndStillTheSameJson) {
  const OrderedJson value = {{"a\u202e", "\x7f\x1b"}, {"bytes", "\xff"}, {"n", {1, 2.5, nullptr, true}}};
  const std::string text = SafeJson(value);
  EXPECT_EQ(text, R"({"a\u202e":"\u007f\u001b","bytes":"\\xff","n":[1,2.5,null,true]})");
}

TEST(Report, PrettyKeepsTextAndNumbersAsTheyAre) {
  EXPECT_EQ(PrettyJson(R"({"a":[1.0,1e3,"{\"x\":[]}\\"],"b":{},"c":[ ]})"),
            "{\n  \"a\": [\n    1.0,\n    1e3,\n    \"{\\\"x\\\":[]}\\\\\"\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

TEST(Report, ADetailThatComesTwiceIsAList) {
  const Error error = Error(Code::kChanged, "m").With("grant", "a").With("grant", "b").With("was", "c");
  EXPECT_EQ(SafeJson(ErrorJson(error)["details"]), R"({"grant":["a","b"],"was":"c"})");
}

}  // namespace
}  // namespace cordon::cli
