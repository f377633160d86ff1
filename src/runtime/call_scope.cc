#include "runtime/call_scope.h"

#include <openssl/evp.h>

#include <memory>

#include "runtime/meter.h"

namespace cordon::runtime {

CallScope::CallScope(const Plugin::State& state, std::uint64_t call_id, const CallOptions& options)
    : state_(state), call_id_(call_id), options_(options) {
  state.meter->CountRunning(1);
  SpanSink* const spans = state.host->options.spans.get();
  if (!options.traceparent.empty()) parent_ = TraceParent::Parse(options.traceparent);
  if (spans != nullptr && spans->wanted()) {
    own_ = parent_ ? parent_->Child() : TraceParent::New();
    has_span_ = true;
    began_ = std::chrono::system_clock::now();
  } else {
    own_ = parent_;
  }
  // A plugin that runs programs is known while it is called: they end with it.
  if (options.callers.empty() && options.principal.empty() && !own_ && !state.runs_programs) return;
  services::CallChains::Origin origin{
      .chain = options.callers, .principal = {}, .passed = options.passed, .trace = own_};
  if (!options.principal.empty()) origin.principal = std::make_shared<const Principal>(options.principal);
  state.host->chains->Put(call_id, std::move(origin));
  is_known_ = true;
}

CallScope::~CallScope() {
  state_.meter->CountRunning(-1);
  if (is_known_) state_.host->chains->Remove(call_id_);
}

Status CallScope::Settle(Status outcome, std::string_view action, const engine::Usage& usage, Account account) {
  const policy::AuditDetail detail = state_.detail;
  state_.meter->CountUse(usage);
  if (own_) [[unlikely]]
    EndSpan(outcome, action, usage);
  if (!outcome) [[unlikely]] {
    state_.meter->CountFailure(outcome.error().code, usage.wall);
    CORDON_TRY(Write(outcome, action, usage));
    return outcome;
  }
  // What a tally of calls could not say.
  const bool is_named = own_ || !options_.principal.tenant.empty();
  if (detail >= policy::AuditDetail::kDigests || (is_named && detail == policy::AuditDetail::kCalls)) {
    if (account != Account::kByOwner) state_.meter->CountCalls(1, usage.wall);
    return Write(outcome, action, usage);
  }
  if (account == Account::kByOwner) return outcome;
  if (account == Account::kTally || detail == policy::AuditDetail::kDecisions) return state_.Count(1, usage.wall);
  state_.meter->CountCalls(1, usage.wall);
  return Write(outcome, action, usage);
}

Status CallScope::Write(const Status& outcome, std::string_view action, const engine::Usage& usage) const {
  audit::Record record = state_.NewRecord(audit::Event::kCall);
  record.action = action;
  record.callers = options_.callers;
  record.duration = usage.wall;
  record.usage = {
      {"memory_peak_bytes", usage.memory_peak_bytes},
      {"host_calls", usage.host_calls},
      {"bytes_in", usage.bytes_in},
      {"bytes_out", usage.bytes_out},
  };
  if (usage.fuel != 0) record.usage.emplace_back("fuel", usage.fuel);
  const std::uint64_t dropped = usage.stdout_dropped_bytes + usage.stderr_dropped_bytes;
  if (dropped != 0) record.usage.emplace_back("output_dropped_bytes", dropped);
  if (!outcome) record.code = outcome.error().code;
  record.input_digest = input_digest;
  record.output_digest = output_digest;
  record.tenant = options_.principal.tenant;
  if (own_) record.trace = own_->Text();
  return state_.observer().On(record);
}

void CallScope::EndSpan(const Status& outcome, std::string_view action, const engine::Usage& usage) {
  SpanSink* const spans = state_.host->options.spans.get();
  if (!has_span_ || !spans->wanted() || !own_->sampled) return;
  Span span;
  span.kind = Span::Kind::kServer;
  span.place = *own_;
  if (parent_) span.parent = parent_->span;
  span.name = "call " + std::string(action);
  span.start = began_;
  span.end = std::chrono::system_clock::now();
  if (!outcome) span.error = CodeName(outcome.error().code);
  span.texts = {{"cordon.plugin", state_.source.name}, {"cordon.plugin.digest", state_.source.digest.ToString()}};
  span.numbers = {{"cordon.call.id", static_cast<std::int64_t>(call_id_)},
                  {"cordon.usage.memory_peak", static_cast<std::int64_t>(usage.memory_peak_bytes)},
                  {"cordon.usage.host_calls", static_cast<std::int64_t>(usage.host_calls)}};
  spans->Take(std::move(span));
}

std::string DigestOf(engine::Pieces pieces) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> step(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!step || EVP_DigestInit_ex(step.get(), EVP_sha256(), nullptr) != 1) return {};
  for (const auto& piece : pieces) EVP_DigestUpdate(step.get(), piece.data(), piece.size());
  unsigned char raw[32];
  unsigned size = 0;
  EVP_DigestFinal_ex(step.get(), raw, &size);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "sha256:";
  for (const unsigned char byte : raw) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

void DigestingSink::Take(engine::Pieces pieces) noexcept {
  try {
    digest_ = DigestOf(pieces);
  } catch (const std::bad_alloc&) {
    digest_.clear();
  }
  inner_.Take(pieces);
}

}  // namespace cordon::runtime
