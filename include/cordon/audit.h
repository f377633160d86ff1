// Who is told what was decided. Every record is made before what it allows is done.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cordon/result.h"

namespace cordon {

// One decision, load, call or note. Texts may come from a guest: escape before display (EscapeForDisplay).
struct AuditRecord {
  std::string event;  // "decision", "load", "call", "host-call", "note"
  std::string plugin;
  std::string digest;  // of the artifact, "sha256:…"
  std::vector<std::string> callers;
  std::string action;
  std::string capability, target, rule;
  std::optional<bool> allowed;
  std::optional<Code> code;
  std::uint64_t count = 1;  // of equal events; of calls for "calls"
  std::optional<std::chrono::nanoseconds> duration;
  std::vector<std::pair<std::string, std::uint64_t>> usage;
  std::string note;
  std::string input_digest, output_digest;  // "sha256:…", where every call has a record
  std::string trace;                        // "<trace>-<span>", hexadecimal
  std::string tenant;                       // as Principal::tenant said
};

// Takes records. Called from any thread that loads or calls; must be thread-safe and quick, and must not call back into
// the Host. An error means that the record is lost: what it would have allowed is then denied (E_AUDIT_UNAVAILABLE). An
// exception counts as an error.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual Status Write(const AuditRecord& record) = 0;
};

// The hash-chained log of docs/formats/audit.md, which `cordon trail verify` reads; `state_folder` is made when it is
// absent. E_AUDIT_UNAVAILABLE when it is a link, not ours or open to others.
Result<std::shared_ptr<AuditSink>> OpenAuditLog(const std::filesystem::path& state_folder);
// The last `records_max` records, in memory.
class AuditMemory : public AuditSink {
 public:
  static std::shared_ptr<AuditMemory> Make(std::size_t records_max = 1024);
  virtual std::vector<AuditRecord> records() const = 0;
};

enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kCritical };
std::string_view LogLevelName(LogLevel level);

// A line that a plugin logged: already escaped and bounded.
struct LogLine {
  std::uint64_t call_id = 0;
  LogLevel level = LogLevel::kInfo;
  std::string plugin;
  std::string source;
  std::string message;
  std::uint64_t dropped_lines = 0;  // lost before this line
};

// Takes lines, one plugin's in order, from any thread. Must be thread-safe; must not throw, nor call into the Host.
using LogSink = std::function<void(const LogLine& line)>;

}  // namespace cordon
