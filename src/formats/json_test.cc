#include "formats/json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

namespace cordon::json {
namespace {

Error Refused(std::string_view text, const Limits& limits = {}) {
  auto value = Parse(text, "args.json", limits);
  EXPECT_FALSE(value.has_value()) << text.substr(0, 200);
  return value ? Error() : std::move(value).error();
}

TEST(Json, ReadsValues) {
  auto value = Parse(R"({"a": [1, -2, 0.5, "x\u00e9\ud83d\ude00", true, null], "b": {}})");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(Dump(*value), "{\"a\":[1,-2,0.5,\"xé😀\",true,null],\"b\":{}}");
  EXPECT_EQ(Parse("18446744073709551615")->get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(Parse(" \"top\" ")->get<std::string>(), "top");
}

TEST(Json, SyntaxErrorsHaveAPlace) {
  Error error = Refused("{\n  \"é\": 1,\n  \"b\": x\n}");
  EXPECT_EQ(error.code, Code::kSyntax);
  EXPECT_EQ(error.place->file, "args.json");
  EXPECT_EQ(error.place->line, 3u);
  EXPECT_EQ(error.place->column, 8u);
  EXPECT_EQ(error.place->excerpt, "  \"b\": x");
  for (const char* text :
       {"",         " ",       "{",        "[1,]",          "{\"a\":1,}", "01",  "+1",      "1.",
        ".5",       "NaN",     "Infinity", "'a'",           "{a:1}",      "1 2", "\"\\x\"", "\"\\ud800\"",
        "\"a\nb\"", "// c\n1", "tru",      "\xef\xbb\xbf ]"}) {
    EXPECT_EQ(Refused(text).code, Code::kSyntax) << text;
  }
  EXPECT_LT(Refused("[\"" + std::string(1 << 20, 'x')).message.size(), 400u);
}

TEST(attack_30, DuplicateKeyIsRefusedInJsonToo) {
  Error error = Refused("{\"a\": 1,\n \"net\\\"work\": 1, \"net\\\"work\": 2}");
  EXPECT_EQ(error.code, Code::kDuplicateKey);
  EXPECT_EQ(error.place->line, 2u);
  EXPECT_EQ(error.place->column, 18u);
  EXPECT_EQ(Refused(R"({"a":1,"\u0061":2})").code, Code::kDuplicateKey);
  EXPECT_TRUE(Parse(R"([{"a":1},{"a":2}])").has_value());
}

TEST(attack_31, DepthNodesAndSizeAreLimited) {
  for (const std::string& text : {std::string(1'000'000, '['), [] {
                                    std::string objects;
                                    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
                                    return objects;
                                  }()}) {
    auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(Refused(text).code, Code::kLimit);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(Parse(std::string(64, '[') + std::string(64, ']')).has_value());
  EXPECT_EQ(Refused(std::string(65, '[') + std::string(65, ']')).place->column, 65u);
  Limits small;
  small.nodes = 3;
  EXPECT_TRUE(Parse("[1,2]", "x", small).has_value());
  EXPECT_EQ(Refused("[1,2,3]", small).code, Code::kLimit);
  small.bytes = 4;
  EXPECT_EQ(Refused("[1,2]", small).code, Code::kLimit);
}

TEST(Json, NumbersThatDoNotFitAreRefused) {
  EXPECT_EQ(Refused("18446744073709551616").code, Code::kRange);
  EXPECT_EQ(Refused("-9223372036854775809").code, Code::kRange);
  EXPECT_EQ(Refused("[1e999]").code, Code::kRange);
  EXPECT_TRUE(Parse("1e308").has_value());
}

TEST(Json, WhatIsNotUtf8IsRefused) {
  for (const char* text : {"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf0\x9f\""}) {
    EXPECT_EQ(Refused(text).code, Code::kBadString);
  }
}

// RFC 8785, 3.2.3 and appendix B.
TEST(Json, CanonicalFollowsJcs) {
  auto value = Parse(R"({"\u20ac":"Euro","\r":"CR","\ufb33":"Dalet","1":"One","\ud83d\ude00":"Grin",)"
                     R"("\u0080":"Ctl","\u00f6":"o"})");
  EXPECT_EQ(Canonical(*value),
            "{\"\\r\":\"CR\",\"1\":\"One\",\"\xc2\x80\":\"Ctl\",\"ö\":\"o\",\"€\":\"Euro\","
            "\"😀\":\"Grin\",\"\xef\xac\xb3\":\"Dalet\"}");
  EXPECT_EQ(Canonical(*Parse(R"({"b":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],)"
                             R"("a":"\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"\/"})")),
            R"({"a":"€$\u000f\nA'B\"\\\\\"/","b":[333333333.3333333,1e+30,4.5,0.002,1e-27]})");
}

TEST(Json, CanonicalNumbersAreEcmaScripts) {
  const std::pair<double, const char*> cases[] = {{0.0, "0"},
                                                  {-0.0, "0"},
                                                  {1.0, "1"},
                                                  {-1.5, "-1.5"},
                                                  {1e20, "100000000000000000000"},
                                                  {1e21, "1e+21"},
                                                  {123456789012345680000.0, "123456789012345680000"},
                                                  {1e-6, "0.000001"},
                                                  {1e-7, "1e-7"},
                                                  {1.5e-7, "1.5e-7"},
                                                  {5e-324, "5e-324"},
                                                  {1.7976931348623157e308, "1.7976931348623157e+308"},
                                                  {9007199254740992.0, "9007199254740992"},
                                                  {295147905179352830000.0, "295147905179352830000"},
                                                  {0.1, "0.1"},
                                                  {100.25, "100.25"},
                                                  {-1e-7, "-1e-7"},
                                                  {std::nan(""), "null"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(Canonical(Json(value)), text);
  EXPECT_EQ(Canonical(Json(9007199254740993)), "9007199254740993");
  EXPECT_EQ(Canonical(Json(-0.0f)), "0");
}

TEST(Json, DumpReplacesStrayBytes) {
  EXPECT_EQ(Dump(Json("a\xff")), "\"a\xef\xbf\xbd\"");
  EXPECT_EQ(Canonical(Json{{"k\xff", "v\xff"}}), "{\"k\xef\xbf\xbd\":\"v\xef\xbf\xbd\"}");
}

}  // namespace
}  // namespace cordon::json
