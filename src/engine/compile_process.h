// Compilation in a process of its own, under limits: hostile code can cost more to compile than to run, and a fault of
// the compiler must not be one of the host. The process (src/compile) has no file, no network, no environment; it gets
// the binary and gives code. Thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "base/units.h"
#include "engine/engine.h"

namespace cordon::engine {

inline constexpr char kCompilerName[] = "cordon-compile";

struct CompileLimits {
  Duration wall = std::chrono::seconds(180);
  Duration cpu = std::chrono::seconds(300);  // of all its threads
  std::uint64_t memory_bytes = 3ull << 30;   // of address space
  std::uint64_t output_bytes = 512ull << 20;
};

struct CompileRequest {
  std::filesystem::path program;  // cordon-compile
  EngineOptions options;
  std::span<const std::uint8_t> wasm;
  CompileLimits limits{};
  std::vector<int> groups{};          // files of control groups: it writes "0" to each before it does anything else
  std::function<bool()> cancelled{};  // asked every few milliseconds; may be empty
  std::function<void(Duration elapsed)> waiting{};  // told as often; may be empty
};

// Errors: E_COMPILE for what does not validate, E_COMPILE_LIMIT naming the limit (also when the compiler died),
// E_MEMORY and E_INSTANCES as Compiled::Compile, E_INTERRUPTED, E_UNAVAILABLE when the process cannot be started.
Result<Precompiled> CompileApart(const CompileRequest& request);

// `chosen`, else beside the program, beside the library, ../libexec/cordon of either. E_UNAVAILABLE naming where it was
// looked for.
Result<std::filesystem::path> FindCompiler(const std::filesystem::path& chosen);

// The same for another program of ours, by its name.
Result<std::filesystem::path> FindProgram(std::string_view name, const std::filesystem::path& chosen);

// What stands at the start of the process's answer; the payload follows. Both sides are of one build.
struct CompileAnswer {
  std::uint32_t done = 0;  // 1: the payload is code, 2: a message
  std::uint32_t code = 0;  // a Code, when it is a message
  std::uint64_t payload_bytes = 0;
  std::uint8_t fingerprint[32] = {};
};
// Its arguments after the name, in this order, as numbers; wasm and answer are on these descriptors.
enum CompileArgument {
  kFuel = 1,
  kDebug,
  kSmall,
  kChecked,
  kCopied,
  kUnstoppable,
  kMemory,
  kInstances,
  kTables,
  kStack,
  kCpuSeconds,
  kSpace,
  kOutput,
  kGroups,  // how many; descriptors after the answer
  kArgumentEnd
};
inline constexpr int kWasmFd = 3;
inline constexpr int kAnswerFd = 4;
inline constexpr int kFirstGroupFd = 5;
inline constexpr int kGroupsMax = 4;

}  // namespace cordon::engine
