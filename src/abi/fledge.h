// Plugins written for fledge: core modules that import "fledge" and run as programs. Pure; thread-safe.
#pragma once

#include <span>
#include <string_view>

#include "formats/wit.h"
#include "policy/authority.h"

namespace cordon::abi {

inline constexpr std::string_view kFledgeModule = "fledge";

// A function of "fledge", as guests import it.
struct FledgeFunction {
  std::string_view name;
  std::string_view type;  // "(i32, i32) -> i32"
  // The smallest grant with which it is linked; empty: it holds no authority by itself.
  std::string_view grant{};
  // What stands in for an answer where it is denied and `link: lenient` wants a stub.
  std::string_view denial{};
};
// nullptr when there is none.
const FledgeFunction* FindFledgeFunction(std::string_view name);

// Whether a bare binary is meant for fledge: it imports from its host. A manifest says so itself.
bool ImportsFledge(const wit::Contract& contract);

// Whether what it stands for is granted: of programs any, of the rest exactly what it uses.
bool AllowsFledge(const FledgeFunction& function, const policy::Authority& authority);

}  // namespace cordon::abi
