// What a call leaves behind beside its answer: a record, counters, a span. For this room only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/trace.h"
#include "runtime/state.h"

namespace cordon::runtime {

// One call, from its question to its end. While it lives, services know where the call comes from.
class CallScope {
 public:
  CallScope(const Plugin::State& state, std::uint64_t call_id, const CallOptions& options);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // Whether calls are to have digests of what crosses.
  bool wants_digests() const { return state_.detail >= policy::AuditDetail::kDigests; }
  std::string input_digest, output_digest;

  // kOwn: a record of its own. kTally: counted with others, unless it failed. kByOwner: whoever keeps the instance
  // counts what went well.
  enum class Account : std::uint8_t { kOwn, kTally, kByOwner };
  // The call is over: exactly one record, or a place in a tally. Gives `outcome`, or why that could not be written.
  Status Settle(Status outcome, std::string_view action, const engine::Usage& usage, Account account);

 private:
  Status Write(const Status& outcome, std::string_view action, const engine::Usage& usage) const;
  void EndSpan(const Status& outcome, std::string_view action, const engine::Usage& usage);

  const Plugin::State& state_;
  const std::uint64_t call_id_;
  const CallOptions& options_;
  std::optional<TraceParent> parent_, own_;
  std::chrono::system_clock::time_point began_;
  bool has_span_ = false;  // of its own: somebody wanted spans when it began
  bool is_known_ = false;  // to the services
};

// SHA-256 of a payload in pieces, "sha256:…".
std::string DigestOf(engine::Pieces pieces);

// Passes a result on, and keeps its digest.
class DigestingSink final : public engine::ResultSink {
 public:
  DigestingSink(engine::ResultSink& inner, std::string& digest) : inner_(inner), digest_(digest) {}
  void Take(engine::Pieces pieces) noexcept override;

 private:
  engine::ResultSink& inner_;
  std::string& digest_;
};

}  // namespace cordon::runtime
