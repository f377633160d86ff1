#include "formats/wit_world.h"

#include <gtest/gtest.h>

namespace cordon::wit {
namespace {

Result<World> One(std::string text, std::string_view world = {}) {
  const Source source{"shop.wit", std::move(text)};
  return WorldOfSources({&source, 1}, world);
}

TEST(WitWorldTest, HasNamedTypesAndItems) {
  auto world =
      One("package acme:shop@1.0.0;\n"
          "interface prices { record item { name: string } price-of: func(of: item) -> option<u32>; }\n"
          "world shop { import prices; export run: func(); }\n");
  ASSERT_TRUE(world.has_value()) << world.error().message;
  EXPECT_EQ(world->name, "acme:shop/shop@1.0.0");
  ASSERT_EQ(world->definitions.size(), 1u);
  EXPECT_EQ(world->definitions[0].interface_name, "acme:shop/prices@1.0.0");
  EXPECT_EQ(world->contract.At(world->definitions[0].type).kind, Kind::kRecord);
  EXPECT_EQ(FunctionText(world->contract, world->contract.imports.at(0).functions.at(0)),
            "func(of: item) -> option<u32>");
}

TEST(WitWorldTest, PackagesUseEachOther) {
  const Source sources[] = {
      {"world.wit", "package a:b; world w { import c:d/e; }", 0},
      {"deps/e.wit", "package c:d; interface e { use f.{t}; g: func() -> t; }", 1},
      {"deps/f.wit", "interface f { type t = u8; }", 1},
  };
  EXPECT_TRUE(WorldOfSources(sources).has_value());
}

TEST(WitWorldTest, MistakesHaveTheirPlace) {
  auto world = One("package a:b;\nworld w {\n  export f: func(x: uint);\n}\n");
  ASSERT_FALSE(world.has_value());
  EXPECT_EQ(world.error().code, Code::kSyntax);
  ASSERT_TRUE(world.error().place.has_value());
  EXPECT_EQ(world.error().place->line, 3u);
  EXPECT_EQ(world.error().place->column, 21u);
  EXPECT_EQ(world.error().place->excerpt, "  export f: func(x: uint);");
}

TEST(WitWorldTest, TheWorldIsChosenByName) {
  const std::string two = "package a:b; world one { export f: func(); } world two { }";
  EXPECT_EQ(One(two, "one").value().name, "a:b/one");
  EXPECT_EQ(One(two).error().code, Code::kName);
  EXPECT_EQ(One(two, "three").error().message, "the package a:b has no world 'three'; it has: one, two");
}

TEST(WitWorldTest, WhatCannotCrossIsSaid) {
  auto world = One("package a:b; interface i { resource r; f: func(of: r) -> u8; } world w { export i; }");
  ASSERT_TRUE(world.has_value());
  ASSERT_EQ(world->unsupported.size(), 1u);
  EXPECT_EQ(world->unsupported[0].side, Unsupported::Side::kExport);
  EXPECT_EQ(world->unsupported[0].what, "the resource 'r' does not cross");
  EXPECT_EQ(world->unsupported[0].place->line, 1u);
}

TEST(WitWorldTest, HostileInputIsAnError) {
  EXPECT_EQ(One("package a:b; \xff").error().code, Code::kBadString);
  EXPECT_EQ(One("").error().code, Code::kSyntax);
  EXPECT_EQ(One(std::string(1000, '{')).error().code, Code::kSyntax);
  EXPECT_EQ(WorldOfSources({}).error().code, Code::kInvalid);
  const std::uint8_t module[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  EXPECT_EQ(WorldOfBinary(module).error().code, Code::kInvalid);
  EXPECT_EQ(WorldOfBinary({}).error().code, Code::kNotWasm);
}

}  // namespace
}  // namespace cordon::wit
