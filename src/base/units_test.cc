#include "base/units.h"

#include <gtest/gtest.h>

namespace cordon {
namespace {

TEST(Units, OneSpellingEachWay) {
  for (const char* text : {"1B", "64MiB", "512KiB", "3GiB", "1500B"}) EXPECT_EQ(FormatBytes(*ParseBytes(text)), text);
  for (const char* text : {"5s", "500ms", "10us", "2m", "1h", "90s"}) {
    EXPECT_EQ(FormatDuration(*ParseDuration(text)), text);
  }
  EXPECT_EQ(FormatRate(*ParseRate("60/min")), "60/min");
  EXPECT_EQ(FormatByteRate(*ParseByteRate("20MiB/s")), "20MiB/s");
}

TEST(Units, ZeroNeverMeansUnlimited) {
  EXPECT_EQ(ParseBytes("0B").error().code, Code::kRange);
  EXPECT_EQ(ParseDuration("0s").error().code, Code::kRange);
  EXPECT_EQ(ParseRate("0/min").error().code, Code::kRange);
}

TEST(Units, OtherSpellingsAreErrors) {
  for (const char* text : {"", "64", "64 MiB", "64MB", "-1B", "+1B", "0x10B", "01B", "1e3B", "MiB", "1.5GiB"}) {
    EXPECT_EQ(ParseBytes(text).error().code, Code::kType) << text;
  }
  EXPECT_EQ(ParseBytes("18446744073709551616B").error().code, Code::kRange);
  EXPECT_EQ(ParseBytes("17179869184GiB").error().code, Code::kRange);
  EXPECT_EQ(ParseDuration("9999999h").error().code, Code::kRange);
}

TEST(Error, EveryCodeHasItsName) {
  EXPECT_EQ(CodeName(Code::kSyntax), "E_SYNTAX");
  EXPECT_EQ(CodeName(Code::kUnenforceable), "E_UNENFORCEABLE");
  EXPECT_EQ(CodeName(Code::kTimeout), "E_TIMEOUT");
  EXPECT_EQ(CodeName(Code::kInternal), "E_INTERNAL");
  EXPECT_EQ(ExitCode(Code::kDenied), 3);
}

}  // namespace
}  // namespace cordon
