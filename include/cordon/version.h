// The version of this library. Semantic versioning: below 1.0 a new minor version may change the API.
#pragma once

#include <string>
#include <string_view>

#define CORDON_VERSION_MAJOR 0
#define CORDON_VERSION_MINOR 1
#define CORDON_VERSION_PATCH 0
#define CORDON_VERSION "0.1.0"

namespace cordon {

// The version that the headers were written for, and that of the library that is linked. Thread-safe.
inline constexpr std::string_view kHeaderVersion = CORDON_VERSION;
std::string_view LibraryVersion();

// "wasmtime 48.0.8" with its build, or "none" when the library was built with CORDON_ENGINE=none. Thread-safe.
std::string EngineVersion();

}  // namespace cordon
