#include "bindgen/cpp_text.h"

#include <gtest/gtest.h>

#include "bindgen/names.h"

namespace cordon::bindgen {
namespace {

TEST(NamesTest, WitNamesBecomeCppNames) {
  EXPECT_EQ(SnakeName("node-type"), "node_type");
  EXPECT_EQ(SnakeName("x-Y"), "x_Y");
  EXPECT_EQ(TitleName("node-type"), "NodeType");
  EXPECT_EQ(TitleName("HTTP-get"), "HttpGet");
  EXPECT_EQ(TitleName("[method]file.read"), "MethodFileRead");
}

TEST(NamesTest, WhatCppHasAlreadyGetsAnUnderscore) {
  for (const char* name : {"class", "xor", "co_await", "std", "cordon", "errno", "import", "linux", "NULL", "EOF"}) {
    EXPECT_EQ(SnakeName(name), std::string(name) + "_");
    EXPECT_FALSE(IsIdentifier(name)) << name;
  }
  EXPECT_EQ(TitleName("e-o-f"), "EOF_");
  EXPECT_EQ(SnakeName("x"), "x");
  EXPECT_EQ(SnakeName(""), "n");
  EXPECT_EQ(SnakeName("7-zip"), "n7_zip");
  EXPECT_EQ(SnakeName("a\"b;c"), "a_b_c");
}

TEST(NamesTest, AScopeHasEachNameOnce) {
  Scope scope;
  EXPECT_EQ(scope.Take("Shop"), "Shop");
  EXPECT_EQ(scope.Take("Shop"), "Shop_");
  EXPECT_EQ(scope.Take("Shop"), "Shop_2");
  EXPECT_EQ(scope.Take("Shop_"), "Shop_3");
}

TEST(NamesTest, OnlyNamespacesThatCppCanHave) {
  EXPECT_TRUE(IsIdentifier("acme_2"));
  for (const char* name : {"", "_x", "2x", "a__b", "a b", "a;b", "\xc3\xa4"}) EXPECT_FALSE(IsIdentifier(name)) << name;
}

TEST(NamesTest, InterfaceNamesHaveParts) {
  const InterfaceName whole = Split("acme:shop/prices@1.0.0");
  EXPECT_EQ(whole.space, "acme");
  EXPECT_EQ(whole.package, "shop");
  EXPECT_EQ(whole.interface_name, "prices");
  EXPECT_EQ(whole.version, "1.0.0");
  EXPECT_EQ(Split("inner").interface_name, "inner");
  EXPECT_EQ(Split("inner").package, "");
}

TEST(CppTextTest, CommentsCannotBeLeft) {
  EXPECT_EQ(Comment(2, "A word.\n\nAnother */ one."), "  // A word.\n  //\n  // Another */ one.\n");
  EXPECT_EQ(Comment(0, "goes on \\"), "// goes on \\ .\n");
  EXPECT_EQ(Comment(0, "goes on \\  \r\nhere"), "// goes on \\ .\n// here\n");
  EXPECT_EQ(Comment(0, "goes on ?\?/"), "// goes on ?\?/ .\n");
  EXPECT_EQ(Comment(0, "a\x1b[31mb\v\f"), "// a\\u001b[31mb\\u000b\\u000c\n");
  EXPECT_EQ(Comment(0, "right to left \u202e"), "// right to left \\u202e\n");
  EXPECT_EQ(Comment(0, "a\u2028#error"), "// a\\u2028#error\n");
  EXPECT_EQ(Comment(0, "not \xff UTF-8"), "// not \\xff UTF-8\n");
  EXPECT_EQ(Comment(4, ""), "");
}

TEST(CppTextTest, LongCommentsAreCutAtWords) {
  const std::string word(50, 'w');
  EXPECT_EQ(Comment(0, word + " " + word + " " + word), "// " + word + " " + word + "\n// " + word + "\n");
  EXPECT_EQ(Comment(0, std::string(200, 'w')), "// " + std::string(200, 'w') + "\n");
}

TEST(CppTextTest, CallsAreFilledUnderTheirParenthesis) {
  const std::string item(60, 'a');
  const std::string two[] = {item, "b"}, wide[] = {std::string(100, 'a'), "b"};
  EXPECT_EQ(Call(2, "f", std::span(two), ";"), "  f(" + item + ", b);");
  EXPECT_EQ(Call(50, "function", std::span(two), ";"),
            std::string(50, ' ') + "function(" + item + ",\n" + std::string(59, ' ') + "b);");
  EXPECT_EQ(Call(2, std::string(40, 'f'), std::span(wide), ";"),
            "  " + std::string(40, 'f') + "(\n      " + wide[0] + ", b);");
}

TEST(CppTextTest, LongTypesAreBroken) {
  const std::string part(50, 'p');
  EXPECT_EQ(TypeLine(2, "std::tuple<" + part + ", " + part + ", " + part + ">", "x{};"),
            "  std::tuple<" + part + ", " + part + ",\n             " + part + ">\n      x{};\n");
  EXPECT_EQ(TypeLine(2, "int", "x{};"), "  int x{};\n");
}

TEST(CppTextTest, LiteralsCannotBeLeft) {
  EXPECT_EQ(Quoted("a\"b\\c\n?\?/"), "\"a\\\"b\\\\c\\012\\?\\?/\"");
  EXPECT_EQ(Quoted("\xc3\xa4"), "\"\\303\\244\"");
}

}  // namespace
}  // namespace cordon::bindgen
