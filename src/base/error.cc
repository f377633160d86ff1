#include "cordon/error.h"

#include <array>

namespace cordon {
namespace {

struct Row {
  std::string_view name;
  int exit_code;
};

// In the order of the enum; `CodeName` of the last one is tested, so that a row cannot be forgotten.
constexpr auto kRows = std::to_array<Row>({
    {"E_SYNTAX", 4},
    {"E_UNKNOWN_KEY", 4},
    {"E_DUPLICATE_KEY", 4},
    {"E_TYPE", 4},
    {"E_RANGE", 4},
    {"E_LIMIT", 4},
    {"E_NAME", 4},
    {"E_MISSING", 4},
    {"E_INVALID", 4},
    {"E_INPUT_SCHEMA", 4},
    {"E_OUTPUT_SCHEMA", 1},
    {"E_NOT_WASM", 4},
    {"E_PRECOMPILED", 4},
    {"E_COMPILE", 4},
    {"E_COMPILE_LIMIT", 4},
    {"E_DIGEST", 6},
    {"E_UNENFORCEABLE", 4},
    {"E_DENIED", 3},
    {"E_LINK", 3},
    {"E_GRANT_FORBIDDEN", 3},
    {"E_GRANT_TOO_WIDE", 3},
    {"E_OVERLAP", 3},
    {"E_NOT_REGULAR", 3},
    {"E_CHANGED", 3},
    {"E_GUEST", 1},
    {"E_TRAP", 1},
    {"E_BAD_POINTER", 1},
    {"E_BAD_STRING", 1},
    {"E_HANDLE", 1},
    {"E_EXIT", 1},
    {"E_TIMEOUT", 5},
    {"E_CPU", 5},
    {"E_FUEL", 5},
    {"E_MEMORY", 5},
    {"E_STACK_OVERFLOW", 5},
    {"E_LIFT_LIMIT", 5},
    {"E_TABLE_FULL", 5},
    {"E_INPUT_SIZE", 5},
    {"E_OUTPUT_SIZE", 5},
    {"E_INSTANCES", 5},
    {"E_BUSY", 8},
    {"E_USAGE", 2},
    {"E_NOT_FOUND", 7},
    {"E_IO", 8},
    {"E_AUDIT_UNAVAILABLE", 8},
    {"E_UNAVAILABLE", 8},
    {"E_INTERRUPTED", 130},
    {"E_SERVICE", 1},
    {"E_POISONED", 1},
    {"E_PANIC", 70},
    {"E_INTERNAL", 70},
    {"E_WORKER_LOST", 8},
});
static_assert(kRows.size() == static_cast<std::size_t>(kLastCode) + 1);

const Row& RowOf(Code code) { return kRows[static_cast<std::size_t>(code)]; }

}  // namespace

std::string_view CodeName(Code code) { return RowOf(code).name; }

int ExitCode(Code code) { return RowOf(code).exit_code; }

std::string_view Error::Detail(std::string_view key) const {
  for (const auto& [k, v] : details) {
    if (k == key) return v;
  }
  return {};
}

}  // namespace cordon
