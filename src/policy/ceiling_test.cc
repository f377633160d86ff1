// The table of security levels: one hostile plugin that asks for everything, at every level.
#include "policy/ceiling.h"

#include <gtest/gtest.h>

#include "policy/authority.h"

namespace cordon::policy {
namespace {

constexpr Level kAll[] = {Level::kRelaxed, Level::kDefault, Level::kStrict, Level::kParanoid};

Capability Cap(std::string_view text) {
  auto parsed = Capability::Parse(text);
  EXPECT_TRUE(parsed) << text;
  return *parsed;
}

Digest Bytes(char fill) { return *Digest::Parse("sha256:" + std::string(64, fill)); }

std::shared_ptr<const Policy> PolicyOf(std::initializer_list<const char*> allow,
                                       std::initializer_list<const char*> for_acme = {}) {
  Policy policy;
  policy.file = "policy.yaml";
  for (const char* text : allow) policy.others.allow.push_back(*Allowance::Parse(text));
  if (for_acme.size() > 0) {
    PolicyRules& rules = policy.plugins["acme/bad"];
    for (const char* text : for_acme) rules.allow.push_back(*Allowance::Parse(text));
  }
  return std::make_shared<const Policy>(std::move(policy));
}

// What becomes of one request at one level, when it is granted and when it is not: "-" denied, "=" as asked, or the
// narrower text.
std::string Outcome(const Ceiling& ceiling, std::string_view asked, bool is_granted = true) {
  const Request request{Cap(asked), Need::kOptional, "", {}};
  std::vector<Grant> grants;
  if (is_granted) grants.push_back({request.capability});
  const Authority authority = *Authority::Evaluate({&request, 1}, grants, ceiling, LinkMode::kLenient);
  const Ruling& ruling = authority.rulings().front();
  if (!ruling.effective) return "-";
  return ruling.narrowed() ? ruling.effective->ToString() : "=";
}

struct Row {
  const char* asked;
  const char* outcome[4];  // by level, granted; paranoid with a policy that lists the kind for this plugin
};

constexpr Row kRows[] = {
    {"fs:read:/d=workspace/docs", {"=", "=", "=", "="}},
    {"fs:write:/d=workspace", {"=", "=", "=", "fs:read:/d=workspace"}},
    {"fs:read:/d=scratch", {"=", "=", "-", "-"}},
    {"http:GET:https://api.example.com/*", {"=", "=", "=", "="}},
    {"http:GET:https://*.example.com/*", {"=", "=", "-", "-"}},
    {"http:GET:https://*.com/*", {"=", "-", "-", "-"}},
    {"http:GET:https://*/*", {"=", "-", "-", "-"}},
    {"http:GET:http://169.254.169.254/*", {"-", "-", "-", "-"}},
    {"http:GET:http://127.0.0.1:8080/*", {"=", "=", "-", "-"}},
    {"net:tcp:db.example.com:5432", {"=", "=", "=", "="}},
    {"net:tcp:10.0.0.0/8:5432", {"=", "=", "-", "-"}},
    {"net:tcp:198.41.0.0/24:53", {"=", "=", "-", "-"}},
    {"env:TOKEN", {"=", "=", "=", "="}},
    {"secret:api-key", {"=", "=", "=", "="}},
    {"config", {"=", "=", "=", "="}},
    {"kv:write:cache", {"=", "=", "=", "="}},
    {"ctx:user", {"=", "=", "=", "-"}},
    {"clock:fine", {"=", "=", "clock:coarse", "clock:coarse"}},
    {"clock:coarse", {"=", "=", "=", "="}},
    {"random", {"=", "=", "=", "="}},
    {"stdio", {"=", "=", "=", "="}},
    {"log", {"=", "=", "=", "="}},
    {"args", {"=", "=", "=", "="}},
    {"instance:pooled", {"=", "=", "-", "-"}},
    {"instance:resident", {"=", "=", "-", "-"}},
};

TEST(Levels, EveryCapabilityAtEveryLevel) {
  for (const Row& row : kRows) {
    for (const Level level : kAll) {
      std::vector<std::shared_ptr<const Policy>> policies;
      if (level == Level::kParanoid) {
        policies.push_back(PolicyOf({}, {"files", "http", "sockets", "environment", "secrets", "config", "storage",
                                         "context", "clock", "random", "stdio", "log", "arguments", "instance"}));
      }
      const Ceiling ceiling = Ceiling::For(level, std::move(policies), "acme/bad", Bytes('a'));
      EXPECT_EQ(Outcome(ceiling, row.asked), row.outcome[static_cast<int>(level)])
          << row.asked << " at " << LevelName(level);
    }
  }
}

TEST(Levels, WildcardsAndPatternsOfCallsAndPrograms) {
  constexpr Row kWide[] = {
      {"call:acme/geocode#*", {"", "", "E_GRANT_TOO_WIDE", "E_GRANT_TOO_WIDE"}},
      {"call:acme/geocode#lookup", {"", "", "", ""}},
      {"exec:git log <re:[0-9a-f]{7}>", {"", "", "E_GRANT_TOO_WIDE", "E_GRANT_TOO_WIDE"}},
      {"exec:git log <int:1..9>", {"", "", "E_GRANT_TOO_WIDE", "E_GRANT_TOO_WIDE"}},
      {"exec:git log --oneline", {"", "", "", ""}},
      {"host:prices:eu/*", {"", "", "", ""}},
  };
  for (const Row& row : kWide) {
    for (const Level level : kAll) {
      const Status width = CheckWidth(Cap(row.asked), level);
      EXPECT_EQ(width ? "" : CodeName(width.error().code), row.outcome[static_cast<int>(level)])
          << row.asked << " at " << LevelName(level);
    }
  }
  const Ceiling paranoid = Ceiling::For(Level::kParanoid, {PolicyOf({}, {"exec"})}, "acme/bad", Bytes('a'));
  EXPECT_EQ(paranoid.Cap(Cap("exec:git log")).why, "level paranoid lets no program be run");
}

TEST(Levels, RelaxedGrantsWhatIsAskedForUntilAnUpdateAsksForMore) {
  Ceiling ceiling = Ceiling::At(Level::kRelaxed);
  EXPECT_EQ(Outcome(ceiling, "env:TOKEN", false), "=");
  EXPECT_EQ(Outcome(ceiling, "http:GET:http://169.254.169.254/*", false), "-");
  ceiling.Widened();
  EXPECT_EQ(Outcome(ceiling, "env:TOKEN", false), "-");
  for (const Level level : {Level::kDefault, Level::kStrict, Level::kParanoid}) {
    EXPECT_EQ(Outcome(Ceiling::At(level), "env:TOKEN", false), "-") << LevelName(level);
  }
}

TEST(Levels, ClocksAreFineAtRelaxedOnly) {
  for (const Level level : kAll) {
    const Authority authority = *Authority::Evaluate({}, {}, Ceiling::At(level), LinkMode::kLenient);
    EXPECT_EQ(authority.Clock(), level == Level::kRelaxed ? ClockPrecision::kFine : ClockPrecision::kCoarse);
  }
}

TEST(Levels, TheAuditHasMoreTheStricterTheLevel) {
  EXPECT_EQ(Ceiling::At(Level::kRelaxed).audit(), AuditDetail::kDecisions);
  EXPECT_EQ(Ceiling::At(Level::kDefault).audit(), AuditDetail::kCalls);
  EXPECT_EQ(Ceiling::At(Level::kStrict).audit(), AuditDetail::kDigests);
  EXPECT_EQ(Ceiling::At(Level::kParanoid).audit(), AuditDetail::kHostCalls);
}

TEST(Levels, StubsEndAtStrict) {
  for (const Level level : kAll) {
    const Authority authority = *Authority::Evaluate({}, {}, Ceiling::At(level), LinkMode::kLenient);
    EXPECT_EQ(authority.link(), level >= Level::kStrict ? LinkMode::kStrict : LinkMode::kLenient);
  }
}

TEST(Levels, ParanoidGivesOnlyWhatAPolicyListsForPluginsThatItNames) {
  const auto at = [](std::vector<std::shared_ptr<const Policy>> policies) {
    return Ceiling::For(Level::kParanoid, std::move(policies), "acme/bad", Bytes('a'));
  };
  EXPECT_EQ(Outcome(at({}), "env:TOKEN"), "-");
  EXPECT_EQ(Outcome(at({PolicyOf({"environment"})}), "env:TOKEN"), "-");  // for all, so it is not named
  EXPECT_EQ(Outcome(at({PolicyOf({}, {"env:OTHER"})}), "env:TOKEN"), "-");
  EXPECT_EQ(Outcome(at({PolicyOf({}, {"env:TOKEN"})}), "env:TOKEN"), "=");
  // Writing has to be spelled out.
  EXPECT_EQ(Outcome(at({PolicyOf({}, {"files"})}), "fs:write:/d=workspace"), "fs:read:/d=workspace");
  EXPECT_EQ(Outcome(at({PolicyOf({}, {"fs:write:/d=workspace"})}), "fs:write:/d=workspace"), "=");
}

TEST(Levels, WhatThisBuildCannotEnforceDoesNotRun) {
  EXPECT_TRUE(Ceiling::At(Level::kRelaxed).CheckRunnable());
  EXPECT_TRUE(Ceiling::At(Level::kDefault).CheckRunnable());
  EXPECT_EQ(Ceiling::At(Level::kStrict).CheckRunnable().error().code, Code::kUnenforceable);
  EXPECT_EQ(Ceiling::At(Level::kParanoid).CheckRunnable().error().code, Code::kUnenforceable);
  Policy policy;
  policy.plugins["acme/bad"].artifacts = {Bytes('a')};
  const auto pinned = std::make_shared<const Policy>(policy);
  EXPECT_TRUE(Ceiling::For(Level::kStrict, {pinned}, "acme/bad", Bytes('a')).CheckRunnable());
  EXPECT_EQ(Ceiling::For(Level::kStrict, {pinned}, "acme/good", Bytes('a')).CheckRunnable().error().code,
            Code::kUnenforceable);
  EXPECT_TRUE(Ceiling::For(Level::kParanoid, {pinned}, "acme/bad", Bytes('a')).CheckRunnable());
  EXPECT_EQ(Ceiling::For(Level::kParanoid, {pinned}, "acme/good", Bytes('a')).CheckRunnable().error().code,
            Code::kUnenforceable);
  // Other bytes under a pinned name run at no level.
  for (const Level level : kAll) {
    EXPECT_FALSE(Ceiling::For(level, {pinned}, "acme/bad", Bytes('b')).CheckRunnable()) << LevelName(level);
  }
}

TEST(Policies, NarrowAndNeverGive) {
  const auto at = [](std::shared_ptr<const Policy> policy) {
    return Ceiling::For(Level::kDefault, {std::move(policy)}, "acme/bad", Bytes('a'));
  };
  const Ceiling ceiling = at(PolicyOf({"http:GET:https://*.example.com/v1/*", "fs:read:*=workspace/docs", "storage"}));
  EXPECT_EQ(Outcome(ceiling, "http:GET:https://api.example.com/v1/*"), "=");
  EXPECT_EQ(Outcome(ceiling, "http:GET,POST:https://api.example.com/*"), "http:GET:https://api.example.com/v1/*");
  EXPECT_EQ(Outcome(ceiling, "http:GET:https://api.example.org/*"), "-");
  EXPECT_EQ(Outcome(ceiling, "fs:write:/anywhere=workspace"), "fs:read:/anywhere=workspace/docs");
  EXPECT_EQ(Outcome(ceiling, "kv:write:cache"), "=");
  EXPECT_EQ(Outcome(ceiling, "env:TOKEN"), "-");
  EXPECT_EQ(Outcome(ceiling, "kv:write:cache", false), "-");  // what is not granted stays so
  EXPECT_EQ(Outcome(ceiling, "clock:coarse"), "-");           // defaults too
}

TEST(Policies, AbsentAndEmptyAllowNothing) {
  const Ceiling ceiling = Ceiling::For(Level::kRelaxed, {PolicyOf({})}, "acme/bad", Bytes('a'));
  for (const Row& row : kRows) EXPECT_EQ(Outcome(ceiling, row.asked), "-") << row.asked;
  const Authority authority = *Authority::Evaluate({}, {}, ceiling, LinkMode::kLenient);
  for (const Ruling& ruling : authority.rulings()) EXPECT_FALSE(ruling.effective) << ruling.rule;
}

TEST(Policies, EachOfSeveralHolds) {
  const Ceiling ceiling = Ceiling::For(
      Level::kDefault,
      {PolicyOf({"http:GET,POST:https://api.example.com/*"}), PolicyOf({"http:GET:https://*.example.com/v1/*"})},
      "acme/bad", Bytes('a'));
  EXPECT_EQ(Outcome(ceiling, "http:GET,POST:https://api.example.com/*"), "http:GET:https://api.example.com/v1/*");
}

TEST(Policies, RulesOfAPluginStandInPlaceOfThoseForAll) {
  const auto policy = PolicyOf({"environment"}, {"env:ONE"});
  const Ceiling bad = Ceiling::For(Level::kDefault, {policy}, "acme/bad", Bytes('a'));
  EXPECT_EQ(Outcome(bad, "env:ONE"), "=");
  EXPECT_EQ(Outcome(bad, "env:TWO"), "-");
  EXPECT_EQ(Outcome(Ceiling::For(Level::kDefault, {policy}, "acme/good", Bytes('a')), "env:TWO"), "=");
}

TEST(Policies, RaiseTheLevelAndNeverLowerIt) {
  Policy strict;
  strict.others.level = Level::kStrict;
  const auto shared = std::make_shared<const Policy>(strict);
  EXPECT_EQ(Ceiling::For(Level::kRelaxed, {shared}, "a/b", {}).level(), Level::kStrict);
  EXPECT_EQ(Ceiling::For(Level::kParanoid, {shared}, "a/b", {}).level(), Level::kParanoid);
}

TEST(Policies, CapTheRisk) {
  Policy policy;
  policy.file = "policy.yaml";
  policy.others.allow.push_back(*Allowance::Parse("files"));
  policy.others.risk = RiskLevel::kMedium;
  const Ceiling ceiling = Ceiling::For(Level::kDefault, {std::make_shared<const Policy>(policy)}, "a/b", {});
  const auto compute = [&](const char* text) {
    const Request request{Cap(text), Need::kRequired, "", {}};
    const Grant grant{request.capability};
    return Authority::Compute({&request, 1}, {&grant, 1}, ceiling, LinkMode::kLenient);
  };
  EXPECT_TRUE(compute("fs:read:/d=workspace"));
  const auto refused = compute("fs:write:/d=workspace");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_EQ(refused.error().Detail("rule"), "ceiling:risk");
}

TEST(Policies, SpellOutGrammars) {
  const auto at = [](std::shared_ptr<const Policy> policy) {
    return Ceiling::For(Level::kDefault, {std::move(policy)}, "acme/bad", Bytes('a'));
  };
  const Capability asked = Cap("exec:find . -name README");
  EXPECT_FALSE(at(PolicyOf({"exec"})).Spells(asked));
  EXPECT_FALSE(at(PolicyOf({}, {"exec"})).Spells(asked));
  EXPECT_TRUE(at(PolicyOf({}, {"exec:find . -name README"})).Spells(asked));
}

}  // namespace
}  // namespace cordon::policy
