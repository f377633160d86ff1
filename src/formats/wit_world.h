// A WIT world: what a component imports and exports, from WIT text or from a binary, with the names of its types.
// Values; immutable once made, so safe to share between threads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "formats/wit.h"

namespace cordon::wit {

// A type with a name. Two definitions of one type are two names for it.
struct Definition {
  std::string interface_name;  // "acme:shop/prices@1.0.0"; "" for the world's own; "checks" for one inside the world
  std::string name;
  TypeRef type = kNone;
  std::string docs;
};

// A function that values cannot call: it has to do with resources, streams or futures.
struct Unsupported {
  enum class Side : std::uint8_t { kImport, kExport } side = Side::kImport;
  std::size_t item = 0, function = 0;  // of contract.imports or contract.exports
  std::string what;                    // "the resource 'file' does not cross"
  std::optional<Place> place;
};

struct World {
  std::string name;  // "acme:shop/shopper@1.0.0"
  std::string docs;
  Contract contract;                    // items, functions and types, in the order of the source
  std::vector<Definition> definitions;  // each after those that it is made of
  std::vector<Unsupported> unsupported;
};

// One file of WIT text. Files of one package have the same number: 0 is the package that has the world.
struct Source {
  std::string file;  // as errors call it
  std::string text;
  std::uint32_t package = 0;
};

// `world`: its name, or "" when the package has one. Bounded in time and memory: 4 MiB of text, types 100 deep.
// Errors: E_SYNTAX with the place, E_NAME (no such world, with those that there are), E_LIMIT, E_BAD_STRING.
Result<World> WorldOfSources(std::span<const Source> sources, std::string_view world = {});

// The world of a component, or of a WIT package in binary form. E_INVALID for a core module, E_NAME, and Describe's.
Result<World> WorldOfBinary(std::span<const std::uint8_t> wasm, std::string_view world = {});

}  // namespace cordon::wit
