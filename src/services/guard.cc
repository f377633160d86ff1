#include "services/guard.h"

#include <array>

namespace cordon::services {

using policy::Decision;
using policy::Verdict;

Guard::Guard(const policy::Authority& authority, audit::Observer& observer, std::string plugin, std::string digest)
    : authority_(authority), observer_(observer), plugin_(std::move(plugin)), digest_(std::move(digest)) {
  for (const policy::Ruling& ruling : authority.rulings()) {
    effective_.push_back(ruling.effective ? ruling.effective->ToString() : std::string());
  }
}

Decision Guard::Check(const Caller& caller, const policy::Capability& asked, std::string_view normalised_target) const {
  const policy::Kind kind = asked.kind();
  if (!caller.passed.Has(kind) && !policy::OnByDefault(kind)) [[unlikely]] {
    return Audit(caller, asked.ToString(), normalised_target,
                 {Verdict::kDeny, "call:not-passed", "let the grant of the call pass it on", Code::kDenied});
  }
  const std::span<const policy::Ruling> rulings = authority_.rulings();
  for (std::size_t i = 0; i < rulings.size(); ++i) {
    if (!rulings[i].effective || !rulings[i].effective->Covers(asked)) continue;
    std::array<char, 256> room;
    std::string long_text;
    std::string_view text = *rulings[i].effective == asked ? effective_[i] : asked.TextIn(room);
    if (text.empty()) text = long_text = asked.ToString();
    const std::string trace = caller.trace ? caller.trace->Text() : std::string();
    const Status written = observer_.OnDecision({.plugin = plugin_,
                                                 .digest = digest_,
                                                 .callers = caller.chain,
                                                 .capability = text,
                                                 .target = normalised_target,
                                                 .rule = rulings[i].rule,
                                                 .decision = Verdict::kAllow,
                                                 .code = {},
                                                 .note = {},
                                                 .trace = trace});
    if (written) [[likely]]
      return {Verdict::kAllow, {}, {}, Code::kDenied};
    return {Verdict::kDeny, "audit", written.error().remedy, Code::kAuditUnavailable};
  }
  return Audit(caller, asked.ToString(), normalised_target, authority_.Decide(asked));
}

Decision Guard::Refuse(const Caller& caller, std::string_view capability, std::string_view normalised_target,
                       std::string_view rule, Code code) const {
  return Audit(caller, capability, normalised_target, {Verdict::kDeny, std::string(rule), "", code});
}

Decision Guard::Audit(const Caller& caller, std::string_view capability, std::string_view target,
                      Decision decision) const {
  audit::Record record;
  record.plugin = plugin_;
  record.digest = digest_;
  record.callers = caller.chain;
  if (caller.trace) record.trace = caller.trace->Text();
  record.capability = std::string(capability);
  record.target = std::string(target);
  record.rule = decision.rule;
  record.decision = decision.verdict;
  if (!decision.allowed()) {
    record.code = decision.code;
    record.note = decision.remedy;
  }
  const Status written = observer_.On(record);
  if (written) return decision;
  return {Verdict::kDeny, "audit", written.error().remedy, Code::kAuditUnavailable};
}

}  // namespace cordon::services
