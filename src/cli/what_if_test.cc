#include "cli/what_if.h"

#include <gtest/gtest.h>

#include <vector>

#include "policy/test_authority.h"

namespace cordon::cli {
namespace {

TEST(WhatIf, AnswersAsTheGuardWould) {
  const policy::Authority authority =
      policy::AuthorityOf({"fs:read:/data=workspace", "fs:write:/data/out=workspace/out",
                           "http:GET:https://api.example.com/v1/*", "kv:read:cache"});
  const struct {
    const char* question;
    bool allowed;
    const char* rule;
  } kCases[] = {
      {"/data/x/y", true, "grant:fs:read:/data=workspace"},
      {"/data", true, "grant:fs:read:/data=workspace"},
      {"/data/../etc/passwd", false, "fs:beneath"},
      {"/data/a/../b", true, "grant:fs:read:/data=workspace"},
      {"/database/x", false, "no-grant"},
      {"write /data/x", false, "fs:read-only"},
      {"write /data/out/x", true, "grant:fs:write:/data/out=workspace/out"},
      {"read /etc/passwd", false, "no-grant"},
      {"https://api.example.com/v1/users?x=1", true, "grant:http:GET:https://api.example.com/v1/*"},
      {"GET https://API.example.com:443/v1/users", true, "grant:http:GET:https://api.example.com/v1/*"},
      {"POST https://api.example.com/v1/users", false, "not-requested"},
      {"https://api.example.com/v2", false, "not-requested"},
      {"http://api.example.com/v1/users", false, "not-requested"},
      {"https://api.example.com.evil.org/v1/x", false, "not-requested"},
      {"kv:read:cache", true, "grant:kv:read:cache"},
      {"kv:write:cache", false, "not-requested"},
      {"env:HOME", false, "not-requested"},
  };
  for (const auto& one : kCases) {
    const auto answer = AskWhatIf(authority, one.question);
    ASSERT_TRUE(answer) << one.question << ": " << answer.error().message;
    EXPECT_EQ(answer->decision.allowed(), one.allowed) << one.question;
    EXPECT_EQ(answer->decision.rule, one.rule) << one.question;
    EXPECT_EQ(answer->question, one.question);
  }
}

TEST(WhatIf, RefusesWhatIsNoQuestion) {
  for (const char* bad : {"", "nonsense", "read", "write x", "GET", "https://", "https://u:p@x/", "https://x:99999/",
                          "fs:fly:/data", "POST /data", "https://x/v1/../v2", "https://x/v1/%2E%2e/v2"}) {
    EXPECT_FALSE(AskWhatIf(policy::Authority(), bad)) << bad;
  }
}

}  // namespace
}  // namespace cordon::cli
