#include "services/guard.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace cordon::services {

using policy::Capability;
using policy::Decision;
using policy::Verdict;

namespace {

Decision Yes() { return {Verdict::kAllow, {}, {}, Code::kDenied}; }

Timestamp WallNow() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

std::string_view TenantOf(const Caller& caller) {
  return caller.principal == nullptr ? std::string_view() : std::string_view(caller.principal->tenant);
}

std::string_view RuleOf(Tally::Answer answer) {
  switch (answer) {
    case Tally::Answer::kUsesGone: return "limit:uses";
    case Tally::Answer::kTooOften: return "limit:rate";
    default: return "limit:bytes";
  }
}

}  // namespace

Guard::Guard(const policy::Authority& authority, audit::Observer& observer, std::string plugin, std::string digest,
             Accounts accounts)
    : authority_(authority),
      observer_(observer),
      accounts_(std::move(accounts)),
      plugin_(std::move(plugin)),
      digest_(std::move(digest)) {
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
  const policy::Authority* const left = accounts_.standing ? accounts_.standing->Now() : nullptr;
  std::optional<Decision> used_up;
  const std::span<const policy::Ruling> rulings = authority_.rulings();
  for (std::size_t i = 0; i < rulings.size(); ++i) {
    if (!rulings[i].effective || !rulings[i].effective->Covers(asked)) continue;
    if (left != nullptr) [[unlikely]] {
      Decision still = left->Decide(asked);
      if (!still.allowed()) {
        if (still.rule != "limit:until") still.rule = "revoked";
        return Audit(caller, asked.ToString(), normalised_target, std::move(still));
      }
    }
    if (!rulings[i].limits.empty()) [[unlikely]] {
      Decision taken = Take(rulings[i], {.uses = 1});
      if (!taken.allowed()) {
        used_up = std::move(taken);
        continue;
      }
    }
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
                                                 .trace = trace,
                                                 .tenant = TenantOf(caller)});
    if (written) [[likely]]
      return {Verdict::kAllow, {}, {}, Code::kDenied};
    return {Verdict::kDeny, "audit", written.error().remedy, Code::kAuditUnavailable};
  }
  return Audit(caller, asked.ToString(), normalised_target, used_up ? std::move(*used_up) : authority_.Decide(asked));
}

Decision Guard::Take(const policy::Ruling& ruling, Tally::Use use) const {
  const auto deny = [](std::string_view rule, const policy::LimitedGrant& grant, Code code, std::string_view remedy) {
    return Decision{Verdict::kDeny, std::string(rule), std::string(remedy) + " '" + grant.text + "'", code};
  };
  for (const policy::LimitedGrant& grant : ruling.limits) {
    if (grant.limits.until && grant.limits.HasEnded(WallNow())) {
      return deny("limit:until", grant, Code::kDenied, "its time is over: grant it again,");
    }
    if (!grant.limits.counted()) continue;
    Tally* const tally = TallyOf(grant);
    if (tally == nullptr) return deny("limit:uncounted", grant, Code::kUnavailable, "nothing counts the uses of");
    const auto answer = tally->Take(plugin_, grant, use);
    if (!answer) {
      return deny("limit:uncounted", grant, Code::kUnavailable, answer.error().message + ", so nothing is used of");
    }
    if (*answer == Tally::Answer::kTooOften) return deny(RuleOf(*answer), grant, Code::kDenied, "wait; granted is");
    if (*answer != Tally::Answer::kTaken) {
      return deny(RuleOf(*answer), grant, Code::kDenied, "it is used up: grant it again,");
    }
  }
  return Yes();
}

const policy::Ruling* Guard::Counting(const Capability& asked) const {
  const policy::Ruling* counting = nullptr;
  for (const policy::Ruling& ruling : authority_.rulings()) {
    if (!ruling.effective || !ruling.effective->Covers(asked)) continue;
    const auto counts = [](const policy::LimitedGrant& grant) { return grant.limits.bytes.has_value(); };
    if (std::ranges::none_of(ruling.limits, counts)) return nullptr;
    if (counting == nullptr) counting = &ruling;
  }
  return counting;
}

policy::KindSet Guard::PassedOn(const Capability& asked) const {
  const policy::Authority* const left = accounts_.standing ? accounts_.standing->Now() : nullptr;
  const policy::KindSet passed = authority_.PassedOn(asked);
  return left == nullptr ? passed : passed & left->PassedOn(asked);
}

Decision Guard::Spend(const Caller& caller, const Capability& asked, std::string_view normalised_target,
                      std::uint64_t bytes) const {
  const policy::Ruling* const ruling = Counting(asked);
  if (ruling == nullptr) [[likely]]
    return Yes();
  Decision taken = Take(*ruling, {.bytes = bytes});
  return taken.allowed() ? taken : Audit(caller, asked.ToString(), normalised_target, std::move(taken));
}

std::uint64_t Guard::BytesLeft(const Capability& asked) const {
  std::uint64_t left = UINT64_MAX;
  const policy::Ruling* const ruling = Counting(asked);
  if (ruling == nullptr) return left;
  for (const policy::LimitedGrant& grant : ruling->limits) {
    if (!grant.limits.bytes) continue;
    Tally* const tally = TallyOf(grant);
    left = std::min(left, tally == nullptr ? 0 : tally->BytesLeft(plugin_, grant).value_or(0));
  }
  return left;
}

void Guard::GiveBack(const Capability& asked, std::uint64_t bytes) const {
  const policy::Ruling* const ruling = Counting(asked);
  if (ruling == nullptr || bytes == 0) return;
  for (const policy::LimitedGrant& grant : ruling->limits) {
    // What cannot be given back stays used.
    if (Tally* const tally = TallyOf(grant); grant.limits.bytes && tally != nullptr) {
      (void)tally->GiveBack(plugin_, grant, bytes);
    }
  }
}

Tally* Guard::TallyOf(const policy::LimitedGrant& grant) const {
  return (grant.keep == policy::LimitedGrant::Keep::kDisk ? accounts_.disk : accounts_.run).get();
}

bool Guard::Holds(const Capability& capability) const {
  const policy::Authority* const left = accounts_.standing ? accounts_.standing->Now() : nullptr;
  return (left != nullptr ? *left : authority_).Decide(capability).allowed();
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
  record.tenant = TenantOf(caller);
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
