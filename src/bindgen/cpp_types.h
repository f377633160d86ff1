// The types of a world as C++: their definitions, and how they cross. Pure.
#pragma once

#include <string>

#include "bindgen/type_table.h"

namespace cordon::bindgen {

// One definition, inside of its namespace.
std::string DefinitionText(const TypeTable& table, std::size_t definition);

// Its cordon::WitType, outside of every namespace; empty for what is only another name.
std::string CrossingText(const TypeTable& table, std::size_t definition);

}  // namespace cordon::bindgen
