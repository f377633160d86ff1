// What is written for whole worlds: tests/cases/bindgen/NAME.wit gives NAME.h there. After a change that is meant, set
// CORDON_UPDATE=1 and look at the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "bindgen/bindgen.h"
#include "bindgen/sources.h"

namespace cordon::bindgen {
namespace {

namespace fs = std::filesystem;

const fs::path kCases = fs::path(CORDON_SOURCE_DIR) / "tests/cases/bindgen";

Result<CppHeader> Generate(std::string text, const CppOptions& options = {}) {
  const wit::Source source{"world.wit", std::move(text)};
  CORDON_ASSIGN(const wit::World world, wit::WorldOfSources({&source, 1}));
  return GenerateCpp(world, options);
}

std::string Text(std::string text, const CppOptions& options = {}) {
  auto header = Generate(std::move(text), options);
  EXPECT_TRUE(header.has_value()) << header.error().message;
  return header ? header->text : "";
}

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

class GoldenTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTest, IsWhatIsWritten) {
  CppOptions options;
  options.on_unsupported = OnUnsupported::kSkip;
  auto world = ReadWorld(kCases / (std::string(GetParam()) + ".wit"), {}, {});
  ASSERT_TRUE(world.has_value()) << world.error().message;
  auto header = GenerateCpp(*world, options);
  ASSERT_TRUE(header.has_value()) << header.error().message;
  EXPECT_EQ(GenerateCpp(*world, options)->text, header->text);
  const fs::path golden = kCases / (std::string(GetParam()) + ".h");
  if (std::getenv("CORDON_UPDATE") != nullptr) std::ofstream(golden) << header->text;
  EXPECT_EQ(header->text, ReadFile(golden, 1 << 20).value_or("")) << golden;
}

INSTANTIATE_TEST_SUITE_P(Bindgen, GoldenTest,
                         testing::Values("types", "shop", "hostile", "versions", "resources", "large"),
                         [](const auto& test) { return std::string(test.param); });

TEST(GenerateTest, SaysWhatWasWritten) {
  const wit::World world = ReadWorld(kCases / "shop.wit", {}, {}).value();
  const CppHeader header = GenerateCpp(world).value();
  EXPECT_EQ(header.file_name, "shop.h");
  EXPECT_EQ(header.types, 2u);  // the same type under another name does not count
  ASSERT_EQ(header.clients.size(), 2u);
  EXPECT_EQ(header.clients[1].name, "acme::shop::checkout::Checkout");
  ASSERT_EQ(header.services.size(), 3u);
  EXPECT_EQ(header.services[0].interface_name, "acme:shop/prices@1.2.0");
}

TEST(GenerateTest, FunctionsThatValuesCannotCallAreAnErrorWithTheirPlace) {
  const std::string one =
      "package a:b;\ninterface i {\n  f: func(of: stream<u8>);\n  g: func();\n}\nworld w { export i; }";
  const Error error = Generate(one).error();
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_EQ(error.message, "a:b/i#f cannot be called from C++: stream does not cross");
  EXPECT_TRUE(Has(error.remedy, "--skip-unsupported"));
  ASSERT_TRUE(error.place.has_value());
  EXPECT_EQ(error.place->line, 3u);

  const Error two =
      Generate("package a:b; interface i { f: async func(); g: func(of: future); } world w { export i; }").error();
  EXPECT_EQ(two.message, "2 functions of the world cannot be called from C++");
  ASSERT_EQ(two.causes.size(), 2u);
  EXPECT_TRUE(two.causes[1].place.has_value());

  const CppHeader header = Generate(one, {.on_unsupported = OnUnsupported::kSkip}).value();
  ASSERT_EQ(header.skipped.size(), 1u);
  EXPECT_EQ(header.skipped[0].name, "f");
  EXPECT_TRUE(Has(header.text, "// Not here: f, since stream does not cross."));
  EXPECT_TRUE(Has(header.text, "cordon::Result<void> G() const"));
}

TEST(GenerateTest, NamespacesAreChecked) {
  const std::string world = "package a:b; world w { export f: func(); }";
  EXPECT_TRUE(Has(Text(world, {.outer_namespace = "x::y"}), "namespace x::y::a::b::w {"));
  EXPECT_TRUE(Has(Text(world, {.world_namespace = "z"}), "namespace z {"));
  for (const char* name : {"std", "a::", "::a", "a:b", "class", "a { } namespace b", "a::cordon", "_A"}) {
    const auto refused = Generate(world, {.outer_namespace = name});
    ASSERT_FALSE(refused.has_value()) << name;
    EXPECT_EQ(refused.error().code, Code::kName);
  }
}

TEST(GenerateTest, PackagesOfOurOwnAreInOurNamespace) {
  const std::string body = "; interface i { record r { x: u8 } f: func() -> r; } world w { export i; }";
  EXPECT_TRUE(Has(Text("package cordon:bench" + body), "namespace cordon::bench::i {"));
  EXPECT_TRUE(Has(Text("package cordon:detail" + body), "namespace cordon::detail_::i {"));
  EXPECT_TRUE(Has(Text("package std:cordon" + body), "namespace std_::cordon_::i {"));
  EXPECT_TRUE(Has(Text("package cordon:bench" + body, {.outer_namespace = "x"}), "namespace x::cordon_::bench::i {"));
}

TEST(GenerateTest, ATypeThatIsCalledLikeAMethodIsWrittenWithItsNamespace) {
  const std::string text =
      Text("package a:b; interface i { record ab-c { x: u8 } ab-C: func(); g: func() -> ab-c; } world w { export i; }");
  EXPECT_TRUE(Has(text, "cordon::Result<void> AbC() const")) << text;
  EXPECT_TRUE(Has(text, "cordon::Result<a::b::i::AbC> G() const")) << text;
}

TEST(GenerateTest, TypesThatHaveNoRoomAreRefused) {
  std::string fields;
  for (int i = 0; i < 65; ++i) fields += "field" + std::to_string(i) + ": u8, ";
  EXPECT_EQ(Generate("package a:b; world w { record r { " + fields + "} export f: func() -> r; }").error().message,
            "f cannot be called from C++: 'r' has more than 64 fields or cases");
  // Each type has the one before it twice: 2^60 when it is written out.
  std::string types = "type t0 = tuple<u8, u8>; ";
  for (int i = 1; i < 60; ++i) {
    const std::string before = "t" + std::to_string(i - 1);
    types += "type t" + std::to_string(i) + " = tuple<" + before + ", " + before + ">; ";
  }
  EXPECT_EQ(Generate("package a:b; world w { " + types + "export f: func() -> t59; }").error().message,
            "f cannot be called from C++: a type is larger than 16 KiB when written out");
}

TEST(GenerateTest, AWorldOfWasiAloneHasNothing) {
  EXPECT_EQ(Generate("package a:b; world w {}").error().code, Code::kInvalid);
}

// (component (import "log" (func (param "message" string))))
TEST(GenerateTest, AComponentIsCalledByItsNamespace) {
  constexpr std::uint8_t kComponent[] = {0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00, 0x07, 0x0e, 0x01, 0x40,
                                         0x01, 0x07, 0x6d, 0x65, 0x73, 0x73, 0x61, 0x67, 0x65, 0x73, 0x01, 0x00,
                                         0x0a, 0x08, 0x01, 0x00, 0x03, 0x6c, 0x6f, 0x67, 0x01, 0x00};
  const auto world = wit::WorldOfBinary(kComponent);
  ASSERT_TRUE(world.has_value()) << world.error().message;
  const CppHeader header = GenerateCpp(*world, {.world_namespace = "my_plugin"}).value();
  EXPECT_TRUE(header.text.starts_with("// C++ for the WIT world of a component, written by")) << header.text;
  ASSERT_EQ(header.services.size(), 1u);
  EXPECT_EQ(header.services[0].name, "my_plugin::MyPlugin");
  EXPECT_TRUE(
      Has(header.text, "virtual cordon::Result<void> Log(const cordon::ServiceCall& call, std::string message)"));
}

TEST(SourcesTest, FoldersBringTheirPackages) {
  const fs::path folder = fs::path(testing::TempDir()) / "cordon-bindgen-sources";
  fs::remove_all(folder);
  fs::create_directories(folder / "main/deps/d");
  fs::create_directories(folder / "more");
  std::ofstream(folder / "main/w.wit") << "package a:b; world w { import c:d/e; export x:y/z; }";
  std::ofstream(folder / "main/deps/d/e.wit") << "package c:d; interface e { f: func(); }";
  std::ofstream(folder / "main/deps/notes.txt") << "not WIT";
  std::ofstream(folder / "more/z.wit") << "package x:y; interface z { f: func(); }";
  const fs::path more[] = {folder / "more"};
  EXPECT_TRUE(ReadWorld(folder / "main", more, {}).has_value());
  EXPECT_EQ(ReadWorld(folder / "main", {}, {}).error().code, Code::kSyntax);  // x:y is not there
  EXPECT_EQ(ReadWorld(folder / "none", {}, {}).error().code, Code::kNotFound);
  EXPECT_EQ(ReadWorld(folder / "main/deps/notes.txt", {}, {}).error().code, Code::kSyntax);
  std::ofstream(folder / "main/deps/p.wasm") << "x";
  EXPECT_EQ(ReadWorld(folder / "main", more, {}).error().code, Code::kInvalid);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace cordon::bindgen
