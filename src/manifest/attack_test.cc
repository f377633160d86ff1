// Attack cases on what people write: plugin.yaml and config.yaml.
#include <gtest/gtest.h>

#include <chrono>

#include "manifest/config.h"
#include "manifest/manifest.h"
#include "manifest/name.h"
#include "policy/ceiling.h"

namespace cordon::manifest {
namespace {

constexpr std::string_view kHead =
    "manifest: 1\nname: acme/linkcheck\nversion: 1.4.0\nruntime: { abi: component, artifact: dist/linkcheck.wasm }\n";

Result<Manifest> Parse(std::string_view text) {
  return ParseManifest(text, "plugin.yaml", [](const std::string&) -> Result<std::string> {
    ADD_FAILURE() << "a file was asked for";
    return Fail(Code::kNotFound, "no files here");
  });
}
Result<Manifest> ParseMore(std::string_view extra) { return Parse(std::string(kHead) + std::string(extra)); }

template <typename T>
Code CodeOf(const Result<T>& result) {
  return result ? Code::kInternal : result.error().code;
}

Result<Config> ParseOperator(std::string_view text) {
  return ParseConfig(text, "config.yaml", [](std::string_view) { return std::nullopt; });
}

std::string Permission(std::string_view text) { return "permissions:\n  required:\n    - " + std::string(text) + "\n"; }

TEST(attack_29, MisspelledKeyIsUnknownAndTheRightOneIsNamed) {
  const Result<Manifest> manifest = ParseMore("permisions: { required: [] }\n");
  ASSERT_EQ(CodeOf(manifest), Code::kUnknownKey);
  EXPECT_EQ(manifest.error().Detail("suggestion"), "permissions");
  EXPECT_EQ(manifest.error().place->line, 5u);
  EXPECT_EQ(manifest.error().place->column, 1u);
  const Result<Config> config = ParseOperator("plugins:\n  limts: { memory: 1MiB }\n");
  ASSERT_EQ(CodeOf(config), Code::kUnknownKey);
  EXPECT_EQ(config.error().Detail("suggestion"), "limits");
}

TEST(attack_30, DuplicateKeyIsRefusedWhicheverIsWider) {
  const std::string narrow = "  required: [{ files: { mount: /data, from: workspace/data, access: read } }]\n";
  const std::string wide = "  required: [{ files: { mount: /data, from: workspace, access: write } }]\n";
  EXPECT_EQ(CodeOf(ParseMore("permissions:\n" + narrow + wide)), Code::kDuplicateKey);
  EXPECT_EQ(CodeOf(ParseMore("permissions:\n" + narrow + "permissions:\n" + wide)), Code::kDuplicateKey);
  EXPECT_EQ(CodeOf(ParseMore(Permission("files: { mount: /a, from: workspace, access: read, access: write }"))),
            Code::kDuplicateKey);
  EXPECT_EQ(CodeOf(ParseOperator("plugins:\n  entries: { x: { enabled: false }, local/x: { enabled: true } }\n")),
            Code::kDuplicateKey);
}

TEST(attack_31, WhatMakesYamlLargeIsRefusedQuickly) {
  std::string bomb = std::string(kHead) + "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    const std::string before = std::string("*") + static_cast<char>(name - 1) + ",";
    std::string line = std::string(1, name) + ": &" + name + " [";
    for (int i = 0; i < 9; ++i) line += before;
    bomb += line + "x]\n";
  }
  const std::string head(kHead);
  const std::vector<std::string> texts = {
      bomb,
      head + "limits: &l { memory: 64MiB }\nconfig: { <<: *l }\n",
      head + "description: !!binary aGVsbG8=\n",
      head + "---\nmanifest: 1\n",
      head + "config: " + std::string(50'000, '['),
      head + "description: " + std::string(100'000'000, 'x') + "\n",
  };
  for (const std::string& text : texts) {
    const auto start = std::chrono::steady_clock::now();
    const Result<Manifest> manifest = Parse(text);
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(CodeOf(manifest), Code::kLimit) << text.substr(kHead.size(), 60);
    EXPECT_LT(took, std::chrono::seconds(2));
  }
}

TEST(attack_32, NumbersAreWholeDecimalAndInRange) {
  for (const char* value : {"0", "-1", "-9223372036854775808"}) {
    EXPECT_EQ(CodeOf(ParseMore("limits: { fuel: " + std::string(value) + " }\n")), Code::kRange) << value;
    EXPECT_EQ(CodeOf(ParseOperator("plugins: { limits: { tables: " + std::string(value) + " } }\n")), Code::kRange)
        << value;
  }
  for (const char* value :
       {"1e999", "18446744073709551616", "0x10", "\"10\"", "NaN", ".nan", ".inf", "1_000", "1.5", "~", "no", "012"}) {
    const Code manifest = CodeOf(ParseMore("limits: { fuel: " + std::string(value) + " }\n"));
    EXPECT_TRUE(manifest == Code::kType || manifest == Code::kRange) << value << " " << CodeName(manifest);
    const Code config = CodeOf(ParseOperator("plugins: { limits: { tables: " + std::string(value) + " } }\n"));
    EXPECT_TRUE(config == Code::kType || config == Code::kRange) << value << " " << CodeName(config);
  }
}

TEST(attack_32, ZeroNeverMeansUnlimited) {
  for (const char* limit :
       {"memory: 0", "memory: 0B", "memory: 0MiB", "timeout: 0", "timeout: 0s", "cpu: 0ms", "fuel: 0"}) {
    const Result<Manifest> manifest = ParseMore("limits: { " + std::string(limit) + " }\n");
    EXPECT_EQ(CodeOf(manifest), Code::kRange) << limit;
  }
}

TEST(attack_32, NoBooleanNumberOrNullPassesForAText) {
  for (const char* value : {"no", "yes", "on", "1.10", "012", "~", "null", "", "true", "5", "1e3", "0x10"}) {
    EXPECT_EQ(CodeOf(ParseMore("description: " + std::string(value) + "\n")), Code::kType) << value;
  }
  const Result<Manifest> version =
      Parse("manifest: 1\nname: x\nversion: 1.10\nruntime: { abi: core, artifact: x.wasm }\n");
  ASSERT_EQ(CodeOf(version), Code::kType);
  EXPECT_NE(version.error().remedy.find("quote"), std::string::npos);
}

TEST(attack_33, NoManifestNamesAPlaceOnTheHost) {
  for (const char* from : {"/", "..", "/etc/../", "~", "$HOME", "/proc", "workspace/..", "workspace/../..", "~/.ssh",
                           "/root/.local/state/cordon"}) {
    const Result<Manifest> manifest =
        ParseMore(Permission("files: { mount: /data, from: \"" + std::string(from) + "\", access: read }"));
    EXPECT_EQ(CodeOf(manifest), Code::kGrantForbidden) << from;
  }
  for (const char* mount : {"data", "..", "/data/../etc", "/data/./x", "", "//data"}) {
    const Result<Manifest> manifest =
        ParseMore(Permission("files: { mount: \"" + std::string(mount) + "\", from: workspace }"));
    EXPECT_FALSE(manifest) << mount;
  }
}

TEST(attack_34, NoHostThatIsTooWideCanBeGranted) {
  for (const char* host : {"*", "*.com", "*.co.uk", "a.*.com", "*evil.com", "169.254.169.254"}) {
    const Result<Manifest> manifest =
        ParseMore(Permission("http: { url: \"https://" + std::string(host) + "/\", methods: [GET] }"));
    // What no level allows is no capability at all; the rest is for the ceiling of the level to refuse.
    if (!manifest) {
      EXPECT_EQ(CodeOf(manifest), Code::kGrantTooWide) << host;
      EXPECT_EQ(manifest.error().place->line, 7u) << host;
      continue;
    }
    const Status status = policy::CheckWidth(manifest->permissions.at(0).capability, policy::Level::kDefault);
    ASSERT_FALSE(status) << host;
    EXPECT_EQ(status.error().code, Code::kGrantTooWide) << host;
  }
}

TEST(attack_36, NamesAreOfOneSmallAlphabet) {
  const std::vector<std::string> names = {"../x",     "a/b/c",
                                          "CON",      "con",
                                          "acme/nul", "com1",
                                          "",         std::string(10'000, 'a'),
                                          "-x",       "acme/-x",
                                          "a\u202eb", "\u0430cme/x" /* Cyrillic a */,
                                          "acme/",    "/x",
                                          "a//b",     "a.b",
                                          "a_b",      "a b",
                                          "a\tb",     "A/b",
                                          "..",       ".",
                                          "a/..",     "a\\b",
                                          "\xff",     std::string("a\0b", 3),
                                          "a\u200bb", "\uff41/b"};
  for (const std::string& name : names) {
    EXPECT_EQ(CodeOf(ParsePluginName(name)), Code::kName) << name.substr(0, 40);
    EXPECT_EQ(CodeOf(ParsePluginName(name)), Code::kName) << name.substr(0, 40);
  }
  const Result<Manifest> manifest = Parse("manifest: 1\nname: " + std::string(10'000, 'a') +
                                          "\nversion: 1.0.0\nruntime: { abi: core, artifact: x.wasm }\n");
  ASSERT_EQ(CodeOf(manifest), Code::kName);
  EXPECT_LT(manifest.error().message.size(), 300u);
}

TEST(attack_36, MessagesShowNamesEscaped) {
  const Result<std::string> name = ParsePluginName("a\u202e\x1b[31m");
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().message.find('\x1b'), std::string::npos);
  EXPECT_EQ(name.error().message.find("\u202e"), std::string::npos);
}

TEST(attack_37, MissingEmptyAndNullAllMeanNothing) {
  for (const char* section : {"", "permissions:\n", "permissions: ~\n", "permissions: {}\n", "permissions: []\n",
                              "permissions: { required: , optional: }\n",
                              "permissions: { required: [], optional: [] }\n", "permissions: { required: {} }\n"}) {
    const Result<Manifest> manifest = ParseMore(section);
    ASSERT_TRUE(manifest) << section << manifest.error().message;
    EXPECT_TRUE(manifest->permissions.empty()) << section;
    EXPECT_TRUE(manifest->withdrawn.empty()) << section;
  }
}

TEST(attack_37, AnEmptyAllowlistInsideAPermissionIsRefused) {
  for (const char* permission :
       {"environment: []", "environment:", "files: {}", "files:", "http: { url: 'https://a.example/' }",
        "http: { url: 'https://a.example/', methods: [] }", "sockets: {}", "secrets: []", "context: []"}) {
    EXPECT_FALSE(ParseMore(Permission(permission))) << permission;
  }
}

TEST(attack_37, AnOperatorWhoSaysNothingRunsNothing) {
  for (const char* text : {"", "plugins:\n", "plugins: {}\n", "plugins: { entries: }\n", "~\n"}) {
    const Result<Config> config = ParseOperator(text);
    ASSERT_TRUE(config) << text << config.error().message;
    EXPECT_FALSE(config->enabled) << text;
    EXPECT_TRUE(config->entries.empty()) << text;
  }
}

}  // namespace
}  // namespace cordon::manifest
