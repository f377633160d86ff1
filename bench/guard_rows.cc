#include <cstdlib>

#include "audit/audit_log.h"
#include "folder.h"
#include "rows.h"
#include "services/guard.h"

namespace cordon::bench {
namespace {

constexpr char kNothing[] = "an empty loop";

// Takes a decision as the audit does, and keeps nothing of it.
class Sum final : public audit::Observer {
 public:
  Status On(const audit::Record&) override { return {}; }
  Status OnDecision(const audit::DecisionView& decision) override {
    bytes += decision.capability.size() + decision.target.size() + decision.rule.size();
    return {};
  }
  std::uint64_t bytes = 0;
};

Status Idle(std::uint64_t iterations) {
  for (std::uint64_t i = 0; i < iterations; ++i) asm volatile("" : : "r"(i) : "memory");
  return {};
}

// A plugin with five rights, of which the last is asked for.
Result<policy::Authority> SomeAuthority() {
  std::vector<policy::Request> requests;
  std::vector<policy::Grant> grants;
  for (const char* text : {"env:TOKEN", "fs:read:/data=workspace", "http:GET:https://api.example.com/v1/*",
                           "kv:write:cache", "fs:write:/out=workspace/out"}) {
    CORDON_ASSIGN(policy::Capability capability, policy::Capability::Parse(text));
    CORDON_ASSIGN(policy::Grant grant, policy::Grant::Parse(text));
    requests.push_back({std::move(capability), policy::Need::kRequired, ""});
    grants.push_back(std::move(grant));
  }
  return policy::Authority::Evaluate(requests, grants, policy::Ceiling::Default(), policy::LinkMode::kLenient);
}

constexpr std::string_view kDigest = "sha256:3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855e";

// What the guard takes to allow, without what the audit does with it.
Result<Row> MeasureGuard(const Plan& plan, CordonSide&, RawSide&) {
  CORDON_ASSIGN(const policy::Authority authority, SomeAuthority());
  Sum sum;
  const services::Guard guard(authority, sum, "acme/linkcheck", std::string(kDigest));
  CORDON_ASSIGN(const policy::Capability asked, policy::Capability::Parse("fs:write:/out=workspace/out"));
  const services::Caller caller;
  const Side ours = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) {
      if (!guard.Check(caller, asked, "/out/2026/report.json").allowed()) {
        return Fail(Code::kInternal, "the guard denied what was granted");
      }
    }
    return {};
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, Idle));
  return Summarise({"guard-allow", kNothing, "ns", Row::Judged::kDifference, 200}, rounds);
}

// A record of an allowance in the log on disk: its hash, its share of a group's write, of syncs and of checkpoints.
Result<Row> MeasureAudit(const Plan& plan, CordonSide&, RawSide&) {
  const Folder folder;
  CORDON_ASSIGN(const std::unique_ptr<audit::AuditLog> log, audit::AuditLog::Open(folder.path()));
  const audit::DecisionView decision{.plugin = "acme/linkcheck",
                                     .digest = kDigest,
                                     .callers = {},
                                     .capability = "fs:write:/out=workspace/out",
                                     .target = "/out/2026/report.json",
                                     .rule = "grant:fs:write:/out=workspace/out",
                                     .decision = policy::Verdict::kAllow,
                                     .code = {},
                                     .note = {},
                                     .trace = {},
                                     .tenant = {}};
  const Side ours = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) CORDON_TRY(log->OnDecision(decision));
    return {};
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, Idle));
  return Summarise({"audit-record", kNothing, "ns", Row::Judged::kDifference, 2000}, rounds);
}

}  // namespace

std::vector<NamedRow> GuardRows() { return {{"guard-allow", MeasureGuard}, {"audit-record", MeasureAudit}}; }

}  // namespace cordon::bench
