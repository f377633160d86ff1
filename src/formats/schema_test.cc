#include "formats/schema.h"

#include <gtest/gtest.h>

#include <chrono>

namespace cordon {
namespace {

Schema Compile(std::string_view text) {
  auto schema = Schema::Compile(*json::Parse(text));
  EXPECT_TRUE(schema.has_value()) << schema.error().message;
  return *schema;
}

TEST(Schema, SaysWhereAValueDoesNotFit) {
  Schema schema = Compile(R"({"type":"object","required":["url"],"additionalProperties":false,
    "properties":{"url":{"type":"string","pattern":"^https://"},"depth":{"type":"integer","minimum":1,"maximum":9}}})");
  EXPECT_TRUE(schema.Check({{"url", "https://x"}, {"depth", 3}}).empty());
  EXPECT_TRUE(schema.CheckText(R"({"url":"https://x"})").empty());
  auto violations = schema.Check({{"url", "https://x"}, {"depth", 10}});
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].instance_path, "/depth");
  EXPECT_EQ(violations[0].schema_path, "/properties/depth/maximum");
  EXPECT_EQ(violations[0].message, "10 is greater than the maximum of 9");
  EXPECT_EQ(schema.Check({{"depth", 0}, {"x", 1}}).size(), 3u);
}

TEST(Schema, AtMostTwentyViolations) {
  Schema schema = Compile(R"({"items":{"type":"string"}})");
  EXPECT_EQ(schema.Check(Json(std::vector<int>(100, 1))).size(), 20u);
}

TEST(Schema, NothingOutsideTheDocumentIsRead) {
  for (const char* text :
       {R"({"$ref":"https://example.com/s.json"})", R"({"$ref":"file:///etc/passwd"})", R"({"$ref":"s.json"})",
        R"({"items":{"$id":"https://example.com/x"}})", R"({"$schema":"http://json-schema.org/draft-07/schema#"})",
        R"({"type":"nonsense"})", R"({"pattern":"("})", R"({"$ref":"#"})", R"("x")"}) {
    auto schema = Schema::Compile(*json::Parse(text));
    ASSERT_FALSE(schema.has_value()) << text;
    EXPECT_EQ(schema.error().code, Code::kInvalid) << text;
  }
  EXPECT_TRUE(Compile(R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"integer"}}})").Check(1).empty());
}

TEST(Schema, HostileSchemasAndValuesEndSoon) {
  auto start = std::chrono::steady_clock::now();
  Schema slow = Compile(R"({"pattern":"^(a|a)*(a+)+$"})");
  EXPECT_FALSE(slow.Check(std::string(100'000, 'a') + "!").empty());
  Json deep = 1;
  for (int i = 0; i < 60; ++i) deep = Json{{"x", deep}};
  Schema fan = Compile(R"({"oneOf":[{"type":"string"},{"properties":{"x":{"$ref":"#"}}},
                                     {"properties":{"x":{"$ref":"#"}}}]})");
  EXPECT_FALSE(fan.Check(deep).empty());
  EXPECT_FALSE(fan.CheckText(std::string(100'000, '[')).empty());
  EXPECT_FALSE(fan.CheckText("{").empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Schema, ASmallCheckTakesMicroseconds) {
  Schema schema = Compile(R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}}})");
  constexpr int kRounds = 2'000;
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) ASSERT_TRUE(schema.CheckText(R"({"a":1,"b":"x"})").empty());
  auto each = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / kRounds;
  RecordProperty("microseconds", std::to_string(each));
  EXPECT_LT(each, 100.0);
}

}  // namespace
}  // namespace cordon
