#include "formats/wit.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

namespace cordon::wit {
namespace {

// (module (import "env" "system" (func (param i32 i64) (result i32))) (memory (export "memory") 1)
//   (func (export "run") (param f32) (result f64) f64.const 1) (func $t) (start $t))
constexpr std::uint8_t kModule[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x03, 0x60, 0x02, 0x7f, 0x7e, 0x01, 0x7f, 0x60,
    0x01, 0x7d, 0x01, 0x7c, 0x60, 0x00, 0x00, 0x02, 0x0e, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x06, 0x73, 0x79, 0x73,
    0x74, 0x65, 0x6d, 0x00, 0x00, 0x03, 0x03, 0x02, 0x01, 0x02, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x10, 0x02,
    0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x01, 0x08, 0x01, 0x02,
    0x0a, 0x10, 0x02, 0x0b, 0x00, 0x44, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x3f, 0x0b, 0x02, 0x00, 0x0b,
    0x00, 0x0e, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x07, 0x02, 0x01, 0x01, 0x73, 0x02, 0x01, 0x74,
};

// (component
//   (import "acme:graph/types@0.1.0" (instance: record node {id: string, metadata: list<tuple<string, string>>};
//     variant v {none, some(u8)}; resource r {go: func();}
//     analyse: func(nodes: list<node>, self: borrow<r>) -> result<option<f32>, v>;))
//   (import "log" (func (param "message" string))))
constexpr std::uint8_t kComponent[] = {
    0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00, 0x07, 0x8e, 0x01, 0x01, 0x42, 0x0f, 0x01, 0x6f, 0x02, 0x73, 0x73,
    0x01, 0x70, 0x00, 0x01, 0x72, 0x02, 0x02, 0x69, 0x64, 0x73, 0x08, 0x6d, 0x65, 0x74, 0x61, 0x64, 0x61, 0x74, 0x61,
    0x01, 0x04, 0x00, 0x04, 0x6e, 0x6f, 0x64, 0x65, 0x03, 0x00, 0x02, 0x01, 0x71, 0x02, 0x04, 0x6e, 0x6f, 0x6e, 0x65,
    0x00, 0x00, 0x04, 0x73, 0x6f, 0x6d, 0x65, 0x01, 0x7d, 0x00, 0x04, 0x00, 0x01, 0x76, 0x03, 0x00, 0x04, 0x04, 0x00,
    0x01, 0x72, 0x03, 0x01, 0x01, 0x68, 0x06, 0x01, 0x40, 0x01, 0x04, 0x73, 0x65, 0x6c, 0x66, 0x07, 0x01, 0x00, 0x04,
    0x00, 0x0c, 0x5b, 0x6d, 0x65, 0x74, 0x68, 0x6f, 0x64, 0x5d, 0x72, 0x2e, 0x67, 0x6f, 0x01, 0x08, 0x01, 0x70, 0x03,
    0x01, 0x6b, 0x76, 0x01, 0x6a, 0x01, 0x0a, 0x01, 0x05, 0x01, 0x40, 0x02, 0x05, 0x6e, 0x6f, 0x64, 0x65, 0x73, 0x09,
    0x04, 0x73, 0x65, 0x6c, 0x66, 0x07, 0x00, 0x0b, 0x04, 0x00, 0x07, 0x61, 0x6e, 0x61, 0x6c, 0x79, 0x73, 0x65, 0x01,
    0x0c, 0x0a, 0x1b, 0x01, 0x00, 0x16, 0x61, 0x63, 0x6d, 0x65, 0x3a, 0x67, 0x72, 0x61, 0x70, 0x68, 0x2f, 0x74, 0x79,
    0x70, 0x65, 0x73, 0x40, 0x30, 0x2e, 0x31, 0x2e, 0x30, 0x05, 0x00, 0x07, 0x0e, 0x01, 0x40, 0x01, 0x07, 0x6d, 0x65,
    0x73, 0x73, 0x61, 0x67, 0x65, 0x73, 0x01, 0x00, 0x0a, 0x08, 0x01, 0x00, 0x03, 0x6c, 0x6f, 0x67, 0x01, 0x01,
};

std::vector<std::uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

Error Refused(std::span<const std::uint8_t> wasm, const DescribeOptions& options = {}) {
  auto contract = Describe(wasm, options);
  EXPECT_FALSE(contract.has_value());
  return contract ? Error() : std::move(contract).error();
}

// A folder that is gone at the end of the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::path(testing::TempDir()) / ("cordon-wit-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void Write(const std::string& name, std::string_view text) { std::ofstream(path_ / name) << text; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(Wit, DescribesACoreModule) {
  auto contract = Describe(kModule);
  ASSERT_TRUE(contract.has_value()) << contract.error().message;
  EXPECT_EQ(contract->kind, Contract::Kind::kModule);
  EXPECT_EQ(contract->function_count, 2u);
  EXPECT_TRUE(contract->has_start);
  ASSERT_EQ(contract->imports.size(), 1u);
  const Item& import = contract->imports[0];
  EXPECT_EQ(import.kind, Item::Kind::kFunction);
  EXPECT_EQ(import.name, "env.system");
  EXPECT_EQ(import.module, "env");
  EXPECT_EQ(import.type_text, "(i32, i64) -> i32");
  EXPECT_EQ(import.functions[0].name, "system");
  EXPECT_EQ(contract->exports[0].kind, Item::Kind::kOther);
  EXPECT_EQ(contract->exports[0].type_text, "memory");
  EXPECT_EQ(FunctionText(*contract, contract->exports[1].functions[0]), "func(p0: f32) -> f64");
}

TEST(Wit, DescribesAComponent) {
  auto contract = Describe(kComponent);
  ASSERT_TRUE(contract.has_value()) << contract.error().message;
  EXPECT_EQ(contract->kind, Contract::Kind::kComponent);
  EXPECT_FALSE(contract->has_start);
  ASSERT_EQ(contract->imports.size(), 2u);
  const Item& types = contract->imports[0];
  EXPECT_EQ(types.name, "acme:graph/types@0.1.0");
  EXPECT_EQ(types.resources, std::vector<std::string>{"r"});
  ASSERT_EQ(types.functions.size(), 2u);
  const Function& analyse = types.functions[1];
  EXPECT_EQ(FunctionText(*contract, analyse), "func(nodes: list<node>, self: borrow<r>) -> result<option<f32>, v>");
  EXPECT_EQ(TypeText(*contract, analyse.params[0].type), "list<node>");
  const Type& node = contract->At(contract->At(analyse.params[0].type).element);
  EXPECT_EQ(node.kind, Kind::kRecord);
  EXPECT_EQ(node.fields[1].name, "metadata");
  EXPECT_EQ(TypeText(*contract, node.fields[1].type), "list<tuple<string, string>>");
  EXPECT_EQ(contract->imports[1].kind, Item::Kind::kFunction);
  EXPECT_EQ(contract->imports[1].type_text, "func(message: string)");
}

TEST(Wit, DocsComeFromTheFolderAndShowInTheText) {
  Folder folder;
  folder.Write("types.wit", R"(package acme:graph@0.1.0;
    /// Graphs.
    interface types {
      /// One node.
      record node {
        /// Unique.
        id: string,
        metadata: list<tuple<string, string>>,
      }
      variant v { none, some(u8) }
      resource r { go: func(); }
      /// Looks at nodes.
      /// All of them.
      analyse: func(nodes: list<node>, self: borrow<r>) -> result<option<f32>, v>;
    })");
  auto contract = Describe(kComponent, {.wit_folder = folder.path()});
  ASSERT_TRUE(contract.has_value()) << contract.error().message;
  EXPECT_EQ(ContractText(*contract), R"(component
/// Graphs.
import acme:graph/types@0.1.0 {
  resource r
  /// One node.
  record node {
    /// Unique.
    id: string,
    metadata: list<tuple<string, string>>,
  }
  variant v {
    none,
    some(u8),
  }
  [method]r.go: func(self: borrow<r>)
  /// Looks at nodes.
  /// All of them.
  analyse: func(nodes: list<node>, self: borrow<r>) -> result<option<f32>, v>
}
import log: func(message: string)
)");
  folder.Write("types.wit", "package acme:graph@0.1.0; interface {");
  EXPECT_EQ(Refused(kComponent, {.wit_folder = folder.path()}).code, Code::kSyntax);
}

TEST(attack_11, WhatIsNotWasmIsNamed) {
  for (std::string_view text :
       {std::string_view(""), std::string_view("(module)"), std::string_view(";; text\n(component)"),
        std::string_view("\x7f"
                         "ELF\x02\x01\x01"),
        std::string_view("#!/bin/sh"), std::string_view("\0asm", 4), std::string_view("\0asm\x02\0\0\0", 8),
        std::string_view("PK\x03\x04")}) {
    Error error = Refused(Bytes(text));
    EXPECT_EQ(error.code, Code::kNotWasm) << text;
    EXPECT_FALSE(error.remedy.empty());
  }
}

TEST(attack_11, CutOffAndGarbledBinariesAreRefused) {
  for (std::span<const std::uint8_t> whole : {std::span<const std::uint8_t>(kModule), {kComponent}}) {
    EXPECT_EQ(Refused(whole.first(whole.size() / 2)).code, Code::kNotWasm);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      auto contract = Describe(whole.first(size));
      if (contract) continue;  // cut between two sections, and whole by chance
      EXPECT_TRUE(contract.error().code == Code::kNotWasm || contract.error().code == Code::kCompile);
    }
    for (std::size_t at = 8; at < whole.size(); ++at) {
      std::vector<std::uint8_t> garbled(whole.begin(), whole.end());
      garbled[at] ^= 0x55;
      (void)Describe(garbled);  // any verdict, no crash
    }
  }
}

TEST(attack_11, PrecompiledCodeIsNamed) {
  std::vector<std::uint8_t> elf(0xc0);
  std::string_view magic =
      "\x7f"
      "ELF\x02\x01";
  std::copy(magic.begin(), magic.end(), elf.begin());
  elf[0x28] = 0x40;         // section headers
  elf[0x3a] = 0x40;         // their size
  elf[0x3c] = 2;            // how many
  elf[0x3e] = 1;            // which one holds the names
  elf[0x80 + 0x18] = 0xc0;  // where the names are
  elf[0x40] = 1;
  for (char c : std::string_view("\0.wasmtime.engine\0", 18)) elf.push_back(static_cast<std::uint8_t>(c));
  EXPECT_EQ(Refused(elf).code, Code::kPrecompiled);
}

// (module (type (func)) (func) × n), by hand.
std::vector<std::uint8_t> ManyFunctions(std::uint32_t count) {
  auto leb = [](std::uint32_t n) {
    std::vector<std::uint8_t> out;
    do {
      out.push_back(static_cast<std::uint8_t>((n & 0x7f) | (n > 0x7f ? 0x80 : 0)));
      n >>= 7;
    } while (n > 0);
    return out;
  };
  std::vector<std::uint8_t> wasm = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0};
  auto section = [&](std::uint8_t id, std::vector<std::uint8_t> entry) {
    std::vector<std::uint8_t> body = leb(count);
    for (std::uint32_t i = 0; i < count; ++i) body.insert(body.end(), entry.begin(), entry.end());
    wasm.push_back(id);
    for (std::uint8_t byte : leb(static_cast<std::uint32_t>(body.size()))) wasm.push_back(byte);
    wasm.insert(wasm.end(), body.begin(), body.end());
  };
  section(3, {0});
  section(10, {2, 0, 0x0b});
  return wasm;
}

TEST(attack_10, AHundredThousandFunctionsAreRefusedBeforeTheyCost) {
  std::vector<std::uint8_t> many = ManyFunctions(100'000);
  auto start = std::chrono::steady_clock::now();
  Error error = Refused(many);
  EXPECT_EQ(error.code, Code::kCompileLimit);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  EXPECT_EQ(Refused(ManyFunctions(11), {.max_functions = 10}).code, Code::kCompileLimit);
  EXPECT_TRUE(Describe(ManyFunctions(10), {.max_functions = 10}).has_value());
  EXPECT_TRUE(Describe(ManyFunctions(50'000)).has_value());
}

TEST(Wit, TypesPrintAsWit) {
  Contract contract;
  contract.types = {{.kind = Kind::kU8},
                    {.kind = Kind::kList, .element = 0, .size = 4},
                    {.kind = Kind::kResult},
                    {.kind = Kind::kResult, .element = kNone, .error = 0},
                    {.kind = Kind::kMap, .element = 0, .error = 1},
                    {.kind = Kind::kFlags, .fields = {{"a", kNone, ""}, {"b", kNone, ""}}},
                    {.kind = Kind::kUnsupported},
                    {.kind = Kind::kRecord, .name = "evil\x1b[31m"}};
  EXPECT_EQ(TypeText(contract, 1), "list<u8, 4>");
  EXPECT_EQ(TypeText(contract, 2), "result");
  EXPECT_EQ(TypeText(contract, 3), "result<_, u8>");
  EXPECT_EQ(TypeText(contract, 4), "map<u8, list<u8, 4>>");
  EXPECT_EQ(TypeText(contract, 5), "flags { a, b }");
  EXPECT_EQ(TypeText(contract, 6), "unsupported");
  EXPECT_EQ(TypeText(contract, 7), "evil\\u001b[31m");
}

TEST(Wit, SharedTypesDoNotSpellOutWithoutEnd) {
  Contract contract;
  contract.types.push_back({.kind = Kind::kU8});
  for (TypeRef i = 0; i < 30; ++i) {
    contract.types.push_back({.kind = Kind::kTuple, .fields = {{"", i, ""}, {"", i, ""}}});
  }
  EXPECT_LT(TypeText(contract, 30).size(), 8u << 10);
}

}  // namespace
}  // namespace cordon::wit
