#include "services/guard.h"

namespace cordon::services {

using policy::Decision;
using policy::Verdict;

Guard::Guard(const policy::Authority& authority, audit::Observer& observer, std::string plugin, std::string digest)
    : authority_(authority), observer_(observer), plugin_(std::move(plugin)), digest_(std::move(digest)) {}

Decision Guard::Check(const Caller& caller, const policy::Capability& asked, std::string_view normalised_target) const {
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
