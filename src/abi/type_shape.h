// What a WIT type looks like on the inside, without the names of types: two functions with the same shape are the same
// to the canonical ABI. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "formats/wit.h"

namespace cordon::abi {

// "record{seconds:u64,nanoseconds:u32}"; any resource is "resource". Cut, and so equal to nothing, beyond 16 KiB.
std::string TypeShape(const wit::Contract& contract, wit::TypeRef type);
// "(u64)->result<list<u8>,enum{a,b}>"; parameter names are not part of it. kNamed tells handles apart ("own<bucket>",
// "borrow<bucket>"), which a service of ours needs to know, since it gives them their meaning.
enum class Handles : std::uint8_t { kAlike, kNamed };
std::string FunctionShape(const wit::Contract& contract, const wit::Function& function,
                          Handles handles = Handles::kAlike);

}  // namespace cordon::abi
