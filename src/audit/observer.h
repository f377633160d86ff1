// Who is told about decisions. The interface is all that services and runtime know of the audit.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cordon/result.h"
#include "policy/authority.h"

namespace cordon::audit {

enum class Event : std::uint8_t { kDecision, kGrant, kRevoke, kCall, kLoad, kNote, kSwitch, kHostCall, kReload };
std::string_view EventName(Event event);

// What happened. Every text may come from a guest: the log escapes and caps it. Empty and absent fields are left out.
struct Record {
  Event event = Event::kDecision;
  std::string plugin;
  std::string digest;                // of the artifact, "sha256:…"
  std::vector<std::string> callers;  // the chain, outermost first
  std::string action;
  std::string capability;  // compact form
  std::string target;      // normalised
  std::string rule;
  std::optional<policy::Verdict> decision;
  std::optional<Code> code;
  std::uint64_t count = 1;  // of equal events in one record
  std::optional<Duration> duration;
  std::vector<std::pair<std::string, std::uint64_t>> usage;  // "memory_peak_bytes", "fuel" …
  std::string input_digest, output_digest;                   // of a call, "sha256:…", where each has its record
  std::string actor;                                         // who granted or revoked
  std::string note;
  std::string trace;   // of W3C's traceparent: the trace and the span that asked, "<32 hex>-<16 hex>"
  std::string tenant;  // for whom the call was made
};

// A decision in fixed size, its texts somewhere else: what the way of an allowance costs nothing to make.
struct DecisionView {
  std::string_view plugin, digest;
  std::span<const std::string> callers;
  std::string_view capability, target, rule;
  policy::Verdict decision = policy::Verdict::kDeny;
  std::optional<Code> code;
  std::string_view note, trace, tenant;
  Record ToRecord() const;
};

// Calls are counted, not written one by one.
struct CallTally {
  std::string plugin;
  std::string digest;
  std::string action;
  std::uint64_t count = 0;
  std::uint64_t failures = 0;
  Duration total{0};
};

// Thread-safe. An error is E_AUDIT_UNAVAILABLE, and whoever asked must not go on with what would have been audited.
class Observer {
 public:
  virtual ~Observer() = default;
  // Grants, revocations and denials are on the disk when this returns; the rest within a bounded buffer.
  virtual Status On(const Record& record) = 0;
  // As On; whoever does not override it gets a Record.
  virtual Status OnDecision(const DecisionView& decision);
  virtual Status OnCalls(const CallTally& tally);
};

// Keeps records in memory, in order: for tests and for embedders that keep their own.
class MemoryObserver final : public Observer {
 public:
  MemoryObserver();
  ~MemoryObserver() override;
  Status On(const Record& record) override;
  std::vector<Record> records() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cordon::audit
