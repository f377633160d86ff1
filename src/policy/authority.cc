#include "policy/authority.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

namespace cordon::policy {
namespace {

bool Has(std::span<const Kind> kinds, Kind kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); }

Capability DefaultOf(Kind kind, Level level) {
  switch (kind) {
    case Kind::kClock: return MakeClock(level == Level::kRelaxed ? ClockPrecision::kFine : ClockPrecision::kCoarse);
    case Kind::kRandom: return MakeRandom();
    case Kind::kStdio: return MakeStdio();
    default: return MakeLog();
  }
}
constexpr std::string_view kRuleEnded = "limit:until";
constexpr std::array<Kind, 4> kDefaults = {Kind::kClock, Kind::kRandom, Kind::kStdio, Kind::kLog};

void Deny(Ruling& ruling, std::string rule, Ruling::State state = Ruling::State::kDenied) {
  ruling.state = state;
  ruling.rule = std::move(rule);
  if (state == Ruling::State::kDenied) ruling.smallest_grant = ruling.request.capability.ToString();
}

void Allow(Ruling& ruling, Capability effective, std::string rule) {
  ruling.state = Ruling::State::kEffective;
  ruling.rule = std::move(rule);
  ruling.effective = std::move(effective);
}

// Makes effective what the ceiling leaves of `given`.
void Give(Ruling& ruling, const Capability& given, std::string rule, const Ceiling& ceiling) {
  Ceiling::Capped capped = ceiling.Cap(given);
  if (!capped.capability) {
    if (ruling.effective) return;
    Deny(ruling, std::move(capped.rule));
    ruling.smallest_grant.clear();
    ruling.why = std::move(capped.why);
    return;
  }
  if (ruling.effective && (*ruling.effective == *capped.capability || !capped.capability->Covers(*ruling.effective))) {
    return;
  }
  ruling.smallest_grant.clear();
  ruling.why.clear();
  Allow(ruling, std::move(*capped.capability), std::move(rule));
}

// The widest that any one grant gives; of two that do not compare, the first.
void ApplyGrants(Ruling& ruling, std::span<const Grant> grants, const Ceiling& ceiling, Timestamp now) {
  for (const Grant& grant : grants) {
    const std::optional<Capability> both = Intersect(ruling.request.capability, grant.capability);
    if (!both) continue;
    if (grant.limits.HasEnded(now)) {
      if (!ruling.effective) ruling.rule = kRuleEnded;
      continue;
    }
    if (grant.limits.any()) ruling.limits.push_back({grant.ToString(), grant.limits, grant.keep});
    if (grant.quota) ruling.quota = std::min(*grant.quota, ruling.quota.value_or(*grant.quota));
    if (grant.pass) ruling.passed = ruling.passed & *grant.pass;
    Give(ruling, *both, "grant:" + grant.capability.ToString(), ceiling);
  }
}

Ruling Rule(const Request& request, std::span<const Grant> grants, const Ceiling& ceiling,
            std::span<const Kind> withdrawn, Timestamp now) {
  Ruling ruling{.request = request, .quota = request.quota};
  const Kind kind = request.capability.kind();
  if (!EnforceableNow(kind) || !ceiling.Holds(request.capability)) {
    Deny(ruling, "unenforceable", Ruling::State::kUnenforceable);
  } else if (Has(withdrawn, kind)) {
    Deny(ruling, "withdrawn");
  } else if (OnByDefault(kind) && DefaultOf(kind, ceiling.level()).Covers(request.capability)) {
    Give(ruling, request.capability, "default-on", ceiling);
  } else {
    Deny(ruling, "no-grant");
    ApplyGrants(ruling, grants, ceiling, now);
    // At level relaxed a request is granted as it stands, whatever narrower thing was granted beside.
    if (ceiling.GrantsRequests()) Give(ruling, request.capability, "level:relaxed", ceiling);
  }
  return ruling;
}

Status CheckMounts(std::span<const Ruling> rulings) {
  std::map<std::string, const FilesScope*> seen;
  for (const Ruling& ruling : rulings) {
    const FilesScope* scope = ruling.effective ? ruling.effective->files() : nullptr;
    if (scope == nullptr) continue;
    const auto [at, added] = seen.emplace(scope->mount, scope);
    if (!added && (at->second->root != scope->root || at->second->below != scope->below)) {
      return Fail(Code::kInvalid,
                  "mount " + scope->mount + " would show two folders, " + at->second->root + "/" + at->second->below +
                      " and " + scope->root + "/" + scope->below,
                  "give each folder a mount of its own");
    }
  }
  return {};
}

// Why a question that no effective capability covers is denied: the nearest ruling says.
Decision DenialFor(std::span<const Ruling> rulings, const Capability& asked) {
  Decision decision{Verdict::kDeny, "not-requested", "", Code::kDenied};
  std::string_view why;
  for (const Ruling& ruling : rulings) {
    if (!ruling.request.capability.Covers(asked)) continue;
    decision.rule = ruling.state == Ruling::State::kEffective ? "no-grant" : ruling.rule;
    why = ruling.why;
    break;
  }
  if (decision.rule == "no-grant") decision.remedy = "grant it: " + GrantFlags(asked);
  if (decision.rule == kRuleEnded) decision.remedy = "its time is over; grant it again: " + GrantFlags(asked);
  if (decision.rule == "not-requested") {
    decision.remedy = "ask for " + asked.ToString() + " in plugin.yaml, then grant it: " + GrantFlags(asked);
  }
  if (decision.rule.starts_with("ceiling:")) decision.remedy = why;
  if (decision.rule == "unenforceable") decision.code = Code::kUnenforceable;
  return decision;
}

Error CauseOf(const Ruling& ruling) {
  const std::string text = ruling.request.capability.ToString();
  if (ruling.state == Ruling::State::kUnenforceable) {
    return Error(Code::kUnenforceable, text + " is required, and this build cannot enforce it yet",
                 "make the permission optional, or use a build that has " +
                     std::string(KindName(ruling.request.capability.kind())))
        .With("capability", text)
        .With("rule", ruling.rule);
  }
  if (ruling.rule == "withdrawn") {
    return Error(Code::kDenied, text + " is required and was withdrawn",
                 "take '" + std::string(KindName(ruling.request.capability.kind())) + "' out of 'deny' in grants.yaml")
        .With("capability", text)
        .With("rule", ruling.rule);
  }
  if (ruling.rule.starts_with("ceiling:")) {
    return Error(Code::kDenied, text + " is required, and " + ruling.why,
                 "make the permission optional, or ask for less")
        .With("capability", text)
        .With("rule", ruling.rule);
  }
  return Error(Code::kDenied, text + " is required and not granted (" + ruling.rule + ")",
               "grant it: " + GrantFlags(ruling.request.capability))
      .With("capability", text)
      .With("rule", ruling.rule)
      .With("grant", ruling.smallest_grant);
}

}  // namespace

std::string_view StateName(Ruling::State state) {
  switch (state) {
    case Ruling::State::kEffective: return "effective";
    case Ruling::State::kDenied: return "denied";
    case Ruling::State::kUnenforceable: return "unenforceable";
  }
  return "denied";
}

Result<Authority> Authority::Evaluate(std::span<const Request> requests, std::span<const Grant> grants,
                                      const Ceiling& ceiling, LinkMode link, std::span<const Kind> withdrawn,
                                      Timestamp now) {
  Authority authority;
  authority.link_ = ceiling.level() >= Level::kStrict ? LinkMode::kStrict : link;
  authority.level_ = ceiling.level();
  authority.risk_cap_ = ceiling.risk();
  for (const Request& request : requests) authority.rulings_.push_back(Rule(request, grants, ceiling, withdrawn, now));
  for (Kind kind : kDefaults) {
    if (authority.Allows(kind)) continue;
    const Request request{DefaultOf(kind, ceiling.level()), Need::kOptional, "", {}};
    Ruling ruling{.request = request, .source = Ruling::Source::kDefault};
    if (Has(withdrawn, kind)) {
      Deny(ruling, "withdrawn");
    } else {
      Give(ruling, ruling.request.capability, "default-on", ceiling);
    }
    if (!ruling.effective) ruling.smallest_grant.clear();
    authority.rulings_.push_back(std::move(ruling));
  }
  CORDON_TRY(CheckMounts(authority.rulings_));
  for (const Grant& grant : grants) {
    const bool used = std::any_of(requests.begin(), requests.end(), [&](const Request& request) {
      return Intersect(request.capability, grant.capability).has_value();
    });
    if (!used) authority.unused_.push_back(grant);
  }
  return authority;
}

Result<Authority> Authority::Compute(std::span<const Request> requests, std::span<const Grant> grants,
                                     const Ceiling& ceiling, LinkMode link, std::span<const Kind> withdrawn) {
  CORDON_ASSIGN(Authority authority, Evaluate(requests, grants, ceiling, link, withdrawn));
  CORDON_TRY(authority.CheckRequired());
  return authority;
}

Status Authority::CheckRequired() const {
  std::vector<Error> causes;
  std::string names, flags;
  Code code = Code::kUnenforceable;
  for (const Ruling& ruling : rulings_) {
    if (ruling.request.need != Need::kRequired || ruling.state == Ruling::State::kEffective) continue;
    if (ruling.state == Ruling::State::kDenied) code = Code::kDenied;
    if (ruling.rule == "no-grant" || ruling.rule == kRuleEnded) flags += " " + GrantFlags(ruling.request.capability);
    names += (names.empty() ? "" : ", ") + ruling.request.capability.ToString();
    causes.push_back(CauseOf(ruling));
  }
  if (causes.empty()) return CheckRisk();
  const std::string count = std::to_string(causes.size());
  Error error(code,
              count + (causes.size() == 1 ? " required permission is" : " required permissions are") +
                  " not effective: " + names,
              flags.empty() ? causes.front().remedy : "grant what is missing:" + flags);
  error.causes = std::move(causes);
  return Fail(std::move(error));
}

Status Authority::CheckRisk() const {
  if (!risk_cap_ || risk() <= risk_cap_->risk) return {};
  std::string what;
  for (const Ruling& ruling : rulings_) {
    if (!ruling.effective || RiskOf(*ruling.effective) <= risk_cap_->risk) continue;
    what += (what.empty() ? "" : ", ") + ruling.effective->ToString();
  }
  return Fail(Error(Code::kDenied,
                    "the risk of this plugin is " + std::string(RiskName(risk())) + ", and " + risk_cap_->file +
                        " allows " + std::string(RiskName(risk_cap_->risk)) + ": " + what,
                    "grant it less, or raise 'risk' in " + risk_cap_->file)
                  .With("rule", "ceiling:risk"));
}

bool Authority::Allows(Kind kind) const {
  return std::any_of(rulings_.begin(), rulings_.end(),
                     [kind](const Ruling& ruling) { return ruling.effective && ruling.effective->kind() == kind; });
}

const Ruling* Authority::RulingFor(Kind kind) const {
  const Ruling* found = nullptr;
  for (const Ruling& ruling : rulings_) {
    if (ruling.request.capability.kind() != kind) continue;
    if (ruling.effective) return &ruling;
    if (found == nullptr) found = &ruling;
  }
  return found;
}

std::vector<FilesScope> Authority::FilesGrants() const {
  std::map<std::string, FilesScope> by_mount;
  for (const Ruling& ruling : rulings_) {
    const FilesScope* scope = ruling.effective ? ruling.effective->files() : nullptr;
    if (scope == nullptr) continue;
    const auto [at, added] = by_mount.emplace(scope->mount, *scope);
    if (!added) at->second.access = std::max(at->second.access, scope->access);
  }
  std::vector<FilesScope> scopes;
  scopes.reserve(by_mount.size());
  for (auto& [mount, scope] : by_mount) scopes.push_back(std::move(scope));
  return scopes;
}

std::vector<std::string> Authority::EnvironmentNames() const {
  std::vector<std::string> names;
  for (const Ruling& ruling : rulings_) {
    if (ruling.effective && ruling.effective->kind() == Kind::kEnvironment) {
      names.push_back(ruling.effective->named()->name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::optional<ClockPrecision> Authority::Clock() const {
  std::optional<ClockPrecision> best;
  for (const Ruling& ruling : rulings_) {
    const ClockScope* scope = ruling.effective ? ruling.effective->clock() : nullptr;
    if (scope != nullptr && (!best || *best < scope->precision)) best = scope->precision;
  }
  return best;
}

Decision Authority::Decide(const Capability& asked) const {
  for (const Ruling& ruling : rulings_) {
    if (ruling.effective && ruling.effective->Covers(asked)) return {Verdict::kAllow, ruling.rule, "", Code::kDenied};
  }
  return DenialFor(rulings_, asked);
}

void Authority::Remove(const Capability& capability) {
  for (Ruling& ruling : rulings_) {
    if (!ruling.effective || !Intersect(*ruling.effective, capability)) continue;
    ruling.effective.reset();
    Deny(ruling, "revoked");
  }
}

std::vector<std::string> Authority::Beyond(const Authority& other) const {
  const auto effective = [](const Authority& of) {
    std::vector<std::string> texts;
    for (const Ruling& ruling : of.rulings_) {
      if (ruling.effective) texts.push_back(ruling.effective->ToString());
    }
    std::ranges::sort(texts);
    return texts;
  };
  std::vector<std::string> beyond;
  std::ranges::set_difference(effective(*this), effective(other), std::back_inserter(beyond));
  return beyond;
}

KindSet Authority::PassedOn(const Capability& asked) const {
  KindSet passed = KindSet::All();
  for (const Ruling& ruling : rulings_) {
    if (ruling.effective && ruling.effective->Covers(asked)) passed = passed & ruling.passed;
  }
  return passed;
}

RiskLevel Authority::risk() const {
  RiskLevel risk = RiskLevel::kLow;
  for (const Ruling& ruling : rulings_) {
    if (ruling.effective) risk = std::max(risk, RiskOf(*ruling.effective));
  }
  return risk;
}

std::string GrantFlags(const Capability& capability) {
  if (capability.kind() == Kind::kEnvironment) return "--env " + capability.named()->name + "=VALUE";
  std::string flags = "--grant '" + capability.ToString() + "'";
  if (capability.files() != nullptr) flags += " --root " + capability.files()->root + "=PATH";
  return flags;
}

}  // namespace cordon::policy
