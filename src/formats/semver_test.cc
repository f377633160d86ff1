#include "formats/semver.h"

#include <gtest/gtest.h>

namespace cordon::semver {
namespace {

TEST(Semver, VersionsAreStrict) {
  EXPECT_EQ(*ParseVersion("1.4.0"), "1.4.0");
  EXPECT_EQ(*ParseVersion("1.4.0-rc.1+build.7"), "1.4.0-rc.1");
  for (const char* text :
       {"", "1", "1.4", "v1.4.0", "1.4.0 ", "01.4.0", "1.4.0-", "1.4.x", "99999999999999999999.0.0"}) {
    auto version = ParseVersion(text);
    ASSERT_FALSE(version.has_value()) << text;
    EXPECT_EQ(version.error().code, Code::kName);
  }
  EXPECT_FALSE(ParseVersion(std::string(100'000, '1')).has_value());
  EXPECT_EQ(ParseVersion("1.0.0\xff").error().code, Code::kBadString);
}

TEST(Semver, PrecedenceIsThatOfTheStandard) {
  EXPECT_EQ(Compare("1.0.0", "1.0.1"), -1);
  EXPECT_EQ(Compare("1.10.0", "1.9.0"), 1);
  EXPECT_EQ(Compare("1.0.0-alpha.1", "1.0.0-alpha.beta"), -1);
  EXPECT_EQ(Compare("1.0.0-rc.1", "1.0.0"), -1);
  EXPECT_EQ(Compare("1.0.0+a", "1.0.0+b"), 0);
}

TEST(Semver, RangesTakeSpacesOrCommas) {
  for (const char* range : {">=0.1 <2", ">=0.1,<2", ">= 0.1, < 2"}) {
    EXPECT_TRUE(*Matches("0.1.0", range)) << range;
    EXPECT_TRUE(*Matches("1.99.0", range)) << range;
    EXPECT_FALSE(*Matches("2.0.0", range)) << range;
    EXPECT_FALSE(*Matches("0.0.9", range)) << range;
  }
  EXPECT_TRUE(*Matches("2.9.0", "^2.1"));
  EXPECT_FALSE(*Matches("3.0.0", "^2.1"));
  EXPECT_TRUE(*Matches("1.2.9", "~1.2"));
  for (const char* range : {"", ">=", "1 || 2", "latest", ">=0.1,,<2"}) {
    EXPECT_EQ(Matches("1.0.0", range).error().code, Code::kName) << range;
  }
  EXPECT_EQ(Matches("1.0", "^1").error().code, Code::kName);
}

}  // namespace
}  // namespace cordon::semver
