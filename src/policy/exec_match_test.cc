#include "policy/exec_match.h"

#include <gtest/gtest.h>

#include <string>

#include "policy/ceiling.h"

namespace cordon::policy {
namespace {

using Form = ExecArgument::Form;

Capability Of(std::string_view text) {
  auto capability = Capability::Parse(text);
  EXPECT_TRUE(capability.has_value()) << text << ": " << capability.error().message;
  return *capability;
}

bool Covers(std::string_view wide, std::string_view one) { return Of(wide).Covers(Of(one)); }

TEST(ExecMatch, ArgumentsMatchOneByOne) {
  EXPECT_TRUE(Covers("exec:git log", "exec:git log"));
  EXPECT_FALSE(Covers("exec:git log", "exec:git log x"));
  EXPECT_FALSE(Covers("exec:git log <re:.*>", "exec:git log"));
  EXPECT_FALSE(Covers("exec:git log", "exec:gitk log"));
  EXPECT_TRUE(Covers("exec:git log <re:[0-9a-f]{7,40}>", "exec:git log 0123abc"));
  EXPECT_FALSE(Covers("exec:git log <re:[0-9a-f]{7,40}>", "exec:git log 0123abc.x"));
  EXPECT_TRUE(Covers("exec:git <one-of:log|show>", "exec:git show"));
  EXPECT_FALSE(Covers("exec:git <one-of:log|show>", "exec:git sho"));
  EXPECT_TRUE(Covers("exec:seq <int:-3..9>", "exec:seq -3"));
  for (const char* number : {"-4", "10", "+1", "01", "1.0", "0x1", "-0", "99999999999999999999"}) {
    EXPECT_FALSE(Covers("exec:seq <int:-3..9>", "exec:seq " + std::string(number))) << number;
  }
}

TEST(ExecMatch, APathIsNotTheSameText) {
  EXPECT_TRUE(Covers("exec:cat <path:/data>", "exec:cat <path:/data/a%20b/c>"));
  EXPECT_TRUE(Covers("exec:cat <path:/data>", "exec:cat <path:/data>"));
  EXPECT_FALSE(Covers("exec:cat <path:/data>", "exec:cat <path:/database>"));
  EXPECT_FALSE(Covers("exec:cat <path:/data>", "exec:cat /data/x"));
  EXPECT_FALSE(Covers("exec:cat <re:.*>", "exec:cat <path:/data>"));
  for (const char* path : {"/data/../x", "/data/./x", "/data//x", "/data/", "data", "/"}) {
    EXPECT_FALSE(Capability::Parse("exec:cat <path:" + std::string(path) + ">").has_value()) << path;
  }
}

TEST(ExecMatch, WhatBothTakeIsNoWiderThanEither) {
  const auto both = [](const char* a, const char* b) -> std::string {
    const auto x = Intersect(Of(a), Of(b)), y = Intersect(Of(b), Of(a));
    EXPECT_EQ(x, y) << a << ", " << b;
    return x ? x->ToString() : "";
  };
  EXPECT_EQ(both("exec:x <one-of:a|b|c>", "exec:x <one-of:c|d|b>"), "exec:x <one-of:b|c>");
  EXPECT_EQ(both("exec:x <one-of:a|b1|-b2>", "exec:x <re:.b?[0-9]>"), "exec:x <one-of:b1>");
  EXPECT_EQ(both("exec:x <int:1..9>", "exec:x <int:5..20>"), "exec:x <int:5..9>");
  EXPECT_EQ(both("exec:x <int:1..4>", "exec:x <int:5..20>"), "");
  EXPECT_EQ(both("exec:x <path:/data>", "exec:x <path:/data/sub>"), "exec:x <path:/data/sub>");
  EXPECT_EQ(both("exec:x <re:a+>", "exec:x aaa"), "exec:x aaa");
  EXPECT_EQ(both("exec:x <re:a+>", "exec:x <re:a*>"), "");
  EXPECT_EQ(both("exec:x <re:.*>", "exec:x --all"), "");
  EXPECT_EQ(both("exec:x <re:.*>", "exec:x <path:/data>"), "");
}

TEST(ExecMatch, HasOneSpellingOfChoicesAndRanges) {
  EXPECT_EQ(Of("exec:x <one-of:b|a|b>").ToString(), "exec:x <one-of:a|b>");
  EXPECT_EQ(Of("exec:x <int:01..9>").ToString(), "exec:x <int:1..9>");
}

TEST(ExecMatch, attack_25_APatternIsReadInLinearTimeAndBoundedMemory) {
  // Each would keep a matcher that goes back busy for longer than a test lives.
  const std::string value = std::string(500, 'a') + "!";
  for (const char* pattern : {"(a+)+", "(a|a)*", "(a|aa)+", "(.*a){25}", "(a*)*b", "((a+)+)+"}) {
    ASSERT_TRUE(CheckPattern(pattern).has_value()) << pattern;
    EXPECT_FALSE(Takes({Form::kPattern, pattern}, value)) << pattern;
    if (std::string_view(pattern) != "(a*)*b") {
      EXPECT_TRUE(Takes({Form::kPattern, pattern}, value.substr(0, 500))) << pattern;
    }
  }
  for (const char* pattern : {"(((a{100}){100}){100}){100}", "a{100000}"}) {
    EXPECT_EQ(CheckPattern(pattern).error().code, Code::kLimit) << pattern;
  }
  for (const char* pattern : {"(a)\\1", "(?=a)", "(?<!a)b", "(", "[z-a]"}) {
    EXPECT_EQ(CheckPattern(pattern).error().code, Code::kSyntax) << pattern;
  }
}

TEST(ExecMatch, attack_111_APatternHoldsFromEndToEnd) {
  EXPECT_FALSE(Takes({Form::kPattern, "[0-9]+"}, "1\n--x"));
  EXPECT_FALSE(Takes({Form::kPattern, "[0-9]+$"}, "1\n"));
  EXPECT_FALSE(Takes({Form::kPattern, "(?m)^[0-9]+$"}, "1\nx"));
  EXPECT_FALSE(Takes({Form::kPattern, "a|b"}, "ab"));
  EXPECT_FALSE(Takes({Form::kPattern, ".*"}, ""));
}

TEST(ExecMatch, attack_108_NoPatternTakesAnOption) {
  for (const char* value : {"-", "--x", "-oProxyCommand=x", "@file", "+cmd"}) {
    EXPECT_FALSE(Takes({Form::kPattern, "(?s).*"}, value)) << value;
    EXPECT_FALSE(Takes({Form::kPattern, "[-@+].*"}, value)) << value;
    EXPECT_TRUE(Takes({Form::kLiteral, value}, value)) << value;
  }
}

TEST(ExecMatch, attack_110_ALauncherIsGrantedWithAllThatItRuns) {
  const auto check = [](const char* text) { return CheckWidth(Of(text), Level::kDefault).has_value(); };
  EXPECT_TRUE(check("exec:sh -c true"));
  EXPECT_TRUE(check("exec:timeout <int:1..9> <one-of:ls|id>"));
  EXPECT_TRUE(check("exec:find <path:/data> -name <re:[a-z]+>"));
  EXPECT_TRUE(check("exec:git log <re:.*>"));
  EXPECT_TRUE(check("exec:shasum <re:.*>"));
  for (const char* text : {"exec:sh", "exec:sh -c <re:.*>", "exec:python3.12 <path:/x>", "exec:git",
                           "exec:git <re:l.g>", "exec:vim.tiny <path:/x>", "exec:perl5.36 <re:x>"}) {
    EXPECT_FALSE(check(text)) << text;
  }
  // By the name of the file that a harmless name leads to.
  const Capability view = Of("exec:show <path:/data>");
  EXPECT_EQ(CheckLauncher(*view.exec(), "mawk").error().code, Code::kGrantTooWide);
  EXPECT_TRUE(CheckLauncher(*view.exec(), "cat").has_value());
}

TEST(ExecMatch, SaysWhetherAnythingIsLeftToThePlugin) {
  EXPECT_FALSE(HasPattern(*Of("exec:git log --oneline").exec()));
  for (const char* text : {"exec:git <one-of:a|b>", "exec:git <int:1..2>", "exec:git <path:/x>", "exec:git <re:x>"}) {
    EXPECT_TRUE(HasPattern(*Of(text).exec())) << text;
  }
}

}  // namespace
}  // namespace cordon::policy
