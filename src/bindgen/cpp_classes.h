// The classes of a world: one to call each exported interface, one to implement for each imported one. Pure.
#pragma once

#include <string>
#include <vector>

#include "bindgen/type_table.h"

namespace cordon::bindgen {

// A class with its namespace, and what is said about it.
struct ClassText {
  std::string space, name, text;
};

// Functions that go into one class: those of an interface, or all that stand in the world itself.
struct FunctionGroup {
  std::string interface_name;  // "acme:shop/prices@1.0.0"; "" for the world itself
  std::string docs;
  std::vector<const wit::Function*> functions;
  std::vector<SkippedFunction> skipped;
};

ClassText ClientText(TypeTable& table, const FunctionGroup& group, const std::string& wanted_name);
ClassText ServiceText(TypeTable& table, const FunctionGroup& group, const std::string& wanted_name);

}  // namespace cordon::bindgen
