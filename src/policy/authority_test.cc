#include "policy/authority.h"

#include <gtest/gtest.h>

#include "policy/test_authority.h"

namespace cordon::policy {
namespace {

Capability Cap(std::string_view text) { return *Capability::Parse(text); }
Request Required(std::string_view text) { return {Cap(text), Need::kRequired, ""}; }
Request Optional(std::string_view text) { return {Cap(text), Need::kOptional, ""}; }

std::vector<Grant> Grants(std::initializer_list<const char*> texts) {
  std::vector<Grant> grants;
  for (const char* text : texts) grants.push_back(*Grant::Parse(text));
  return grants;
}

Result<Authority> Compute(std::vector<Request> requests, std::vector<Grant> grants, std::vector<Kind> withdrawn = {}) {
  return Authority::Compute(requests, grants, Ceiling::Default(), LinkMode::kLenient, withdrawn);
}

TEST(Authority, NothingRequestedLeavesOnlyTheDefaults) {
  const Authority authority = *Compute({}, {});
  for (Kind kind : {Kind::kClock, Kind::kRandom, Kind::kStdio, Kind::kLog}) EXPECT_TRUE(authority.Allows(kind));
  for (Kind kind : {Kind::kFiles, Kind::kEnvironment, Kind::kArguments}) EXPECT_FALSE(authority.Allows(kind));
  EXPECT_EQ(authority.Clock(), ClockPrecision::kCoarse);
  EXPECT_EQ(authority.risk(), RiskLevel::kLow);
  EXPECT_EQ(authority.Decide(Cap("fs:read:/data=workspace")).rule, "not-requested");
}

TEST(Authority, AGrantWithoutARequestIsWorthNothing) {
  const Authority authority = *Compute({}, Grants({"env:TOKEN"}));
  EXPECT_FALSE(authority.Allows(Kind::kEnvironment));
  ASSERT_EQ(authority.unused().size(), 1u);
  EXPECT_EQ(authority.unused()[0].ToString(), "env:TOKEN");
}

TEST(Authority, ARequestWithoutAGrantIsDeniedWithTheGrantThatWouldDo) {
  const Authority authority = *Compute({Optional("fs:read:/data=workspace")}, {});
  const Ruling& ruling = authority.rulings()[0];
  EXPECT_EQ(ruling.state, Ruling::State::kDenied);
  EXPECT_EQ(ruling.rule, "no-grant");
  EXPECT_EQ(ruling.smallest_grant, "fs:read:/data=workspace");
  const Decision decision = authority.Decide(Cap("fs:read:/data=workspace"));
  EXPECT_FALSE(decision.allowed());
  EXPECT_EQ(decision.remedy, "grant it: --grant 'fs:read:/data=workspace' --root workspace=PATH");
}

TEST(Authority, OneErrorListsEveryRequiredPermissionThatIsMissing) {
  const auto computed = Compute({Required("fs:read:/data=workspace"), Required("env:TOKEN"), Optional("env:OTHER"),
                                 Required("host:prices"), Required("random")},
                                Grants({"env:OTHER"}));
  ASSERT_FALSE(computed);
  EXPECT_EQ(computed.error().code, Code::kDenied);
  ASSERT_EQ(computed.error().causes.size(), 3u);
  EXPECT_EQ(computed.error().causes[0].Detail("grant"), "fs:read:/data=workspace");
  EXPECT_EQ(computed.error().causes[2].code, Code::kUnenforceable);
  EXPECT_EQ(computed.error().remedy,
            "grant what is missing: --grant 'fs:read:/data=workspace' --root workspace=PATH --env TOKEN=VALUE");
}

TEST(Authority, WhatCannotBeEnforcedIsNeverEffectiveEvenWhenGranted) {
  const auto grants = Grants({"host:prices"});
  EXPECT_EQ(Compute({Required("host:prices")}, grants).error().code, Code::kUnenforceable);
  const Authority authority = *Compute({Optional("host:prices")}, grants);
  EXPECT_FALSE(authority.Allows(Kind::kHost));
  EXPECT_EQ(authority.rulings()[0].state, Ruling::State::kUnenforceable);
  EXPECT_EQ(authority.Decide(Cap("host:prices")).code, Code::kUnenforceable);
}

TEST(Authority, GrantsNarrowRequests) {
  const Authority authority = *Compute({Required("fs:write:/data=workspace")}, Grants({"fs:read:/data=workspace/in"}));
  ASSERT_EQ(authority.FilesGrants().size(), 1u);
  EXPECT_EQ(authority.FilesGrants()[0], (FilesScope{Access::kRead, "/data", "workspace", "in"}));
  EXPECT_TRUE(authority.rulings()[0].narrowed());
  EXPECT_TRUE(authority.Decide(Cap("fs:read:/data=workspace/in/x")).allowed());
  EXPECT_EQ(authority.Decide(Cap("fs:write:/data=workspace/in")).rule, "no-grant");
  EXPECT_FALSE(authority.Decide(Cap("fs:read:/data=workspace")).allowed());
}

TEST(Authority, OfSeveralGrantsTheWidestCounts) {
  const auto grants = Grants({"fs:read:/data=workspace/in", "fs:read:/data=workspace", "fs:write:/data=workspace"});
  const Authority authority = *Compute({Required("fs:write:/data=workspace")}, grants);
  EXPECT_EQ(authority.rulings()[0].rule, "grant:fs:write:/data=workspace");
  EXPECT_EQ(authority.risk(), RiskLevel::kHigh);
}

TEST(Authority, OneMountHasOneFolder) {
  const auto grants = Grants({"fs:read:/data=workspace", "fs:write:/data=temp"});
  EXPECT_EQ(Compute({Required("fs:read:/data=workspace"), Optional("fs:write:/data=temp")}, grants).error().code,
            Code::kInvalid);
  const Authority merged = *Compute({Required("fs:read:/data=workspace"), Optional("fs:write:/data=workspace")},
                                    Grants({"fs:write:/data=workspace"}));
  ASSERT_EQ(merged.FilesGrants().size(), 1u);
  EXPECT_EQ(merged.FilesGrants()[0].access, Access::kWrite);
}

TEST(Authority, DefaultsCanBeWithdrawn) {
  const Authority authority = *Compute({}, {}, {Kind::kClock, Kind::kRandom});
  EXPECT_FALSE(authority.Clock());
  EXPECT_FALSE(authority.Allows(Kind::kRandom));
  EXPECT_TRUE(authority.Allows(Kind::kLog));
  EXPECT_EQ(authority.RulingFor(Kind::kClock)->rule, "withdrawn");
  EXPECT_EQ(Compute({Required("random")}, {}, {Kind::kRandom}).error().causes[0].Detail("rule"), "withdrawn");
}

TEST(Authority, AFineClockNeedsAGrant) {
  EXPECT_EQ(Compute({Required("clock:fine")}, {}).error().code, Code::kDenied);
  EXPECT_EQ(Compute({Optional("clock:fine")}, {})->Clock(), ClockPrecision::kCoarse);
  EXPECT_EQ(Compute({Required("clock:fine")}, Grants({"clock:fine"}))->Clock(), ClockPrecision::kFine);
}

TEST(Authority, EnvironmentNamesAreSortedAndUnique) {
  const Authority authority = *Compute({Required("env:B"), Required("env:A"), Optional("env:B"), Required("args")},
                                       Grants({"env:A", "env:B", "args"}));
  EXPECT_EQ(authority.EnvironmentNames(), (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(authority.AllowsArguments());
  EXPECT_EQ(authority.risk(), RiskLevel::kMedium);
}

TEST(Authority, SaysWhatItHasBeyondAnother) {
  const Authority before = AuthorityOf({"env:HOME", "msg:send:alerts"});
  const Authority now = AuthorityOf({"msg:send:jobs", "msg:send:alerts", "env:LANG"});
  EXPECT_EQ(now.Beyond(before), (std::vector<std::string>{"env:LANG", "msg:send:jobs"}));
  EXPECT_EQ(before.Beyond(now), (std::vector<std::string>{"env:HOME"}));
  EXPECT_TRUE(now.Beyond(now).empty());
}

TEST(Authority, attack_163_ACallPassesOnWhatEveryGrantOfItPassesOn) {
  const auto passed = [](std::initializer_list<const char*> grants) {
    return Compute({Optional("call:acme/b#x")}, Grants(grants))->PassedOn(Cap("call:acme/b#x"));
  };
  EXPECT_EQ(passed({"call:acme/b#x"}), KindSet::All());
  EXPECT_EQ(passed({"call:acme/b#*; pass=nothing"}), KindSet());
  const KindSet some =
      passed({"call:acme/b#x", "call:acme/b#*; pass=http,storage", "call:acme/b#x; pass=storage,exec"});
  EXPECT_TRUE(some.Has(Kind::kStorage));
  EXPECT_FALSE(some.Has(Kind::kHttp) || some.Has(Kind::kExec) || some.Has(Kind::kCall));
  for (const char* text : {"call:acme/b#x; pass=http,storage", "call:acme/b#*; pass=nothing"}) {
    EXPECT_EQ(Grant::Parse(text)->ToString(), text);
  }
  for (const char* text : {"kv:read:a; pass=http", "call:acme/b#x; pass", "call:acme/b#x; pass=",
                           "call:acme/b#x; pass=a", "call:acme/b#x; pass=http,", "call:acme/b#x; pass=log"}) {
    EXPECT_FALSE(Grant::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace cordon::policy
