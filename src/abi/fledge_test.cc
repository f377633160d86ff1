#include "abi/fledge.h"

#include <gtest/gtest.h>

#include "abi/link_plan.h"
#include "abi/test_types.h"

namespace cordon::abi {
namespace {

using policy::LinkMode;
using Imports = std::vector<std::pair<std::string, std::string>>;

const Imports kAll = {
    {"send", "(i32, i32)"},           {"recv", "(i32, i32) -> i32"}, {"exit", "(i32)"},
    {"exec", "(i32, i32) -> i32"},    {"store_set", "(i32, i32)"},   {"store_get", "(i32, i32) -> i32"},
    {"metadata", "(i32, i32) -> i32"}};

LinkPlan Plan(const Imports& imports, const std::vector<std::string>& grants, LinkMode link = LinkMode::kStrict) {
  wit::Contract contract;
  contract.kind = wit::Contract::Kind::kModule;
  for (const auto& [name, type] : imports) contract.imports.push_back(Types::CoreFunction("fledge", name, type));
  EXPECT_TRUE(ImportsFledge(contract));
  std::vector<policy::Request> requests;
  std::vector<policy::Grant> given;
  for (const char* text : {"exec:id", "kv:write:fledge", "kv:write:other", "ctx:project", "ctx:user"}) {
    requests.push_back({*policy::Capability::Parse(text), policy::Need::kOptional, "", {}});
  }
  for (const std::string& text : grants) given.push_back(*policy::Grant::Parse(text));
  const auto authority = policy::Authority::Evaluate(requests, given, policy::Ceiling::Default(), link);
  return PlanLink(contract, *authority, {.abi = engine::LinkSpec::Abi::kFledge});
}

// One letter for each import.
std::string States(const LinkPlan& plan) {
  std::string text;
  for (const ImportDecision& decision : plan.decisions) text += LinkStateName(decision.state)[0];
  return text;
}

TEST(Fledge, EachImportNeedsItsOwnGrant) {
  EXPECT_EQ(States(Plan(kAll, {})), "lllnnnn");
  EXPECT_EQ(States(Plan(kAll, {"exec:id"})), "llllnnn");
  EXPECT_EQ(States(Plan(kAll, {"kv:write:fledge"})), "lllnlln");
  EXPECT_EQ(States(Plan(kAll, {"kv:read:fledge"})), "lllnnln");
  EXPECT_EQ(States(Plan(kAll, {"ctx:project"})), "lllnnnl");
  EXPECT_EQ(States(Plan(kAll, {"kv:write:other", "ctx:user"})), "lllnnnn");
  const LinkPlan whole = Plan(kAll, {"exec:id", "kv:write:fledge", "ctx:project"});
  EXPECT_TRUE(whole.complete());
  EXPECT_EQ(whole.spec.host.size(), kAll.size());
}

TEST(Fledge, WhatIsNotLinkedIsNamedWithItsGrant) {
  const Error error = UnlinkedError(Plan({kAll[3], kAll[4]}, {}));
  ASSERT_EQ(error.causes.size(), 2u);
  EXPECT_EQ(error.causes[0].Detail("import"), "fledge.exec");
  EXPECT_EQ(error.causes[0].Detail("grant"), "exec:id");
  EXPECT_EQ(error.causes[1].Detail("grant"), "kv:write:fledge");
}

TEST(Fledge, OnlyLinkLenientHasStubs) {
  const LinkPlan plan = Plan(kAll, {}, LinkMode::kLenient);
  EXPECT_EQ(States(plan), "lllssss");
  ASSERT_EQ(plan.stubs.size(), 4u);
  const auto& denial = plan.stubs[0].answer;
  EXPECT_EQ(std::string(denial.payload.begin(), denial.payload.end()),
            R"({"code":126,"stdout":"","stderr":"exec capability not granted"})");
  EXPECT_EQ(denial.capability, "exec:id");
}

TEST(Fledge, attack_1_ImportsThatOnlyLookLikeFledges) {
  const LinkPlan plan = Plan({{"send", "(i64, i64)"}, {"shell", "(i32, i32) -> i32"}, {"recv", "(i32, i32)"}}, {});
  EXPECT_EQ(States(plan), "nnn");
  EXPECT_EQ(plan.decisions[0].rule, "wrong-type");
  EXPECT_EQ(plan.decisions[1].rule, "unknown-function");
  EXPECT_EQ(plan.decisions[2].rule, "wrong-type");
}

}  // namespace
}  // namespace cordon::abi
