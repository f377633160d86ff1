#include "audit/observer.h"

#include <array>
#include <mutex>

namespace cordon::audit {

std::string_view EventName(Event event) {
  constexpr std::array<std::string_view, 9> kNames = {"decision", "grant",  "revoke",    "call",  "load",
                                                      "note",     "switch", "host-call", "reload"};
  return kNames[static_cast<std::size_t>(event)];
}

Record DecisionView::ToRecord() const {
  Record record;
  record.plugin = plugin;
  record.digest = digest;
  record.callers.assign(callers.begin(), callers.end());
  record.capability = capability;
  record.target = target;
  record.rule = rule;
  record.decision = decision;
  record.code = code;
  record.note = note;
  record.trace = trace;
  record.tenant = tenant;
  return record;
}

Status Observer::OnDecision(const DecisionView& decision) { return On(decision.ToRecord()); }

Status Observer::OnCalls(const CallTally& tally) {
  Record record;
  record.event = Event::kCall;
  record.plugin = tally.plugin;
  record.digest = tally.digest;
  record.action = tally.action;
  record.count = tally.count;
  record.duration = tally.total;
  record.usage.emplace_back("failures", tally.failures);
  return On(record);
}

struct MemoryObserver::State {
  mutable std::mutex mutex;
  std::vector<Record> records;
};

MemoryObserver::MemoryObserver() : state_(std::make_unique<State>()) {}
MemoryObserver::~MemoryObserver() = default;

Status MemoryObserver::On(const Record& record) {
  const std::lock_guard lock(state_->mutex);
  state_->records.push_back(record);
  return {};
}

std::vector<Record> MemoryObserver::records() const {
  const std::lock_guard lock(state_->mutex);
  return state_->records;
}

}  // namespace cordon::audit
