// What a WebAssembly binary imports and exports, with WIT types and doc comments.
// Values; immutable once made, so safe to share between threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"

namespace cordon::wit {

enum class Kind : std::uint8_t {
  kBool,
  kS8,
  kU8,
  kS16,
  kU16,
  kS32,
  kU32,
  kS64,
  kU64,
  kF32,
  kF64,
  kChar,
  kString,
  kList,         // element; `size` > 0 for a fixed-length list
  kRecord,       // fields
  kTuple,        // fields, unnamed
  kVariant,      // fields are its cases; a case without payload has type kNone
  kEnum,         // fields are its names
  kFlags,        // fields are its names
  kOption,       // element
  kResult,       // element is ok, error is err; either may be kNone
  kMap,          // element is the key, error is the value; crosses as list<tuple<K, V>>
  kResource,     // own<T>, or borrow<T> with `size` 1; `name` is T: cannot cross to JSON
  kUnsupported,  // stream, future, error-context
};

// An index into Contract::types.
using TypeRef = std::uint32_t;
constexpr TypeRef kNone = 0xffffffff;

struct Field {
  std::string name;
  TypeRef type = kNone;
  std::string docs;
};

struct Type {
  Kind kind = Kind::kBool;
  std::string name{};  // its WIT name if it has one ("graph-node"), else empty
  std::string docs{};
  std::vector<Field> fields{};
  TypeRef element = kNone;
  TypeRef error = kNone;
  std::uint32_t size = 0;
};

struct Function {
  std::string name;  // WIT name, e.g. "check" or "[method]pollable.block"
  std::string docs;
  std::vector<Field> params;
  TypeRef result = kNone;
  bool is_async = false;
};

// One import or export. A component's is an interface with functions, or one function (then `functions` has
// that one, with the same name). A core module's imports are one item each, with the module in `module`.
struct Item {
  enum class Kind { kInterface, kFunction, kOther /* memory, table, global, tag, core module, type */ };
  Kind kind = Kind::kInterface;
  std::string name;    // "wasi:io/poll@0.2.6", "log", or "env.system" for a core import
  std::string module;  // core modules only: "env"
  std::string docs;
  std::string type_text;  // for messages: "func(key: string) -> option<string>", "(i32) -> i32", "memory"
  std::vector<Function> functions;
  std::vector<std::string> resources;
};

struct Contract {
  enum class Kind { kModule, kComponent };
  Kind kind = Kind::kModule;
  std::vector<Type> types;
  std::vector<Item> imports;
  std::vector<Item> exports;
  std::uint32_t function_count = 0;  // defined core functions in all modules inside
  std::uint64_t data_bytes = 0;      // of the data sections of all modules inside
  bool has_start = false;            // a core start section somewhere inside
  const Type& At(TypeRef ref) const { return types[ref]; }
};

// Reads the types of a binary. Core functions are described with WIT types (i32 as s32, i64 as s64, f32, f64).
// `wit_folder` (may be empty) is a folder of .wit source whose doc comments are used where the binary has none.
// Errors: E_NOT_WASM (text, ELF, garbage, truncated), E_PRECOMPILED (.cwasm, ELF with wasm code), E_COMPILE (does
// not validate, or needs a feature that the engine keeps off), E_COMPILE_LIMIT (more than `max_functions` functions,
// 100,000 data segments, 1,000 nested modules ...). Bounded in time and memory by the input's size.
// E_SYNTAX when `wit_folder` cannot be read as WIT: call again without it for a contract without those docs.
struct DescribeOptions {
  std::uint32_t max_functions = 50'000;
  std::filesystem::path wit_folder{};
};
Result<Contract> Describe(std::span<const std::uint8_t> wasm, const DescribeOptions& options = {});

// WIT text of a type or function, for messages: "list<tuple<string, string>>", "func(a: s32) -> s32".
std::string TypeText(const Contract& contract, TypeRef type);
std::string FunctionText(const Contract& contract, const Function& function);
// The whole contract as WIT-like text for `cordon inspect`: one block per interface, docs as comments.
std::string ContractText(const Contract& contract);

}  // namespace cordon::wit
