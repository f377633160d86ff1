// Typed C++ for a WIT world. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "formats/wit_world.h"

namespace cordon::bindgen {

// What becomes of functions that values cannot call (resources, streams, futures, async).
enum class OnUnsupported : std::uint8_t { kFail, kSkip };

struct CppOptions {
  std::string outer_namespace{};  // "acme::generated"; empty: none
  std::string world_namespace{};  // for what is not in an interface; empty: the world's own name
  OnUnsupported on_unsupported = OnUnsupported::kFail;
};

// A class that was written, and for which interface ("" for functions of the world itself).
struct WrittenClass {
  std::string interface_name;
  std::string name;  // qualified: "acme::shop::prices::Prices"
};

struct SkippedFunction {
  std::string interface_name;
  std::string name;
  std::string why;
};

struct CppHeader {
  std::string text;
  std::string file_name;  // "shopper.h"
  std::size_t types = 0;
  std::vector<WrittenClass> clients;   // of exports
  std::vector<WrittenClass> services;  // of imports
  std::vector<SkippedFunction> skipped;
};

// One header, the same for the same world and options. Names of WIT that C++ cannot have get a trailing `_`.
// Errors: E_NAME for a namespace that is none; E_INVALID with a cause and place for each function that values cannot
// call; E_LIMIT for types larger than the C++ side has room for.
Result<CppHeader> GenerateCpp(const wit::World& world, const CppOptions& options = {});

}  // namespace cordon::bindgen
