// Errors: one stable code, one sentence that says what failed, one that says what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cordon {

// The stable codes. A code never changes its meaning; new ones are only added. `CodeName` gives the
// text form ("E_NOT_FOUND"), which is what `--json`, the audit and the C API show.
enum class Code : std::uint16_t {
  // Input: documents, values, artifacts.
  kSyntax,         // a document is not well-formed (YAML, JSON, capability text)
  kUnknownKey,     // a key that the schema does not have
  kDuplicateKey,   // one key twice in one mapping
  kType,           // a value of the wrong type
  kRange,          // a value out of its range
  kLimit,          // a document too big, too deep or too many of something
  kName,           // a name outside its grammar
  kMissing,        // a required key or argument is absent
  kInvalid,        // well-formed, and contradictory or meaningless
  kInputSchema,    // the input of a call does not fit its schema or WIT type
  kOutputSchema,   // the output of a call does not fit its schema
  kNotWasm,        // not a WebAssembly binary
  kPrecompiled,    // native code (ELF, .cwasm) offered as a plugin
  kCompile,        // a WebAssembly binary that does not validate or compile
  kCompileLimit,   // compiling would cost more than the limits allow
  kDigest,         // content does not match its digest
  kUnenforceable,  // this build cannot enforce what was asked
  // Authority.
  kDenied,          // authority missing
  kLink,            // imports that were not linked
  kGrantForbidden,  // a grant that no operator may give
  kGrantTooWide,    // a grant wider than the level allows
  kOverlap,         // two file grants with different modes meet in one place
  kNotRegular,      // neither a regular file nor a directory
  kChanged,         // bytes differ from those that were granted
  // The guest.
  kGuest,       // the plugin answered with an error of its own
  kTrap,        // the guest trapped
  kBadPointer,  // a pointer or length outside guest memory
  kBadString,   // text that is not valid UTF-8, or holds NUL
  kHandle,      // a bad resource handle
  kExit,        // the guest ended itself with an exit code
  // Limits.
  kTimeout,        // wall time
  kCpu,            // CPU time
  kFuel,           // instruction budget
  kMemory,         // linear memories and tables together
  kStackOverflow,  // the guest's stack
  kLiftLimit,      // too much data crosses in one host call
  kTableFull,      // too many handles
  kInputSize,      // input bytes
  kOutputSize,     // output bytes
  kInstances,      // instances, memories or tables of one store
  kBusy,           // no free place to run; try again
  // The host.
  kUsage,             // wrong arguments
  kNotFound,          // no such plugin, action, file
  kIo,                // the operating system refused
  kAuditUnavailable,  // the audit log cannot be written
  kUnavailable,       // a part that is needed is not there
  kInterrupted,       // cancelled by the caller
  kService,           // a service of the embedding program failed
  kPoisoned,          // an instance that trapped or was stopped is never entered again
  kPanic,             // a fault of ours, caught at the bridge
  kInternal,          // a fault of ours
  kWorkerLost,        // the process that ran the call ended or broke the rules: it may have run in part
};
// Numbers are never given anew: codes are added at the end.
inline constexpr Code kLastCode = Code::kWorkerLost;

// "E_NOT_FOUND" and so on. Thread-safe; the view is static.
std::string_view CodeName(Code code);

// The exit code of the command line for a code: 1 plugin error or trap, 2 usage, 3 denied, 4 invalid,
// 5 limit, 6 verification, 7 not found, 8 unavailable, 70 a fault of ours, 130 interrupted.
int ExitCode(Code code);

// A place in a document: 1-based line and column (in characters); `line` 0 means the whole file.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string excerpt;  // the source line itself, unescaped; shown above the caret
};

// A value type: copyable, no ownership of anything outside. Messages are lower-case, without a period.
struct Error {
  Code code = Code::kInternal;
  std::string message;         // what failed, with names; may hold guest text, so escape it before display
  std::string remedy;          // what to do, ideally a command; may be empty
  std::optional<Place> place;  // where in a document
  std::vector<std::pair<std::string, std::string>> details;  // stable keys ("import", "rule", "limit", "path", "wit")
  std::vector<Error> causes;  // one for each of several failures (e.g. each unlinked import)
  std::string backtrace;      // the guest's frames, one per line; empty unless it trapped

  Error() = default;
  Error(Code c, std::string m, std::string r = {}) : code(c), message(std::move(m)), remedy(std::move(r)) {}

  Error&& With(std::string key, std::string value) && {
    details.emplace_back(std::move(key), std::move(value));
    return std::move(*this);
  }
  Error&& At(Place p) && {
    place = std::move(p);
    return std::move(*this);
  }
  // The value of a detail, or an empty view. The view lives as long as this object is unchanged.
  std::string_view Detail(std::string_view key) const;
};

}  // namespace cordon
