#include "manifest/policy_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace cordon::manifest {
namespace {

constexpr std::string_view kDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

TEST(PolicyFile, EveryKeyIsRead) {
  const auto policy = ParsePolicy(
      "level: default\n"
      "risk: high\n"
      "allow: [storage, 'http:GET:https://*/*', 'fs:read:*=workspace']\n"
      "plugins:\n"
      "  acme/linkcheck:\n"
      "    level: strict\n"
      "    risk: medium\n"
      "    artifacts: ['" +
          std::string(kDigest) +
          "']\n"
          "    allow: [random]\n"
          "  '" +
          std::string(kDigest) + "': { allow: [log] }\n",
      "policy.yaml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->others.level, policy::Level::kDefault);
  EXPECT_EQ(policy->others.risk, policy::RiskLevel::kHigh);
  EXPECT_EQ(policy->others.allow.size(), 3u);
  const policy::PolicyRules& rules = policy->plugins.at("acme/linkcheck");
  EXPECT_EQ(rules.level, policy::Level::kStrict);
  EXPECT_EQ(rules.risk, policy::RiskLevel::kMedium);
  EXPECT_EQ(rules.artifacts.at(0).ToString(), kDigest);
  EXPECT_EQ(rules.allow.at(0).text(), "random");
  // By name first, then by bytes, then as all.
  const Digest bytes = *Digest::Parse(kDigest);
  EXPECT_EQ(policy->Find("acme/linkcheck", bytes).rules, &rules);
  EXPECT_EQ(policy->Find("other", bytes).rules->allow.at(0).text(), "log");
  EXPECT_FALSE(policy->Find("other", {}).named);
}

TEST(PolicyFile, NothingAllowsNothing) {
  for (const std::string_view text : {"", "# only words\n", "{}", "allow:\n", "allow: []\n", "plugins: {}\n"}) {
    const auto policy = ParsePolicy(text, "policy.yaml");
    ASSERT_TRUE(policy) << text;
    EXPECT_TRUE(policy->others.allow.empty()) << text;
    EXPECT_TRUE(policy->plugins.empty()) << text;
  }
}

TEST(PolicyFile, MistakesHaveTheirPlace) {
  struct Case {
    std::string_view text;
    Code code;
    std::uint32_t line;
  };
  for (const auto& [text, code, line] :
       {Case{"alow: []\n", Code::kUnknownKey, 1}, Case{"level: lax\n", Code::kRange, 1},
        Case{"allow:\n  - storage\n  - http:GET:nowhere\n", Code::kSyntax, 3}, Case{"allow: storage\n", Code::kType, 1},
        Case{"allow: []\nallow: []\n", Code::kDuplicateKey, 2}, Case{"allow:\n - a.*.com\n", Code::kSyntax, 2},
        Case{"risk: 3\n", Code::kType, 1}, Case{"plugins: [a/b]\n", Code::kType, 1},
        Case{"plugins:\n  Acme: {}\n", Code::kName, 2}, Case{"plugins:\n  sha256:12: {}\n", Code::kDigest, 2},
        Case{"plugins:\n  a/b: { artifacts: [abc] }\n", Code::kDigest, 2},
        // Narrowing only.
        Case{"level: strict\nplugins:\n  a/b: { level: default }\n", Code::kInvalid, 3},
        Case{"risk: low\nplugins:\n  a/b:\n    risk: high\n", Code::kInvalid, 4}}) {
    const auto policy = ParsePolicy(text, "policy.yaml");
    ASSERT_FALSE(policy) << text;
    EXPECT_EQ(CodeName(policy.error().code), CodeName(code)) << text << policy.error().message;
    ASSERT_TRUE(policy.error().place) << text;
    EXPECT_EQ(policy.error().place->line, line) << text;
    EXPECT_FALSE(policy.error().remedy.empty()) << text;
  }
}

TEST(PolicyFile, WhatCannotBeReadIsAnErrorAndNotNoPolicy) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "cordon-policy-test";
  std::filesystem::create_directories(folder);
  EXPECT_EQ(LoadPolicy(folder / "none.yaml").error().code, Code::kNotFound);
  EXPECT_FALSE(LoadPolicy(folder));
  std::ofstream(folder / "policy.yaml") << "allow: [log]\n";
  EXPECT_EQ((*LoadPolicy(folder / "policy.yaml"))->others.allow.size(), 1u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace cordon::manifest
