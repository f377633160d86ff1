#include "formats/yaml.h"

#include <gtest/gtest.h>

#include <chrono>

namespace cordon::yaml {
namespace {

Document Take(std::string_view source) {
  auto document = Parse(source, "plugin.yaml");
  EXPECT_TRUE(document.has_value()) << source << "\n" << document.error().message;
  return document ? std::move(*document) : Document();
}

Error Refused(std::string_view source, const Limits& limits = {}) {
  auto document = Parse(source, "plugin.yaml", limits);
  EXPECT_FALSE(document.has_value()) << source.substr(0, 200);
  return document ? Error() : std::move(document).error();
}

TEST(Yaml, ReadsMappingsSequencesAndScalars) {
  Document document = Take(
      "manifest: 1\n"
      "name: acme/linkcheck  # a comment\n"
      "share: 0.5\n"
      "on-failure: closed\n"
      "strict: true\n"
      "nothing: ~\n"
      "empty:\n"
      "quoted: \"1\"\n"
      "folded: >\n  one\n  two\n"
      "list: [1, 'two', {three: 3}]\n");
  EXPECT_EQ(ToJson(document.root).dump(),
            R"({"empty":null,"folded":"one two\n","list":[1,"two",{"three":3}],"manifest":1,)"
            R"("name":"acme/linkcheck","nothing":null,"on-failure":"closed","quoted":"1","share":0.5,"strict":true})");
  EXPECT_EQ(document.root.Find("manifest")->kind, Node::Kind::kInteger);
  EXPECT_TRUE(document.root.Find("manifest")->plain);
  EXPECT_FALSE(document.root.Find("quoted")->plain);
  EXPECT_EQ(document.root.Find("share")->text, "0.5");
  EXPECT_EQ(document.root.Find("absent"), nullptr);
}

TEST(Yaml, EveryValueKnowsItsPlace) {
  Document document = Take("# first\na:\n  ünï: [1,  2]\n");
  const Node& two = AtPointer(document.root, "/a/ünï/1");
  EXPECT_EQ(two.integer, 2);
  EXPECT_EQ(two.line, 3u);
  EXPECT_EQ(two.column, 13u);  // characters, not bytes
  EXPECT_EQ(document.PlaceOf(two).excerpt, "  ünï: [1,  2]");
  EXPECT_EQ(document.root.entries[0].value.entries[0].column, 3u);
  Error error = document.ErrorAt(two, Code::kRange, "too small", "raise it");
  EXPECT_EQ(error.place->file, "plugin.yaml");
  EXPECT_EQ(error.place->line, 3u);
}

TEST(Yaml, APointerFindsTheValueOrItsNearestParent) {
  Document document = Take("a/b: {c~d: [v, w]}\n");
  EXPECT_EQ(AtPointer(document.root, "/a~1b/c~0d/1").text, "w");
  EXPECT_EQ(&AtPointer(document.root, "/a~1b/c~0d/7"), &AtPointer(document.root, "/a~1b/c~0d"));
  EXPECT_EQ(&AtPointer(document.root, "/none/deeper"), &document.root);
  EXPECT_EQ(&AtPointer(document.root, ""), &document.root);
}

TEST(Yaml, AnEmptyFileIsNull) {
  EXPECT_EQ(Take("").root.kind, Node::Kind::kNull);
  EXPECT_EQ(Take("# only a comment\n").root.line, 1u);
  EXPECT_EQ(Take("---\na: 1\n...\n").root.kind, Node::Kind::kMapping);
}

TEST(Yaml, WindowsLineEndsAreRead) {
  Document document = Take("a: 1\r\nb: x\r\n");
  EXPECT_EQ(document.root.Find("b")->text, "x");
  EXPECT_EQ(document.PlaceAt(2, 1).excerpt, "b: x");
}

TEST(Yaml, SyntaxErrorsShowTheLine) {
  Error error = Refused("a: 1\nb: [1, 2\nc: 3\n");
  EXPECT_EQ(error.code, Code::kSyntax);
  EXPECT_EQ(error.place->line, 3u);
  EXPECT_EQ(error.place->excerpt, "c: 3");
  EXPECT_EQ(Refused("a: b: c\n").code, Code::kSyntax);
  EXPECT_EQ(Refused("\ta: 1\n").code, Code::kSyntax);
  EXPECT_EQ(Refused("a: 'x\n").code, Code::kSyntax);
  EXPECT_EQ(Refused("a: @x\n").code, Code::kSyntax);
}

TEST(attack_30, DuplicateKeyIsRefused) {
  Error error = Refused("permissions:\n  network: narrow\n  network: wide\n");
  EXPECT_EQ(error.code, Code::kDuplicateKey);
  EXPECT_EQ(error.place->line, 3u);
  EXPECT_EQ(error.place->column, 3u);
  EXPECT_NE(error.message.find("line 2"), std::string::npos);
  EXPECT_EQ(Refused("{a: 1, \"a\": 2}\n").code, Code::kDuplicateKey);
  EXPECT_EQ(Refused("{a: 1, \"\\x61\": 2}\n").code, Code::kDuplicateKey);
}

TEST(attack_31, AliasesAndTheirBombsAreRefused) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    std::string before(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += (i > 0 ? ", *" : "*") + before;
    bomb += "]\n";
  }
  Error error = Refused(bomb);
  EXPECT_EQ(error.code, Code::kLimit);
  EXPECT_EQ(error.place->line, 1u);
  EXPECT_EQ(Refused("a: *x\n").code, Code::kLimit);
  EXPECT_EQ(Refused("*x : 1\n").code, Code::kLimit);
}

TEST(attack_31, MergeKeysTagsAndFurtherDocumentsAreRefused) {
  for (const char* source : {"<<: {a: 1}\n", "a: !!python/object x\n", "a: !custom {b: 1}\n", "a: !!str 1\n", "! a\n",
                             "a: 1\n---\nb: 2\n", "%YAML 1.1\n---\na: 1\n", "%TAG ! tag:x,2000:\n---\na: 1\n"}) {
    EXPECT_EQ(Refused(source).code, Code::kLimit) << source;
  }
  for (const char* source : {"? [a]\n: 1\n", "{[a]: 1}\n", "? {a: 1}\n: 1\n"}) {
    EXPECT_EQ(Refused(source).code, Code::kSyntax) << source;
  }
}

TEST(attack_31, NestingWithoutEndIsCheapToRefuse) {
  for (const std::string& source : {std::string(50'000, '['), std::string(50'000, '{'), [] {
                                      std::string blocks;
                                      for (int i = 0; i < 50'000; ++i) blocks += "- ";
                                      return blocks;
                                    }()}) {
    auto start = std::chrono::steady_clock::now();
    Error error = Refused(source);
    EXPECT_TRUE(error.code == Code::kLimit || error.code == Code::kSyntax);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  }
  EXPECT_EQ(Refused(std::string(17, '[') + std::string(17, ']')).code, Code::kLimit);
  Take(std::string(16, '[') + std::string(16, ']'));
  Limits careless;
  careless.depth = 1'000'000;
  EXPECT_EQ(Refused(std::string(50'000, '['), careless).code, Code::kLimit);
}

TEST(attack_31, SizeNodesAndScalarsAreLimited) {
  std::string giant = "a: \"" + std::string(100 << 20, 'x') + "\"\n";
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Refused(giant).code, Code::kLimit);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  EXPECT_EQ(Refused("a: " + std::string(5'000, 'x') + "\n").code, Code::kLimit);
  std::string many;
  for (int i = 0; i < 4'200; ++i) many += "- x\n";
  Error error = Refused(many);
  EXPECT_EQ(error.code, Code::kLimit);
  EXPECT_EQ(error.place->line, 4'096u);
}

TEST(Yaml, ControlCharactersAndBadUtf8AreRefused) {
  for (std::string_view source :
       {std::string_view("a: x\0y\n", 7), std::string_view("a: \x1b[31m\n"), std::string_view("a: \x7f\n"),
        std::string_view("a: \xc2\x85\n"),
        std::string_view("\xef\xbb\xbf"
                         "a: 1\n"),
        std::string_view("a: \xff\n"), std::string_view("a: \xed\xa0\x80\n"), std::string_view("a: \xc0\xaf\n"),
        std::string_view("a: 1\rb: 2\n"), std::string_view("a: \xf0\x9f\n")}) {
    EXPECT_EQ(Refused(source).code, Code::kSyntax) << source;
  }
  for (const char* source : {R"(a: "\e[31m")", R"(a: "\x00")"}) {
    EXPECT_EQ(Refused(source).code, Code::kSyntax) << source;
  }
  Error error = Refused("ok: 1\nä: \x1b\n");
  EXPECT_EQ(error.place->line, 2u);
  EXPECT_EQ(error.place->column, 4u);
}

TEST(attack_32, WhatReadersDisagreeAboutMustBeQuoted) {
  for (const char* text : {"yes",
                           "No",
                           "on",
                           "OFF",
                           "y",
                           "N",
                           "True",
                           "FALSE",
                           "Null",
                           "NULL",
                           "012",
                           "0x10",
                           "0o7",
                           "0b11",
                           "1_000",
                           "1:30",
                           "190:20:30.5",
                           ".inf",
                           "-.INF",
                           "NaN",
                           ".nan",
                           "inf",
                           "+1",
                           ".5",
                           "1.",
                           "-.5",
                           "=",
                           "2026-01-02",
                           "2026-1-2T03:04:05Z",
                           "00",
                           "-012",
                           "1_0.5"}) {
    Error error = Refused("limit: " + std::string(text) + "\n");
    EXPECT_EQ(error.code, Code::kType) << text;
    EXPECT_EQ(error.place->column, 8u) << text;
    EXPECT_NE(error.remedy.find("quote"), std::string::npos);
    EXPECT_EQ(Take("limit: \"" + std::string(text) + "\"\n").root.Find("limit")->text, text);
  }
  for (const char* key : {"yes", "1", "~", "null", "true", "0.5", "012"}) {
    EXPECT_EQ(Refused(std::string(key) + ": x\n").code, Code::kType) << key;
  }
  EXPECT_EQ(Refused("a: 18446744073709551616\n").code, Code::kRange);
  EXPECT_EQ(Refused("a: 9223372036854775808\n").code, Code::kRange);
  EXPECT_EQ(Refused("a: 1e999\n").code, Code::kRange);
}

TEST(Yaml, OrdinaryTextStaysText) {
  for (const char* text : {"1.4.0", "5s", "64MiB", "60/min", "acme/x", "^2.1", "10.0.0.1:80", "sha256:00ff", "a1",
                           "nothing", "only", "0.1.0-rc1", "8080:80", "1-2", "/docs", "node", "e5", "12ab"}) {
    const Document document = Take("v: " + std::string(text) + "\n");
    EXPECT_EQ(document.root.Find("v")->kind, Node::Kind::kString) << text;
  }
  EXPECT_EQ(Take("v: -9223372036854775808\n").root.Find("v")->integer, INT64_MIN);
  EXPECT_EQ(Take("v: 1.10\n").root.Find("v")->kind, Node::Kind::kReal);
  EXPECT_EQ(Take("v: 1.10\n").root.Find("v")->text, "1.10");
}

}  // namespace
}  // namespace cordon::yaml
