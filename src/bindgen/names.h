// Names of WIT as names of C++. Pure; thread-safe.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::bindgen {

// "node-type" → "node_type", and with a trailing `_` what C++ or its headers have already: "class" → "class_".
// Different names stay different.
std::string SnakeName(std::string_view wit);

// "node-type" → "NodeType". Two names can become one: see Scope.
std::string TitleName(std::string_view wit);

bool IsIdentifier(std::string_view text);

// The names that are taken in one C++ scope.
class Scope {
 public:
  // `name`, or with a suffix what is not taken yet.
  std::string Take(std::string name);
  bool Has(std::string_view name) const { return taken_.contains(name); }

 private:
  std::set<std::string, std::less<>> taken_;
};

// "acme:shop/prices@1.0.0". Parts that are not there are empty.
struct InterfaceName {
  std::string_view space, package, interface_name, version;
};
InterfaceName Split(std::string_view name);

}  // namespace cordon::bindgen
