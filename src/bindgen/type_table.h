// What each type of a world is called in C++, and where it stands. Immutable once made.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bindgen/bindgen.h"
#include "bindgen/names.h"

namespace cordon::bindgen {

// A place in the generated text from which a type is named: its namespace, and the names that mean something else
// there.
struct Site {
  std::string_view space;
  const std::set<std::string>* hidden = nullptr;
};

// A type's own namespace and name.
struct Spot {
  std::string space;  // "acme::shop::prices"
  std::string name;   // "Item"
};

class TypeTable {
 public:
  static Result<TypeTable> Make(const wit::World& world, const CppOptions& options);

  const wit::World& world() const { return *world_; }
  const wit::Type& At(wit::TypeRef type) const { return world_->contract.At(type); }

  // Of the definition with this index; nothing for one that stands there already.
  const std::optional<Spot>& SpotOf(std::size_t definition) const { return spots_[definition]; }
  // Whether the definition is the type itself, or another name for it.
  bool IsFirst(std::size_t definition) const;
  // Why values of it cannot cross, or empty.
  const std::string& WhyNot(wit::TypeRef type) const { return why_not_[type]; }
  // Why the function cannot be called with values, or empty.
  std::string WhyNot(const wit::Function& function) const;

  // The namespace of an interface, of what is written inside the world, or ("") of the world itself.
  std::string SpaceOf(std::string_view interface_name) const;
  // A name that is free in `space`: `wanted`, or one of a few.
  std::string TakeName(const std::string& space, std::string wanted, std::string_view else_suffix);

  // What a definition that is only a name stands for.
  std::string Target(std::size_t definition) const;
  // The type of a value, that owns what it holds.
  std::string Value(wit::TypeRef type, const Site& site) const;
  // The type that a caller passes, as a template argument: "std::string_view", "std::span<const Item>", "Item".
  std::string Argument(wit::TypeRef type, const Site& site) const;
  // The same as the type of a parameter: "std::string_view", "const Item&".
  std::string Parameter(wit::TypeRef type, const Site& site) const;
  // "acme::shop::prices::Item", right anywhere.
  std::string Qualified(const Spot& spot) const { return (needs_root_ ? "::" : "") + spot.space + "::" + spot.name; }

 private:
  TypeTable(const wit::World& world, const CppOptions& options) : world_(&world), options_(&options) {}
  Status CheckNamespaces() const;
  void FindVersions();
  void NameDefinitions();
  void FindObstacles();
  std::string ObstacleOf(const wit::Type& type);
  std::size_t ShapeBytes(wit::TypeRef type) const { return type == wit::kNone ? 1 : shape_bytes_[type]; }
  const std::string* NameFrom(wit::TypeRef type, const Site& site, std::string& room) const;
  std::string Structure(const wit::Type& type, const Site& site) const;

  const wit::World* world_;
  const CppOptions* options_;
  std::set<std::string> many_versions_;  // "acme:shop", of which the world has several versions
  std::vector<std::optional<Spot>> spots_;
  std::map<wit::TypeRef, std::size_t> first_;                         // the definition that is the type itself
  std::map<std::pair<std::string, wit::TypeRef>, std::size_t> near_;  // a name for it in this namespace
  std::map<std::string, Scope> scopes_;
  std::vector<std::string> why_not_;
  std::vector<std::size_t> shape_bytes_;
  bool needs_root_ = false;
};

}  // namespace cordon::bindgen
