// What the engine offers of WASI: every function of every interface, with its shape. Taken from the WIT of the engine's
// own WASI crate (0.2.12) and from wasi_snapshot_preview1.witx. Immutable; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "policy/capability.h"

namespace cordon::abi {

struct WasiFunction {
  std::string_view interface_name;  // without version: "wasi:io/poll"
  std::string_view name;            // "" for an interface that has a resource and no function
  std::string_view shape;           // as FunctionShape gives it
};

// The functions of one interface, or nothing when the engine does not have it.
std::span<const WasiFunction> WasiFunctions(std::string_view interface_name);

// Those of wasi:http and wasi:sockets, each interface in one piece.
std::span<const WasiFunction> NetworkFunctions();

struct Preview1Function {
  std::string_view name;
  std::string_view type;             // "(i32, i32) -> i32"
  std::optional<policy::Kind> kind;  // what has to be on for it, if anything
};

inline constexpr std::string_view kPreview1 = "wasi_snapshot_preview1";
// Its descriptors 0, 1 and 2; without it they are not open.
inline constexpr std::string_view kPreview1Stdio = "wasi_snapshot_preview1/stdio";
// nullptr when there is none.
const Preview1Function* FindPreview1(std::string_view name);
std::span<const Preview1Function> Preview1Functions();

// "wasi:io/poll@0.2.6" in its parts.
struct InterfaceName {
  std::string_view package;  // "wasi:io"; empty for a bare name
  std::string_view name;     // "wasi:io/poll", without version
  std::string_view version;  // "0.2.6"; may be empty
};
InterfaceName SplitInterface(std::string_view text);

// 0.2.N, no pre-release: what the engine's WASI answers for.
enum class WasiVersion { kOffered, kOther };
WasiVersion JudgeWasiVersion(std::string_view version);
inline constexpr std::string_view kWasiVersionOffered = "0.2.12";

// Whether an interface of WASI has a resource of this name.
bool IsWasiResource(std::string_view name);

}  // namespace cordon::abi
