#include "abi/extism.h"

#include <gtest/gtest.h>

#include "abi/export_ref.h"
#include "abi/json_schema.h"
#include "abi/link_plan.h"
#include "abi/test_types.h"
#include "abi/type_shape.h"
#include "abi/zeroclaw/table.h"

namespace cordon::abi {
namespace {

using policy::LinkMode;

wit::Contract Importing(const std::vector<std::pair<std::string, std::string>>& functions) {
  wit::Contract contract;
  contract.kind = wit::Contract::Kind::kModule;
  for (const auto& [name, type] : functions) {
    const std::size_t dot = name.rfind('.');
    contract.imports.push_back(Types::CoreFunction(name.substr(0, dot), name.substr(dot + 1), type));
  }
  return contract;
}

LinkPlan Plan(const std::vector<std::pair<std::string, std::string>>& functions, std::vector<std::string> grants = {},
              LinkMode link = LinkMode::kLenient, const LinkOptions& more = {}) {
  std::vector<policy::Request> requests;
  std::vector<policy::Grant> given;
  for (const std::string& text : grants) {
    requests.push_back({*policy::Capability::Parse(text), policy::Need::kOptional, "", {}});
    given.push_back(*policy::Grant::Parse(text));
  }
  LinkOptions options = more;
  options.abi = engine::LinkSpec::Abi::kExtism;
  policy::Ceiling ceiling = policy::Ceiling::Default();
  ceiling.Offer({"shop"});
  const auto authority = policy::Authority::Evaluate(requests, given, ceiling, link);
  return PlanLink(Importing(functions), *authority, options);
}

std::string Told(const LinkPlan& plan) {
  std::string text;
  for (const ImportDecision& decision : plan.decisions) {
    text += std::string(LinkStateName(decision.state)) + " " + decision.rule + "; ";
  }
  return text;
}

const std::pair<std::string, std::string> kConfigGet{"extism:host/env.config_get", "(i64) -> i64"};
const std::pair<std::string, std::string> kRequest{"extism:host/env.http_request", "(i64, i64) -> i64"};
const std::pair<std::string, std::string> kLog{"extism:host/env.log_info", "(i64)"};
const std::pair<std::string, std::string> kVarSet{"extism:host/env.var_set", "(i64, i64)"};

TEST(Extism, MemoryNeedsNothingAndTheWorldAGrant) {
  const LinkPlan bare = Plan({{"extism:host/env.alloc", "(i64) -> i64"}, kConfigGet, kRequest, kLog, kVarSet});
  EXPECT_EQ(Told(bare), "linked harmless; stub no-grant; stub no-grant; linked default-on; linked harmless; ");
  EXPECT_TRUE(bare.complete());
  ASSERT_EQ(bare.spec.host.size(), 1u);
  EXPECT_EQ(bare.spec.host[0].function, "log_info");
  ASSERT_EQ(bare.stubs.size(), 2u);
  EXPECT_EQ(bare.stubs[0].reply, Stub::Reply::kPayload);  // no setting has a value
  EXPECT_EQ(bare.stubs[1].reply, Stub::Reply::kTrap);
  const LinkPlan granted =
      Plan({kConfigGet, kRequest, kVarSet}, {"config", "http:GET:https://example.com/*", "kv:write:vars"});
  EXPECT_EQ(Told(granted),
            "linked grant:config; linked grant:http:GET:https://example.com/*; linked grant:kv:write:vars; ");
  EXPECT_EQ(granted.spec.host.size(), 3u);
  EXPECT_EQ(Told(Plan({kVarSet}, {"kv:write:other"})), "linked harmless; ");
}

TEST(Extism, LinkStrictHasNoStubs) {
  const LinkPlan plan = Plan({kConfigGet}, {}, LinkMode::kStrict);
  EXPECT_FALSE(plan.complete());
  EXPECT_TRUE(plan.spec.stubs.empty());
}

// attack_1: names that look like ours.
TEST(attack_1, ImportsThatOnlyLookLikeExtisms) {
  const LinkPlan plan = Plan({{"extism:host/envx.alloc", "(i64) -> i64"},
                              {"extism:host/env.allocate", "(i64) -> i64"},
                              {"extism:host/env.alloc", "(i32) -> i32"},
                              {"extism:host/user.anything", "(i64) -> i64"},
                              {"env.extism_alloc", "(i64) -> i64"}});
  EXPECT_EQ(Told(plan),
            "not-linked unknown-interface; not-linked unknown-function; not-linked wrong-type; "
            "not-linked unknown-interface; not-linked unknown-interface; ");
  const Error error = UnlinkedError(plan);
  ASSERT_EQ(error.causes.size(), 5u);
  EXPECT_EQ(error.causes[3].Detail("import"), "extism:host/user.anything");
  EXPECT_EQ(error.causes[3].Detail("type"), "(i64) -> i64");
}

TEST(Extism, FunctionsOfTheEmbeddingProgramAreHeldAgainstTheImport) {
  LinkOptions options;
  options.offered = {{"extism:host/user",
                      {{.name = "price", .shape = "(string,u32)->list<u8>", .capability = "shop"},
                       {.name = "odd", .shape = "(list<string>)", .capability = "shop"}}}};
  const auto plan = [&](const std::string& name, const std::string& type, std::vector<std::string> grants) {
    return Told(Plan({{"extism:host/user." + name, type}}, std::move(grants), LinkMode::kLenient, options));
  };
  EXPECT_EQ(plan("price", "(i64, i32) -> i64", {"host:shop"}), "linked grant:host:shop; ");
  EXPECT_EQ(plan("price", "(i64, i32) -> i64", {}), "not-linked not-requested; ");
  EXPECT_EQ(plan("price", "(i64, i64) -> i64", {"host:shop"}), "not-linked wrong-type; ");
  EXPECT_EQ(plan("odd", "(i64)", {"host:shop"}), "not-linked wrong-type; ");
  EXPECT_EQ(plan("prices", "(i64)", {"host:shop"}), "not-linked unknown-interface; ");
}

TEST(Extism, FunctionsOfZeroclawAreEachLinkedByItself) {
  const std::pair<std::string, std::string> store{"extism:host/user.zeroclaw_memory_store", "(i64) -> i64"};
  const std::pair<std::string, std::string> recall{"extism:host/user.zeroclaw_memory_recall", "(i64) -> i64"};
  EXPECT_EQ(Told(Plan({store, recall}, {"memory:recall:session"})),
            "not-linked no-grant; linked grant:memory:recall:session; ");
  const LinkPlan plan = Plan({store, recall}, {"memory:store:agent", "memory:recall:plugin"});
  ASSERT_EQ(plan.spec.host.size(), 2u);
  EXPECT_EQ(plan.spec.host[0].blocks, "b->b");
  EXPECT_EQ(plan.spec.host[0].kind, engine::HostImport::Kind::kBlocking);
  EXPECT_EQ(plan.decisions[0].meaning, "keeps a text under a key");
  for (const ZeroclawFunction& function : ZeroclawFunctions()) {
    const std::string name = "extism:host/user." + std::string(function.name);
    const LinkPlan bare = Plan({{name, "(i64) -> i64"}});
    EXPECT_EQ(Told(bare), "not-linked no-grant; ") << name;
    EXPECT_EQ(bare.decisions[0].grant, function.grant);
    EXPECT_EQ(Told(Plan({{name, "(i32) -> i64"}})), "not-linked wrong-type; ") << name;
    EXPECT_EQ(Told(Plan({{"extism:host/env." + std::string(function.name), "(i64) -> i64"}})),
              "not-linked unknown-function; ");
    EXPECT_EQ(Told(Plan({{"extism:host/users." + std::string(function.name), "(i64) -> i64"}})),
              "not-linked unknown-interface; ");
  }
}

TEST(Extism, WhatTheEmbeddingProgramOffersUnderANameOfZeroclawsIsItsOwn) {
  LinkOptions options;
  options.offered = {
      {"extism:host/user", {{.name = "context_user_identity", .shape = "(string)->string", .capability = "shop"}}}};
  const std::pair<std::string, std::string> user{"extism:host/user.context_user_identity", "(i64) -> i64"};
  EXPECT_EQ(Told(Plan({user}, {"host:shop"}, LinkMode::kLenient, options)), "linked grant:host:shop; ");
  EXPECT_EQ(Told(Plan({user}, {"ctx:user"}, LinkMode::kLenient, options)), "not-linked not-requested; ");
}

TEST(Extism, BlocksStandForTextAndBytes) {
  const auto made = AsBlocks("(string,u32,list<u8>,s64,f32)->f64");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->type, "(i64, i32, i64, i64, f32) -> f64");
  EXPECT_EQ(made->blocks, "tnbnn->n");
  EXPECT_EQ(AsBlocks("()")->type, "()");
  EXPECT_EQ(AsBlocks("()")->blocks, "->");
  for (const char* other : {"(bool)", "(option<string>)", "(u8)->u32", "()->result<string,string>", "", "(", "x"}) {
    EXPECT_FALSE(AsBlocks(other)) << other;
  }
}

TEST(Extism, WhatItsHostWouldCallTakesAndGivesBytes) {
  Types types;
  types.contract.kind = wit::Contract::Kind::kModule;
  for (const auto& [name, type] : std::vector<std::pair<std::string, std::string>>{
           {"run", "() -> i32"}, {"go", "()"}, {"malloc", "(i32) -> i32"}, {"two", "() -> (i32, i32)"}}) {
    wit::Item item = Types::CoreFunction("", name, type);
    item.name = name;
    item.functions = {wit::Function{.name = name, .docs = {}, .params = {}}};
    types.contract.exports.push_back(item);
  }
  const wit::Contract contract = AsExtism(types.contract);
  const auto exports = Exports(contract);
  ASSERT_EQ(exports.size(), 2u);
  EXPECT_EQ(FunctionShape(contract, *exports[0].function),
            "(list<u8>)->result<list<u8>,record{code:s32,message:string}>");
}

class ExtismJson : public testing::Test {
 protected:
  std::string In(std::string_view json) const {
    std::vector<std::uint8_t> wire;
    const Status done = abi_.Lower({}, json, wire);
    if (!done) return std::string(CodeName(done.error().code));
    EXPECT_EQ(wire[0], wire.size() - 4);
    return std::string(wire.begin() + 4, wire.end());
  }
  std::string Out(std::string_view bytes) const {
    std::vector<std::uint8_t> wire = {0, static_cast<std::uint8_t>(bytes.size()), 0, 0, 0};
    wire.insert(wire.end(), bytes.begin(), bytes.end());
    const auto outcome = abi_.Lift({}, wire);
    return outcome ? outcome->json : std::string(CodeName(outcome.error().code));
  }
  ExtismAbi abi_{nullptr, {.wire_bytes = 100, .json_bytes = 200}};
};

TEST_F(ExtismJson, ATextIsWhatItSays) {
  EXPECT_EQ(In(R"("a \"b\" \u00e9")"), "a \"b\" \xc3\xa9");
  EXPECT_EQ(In("null"), "");
  EXPECT_EQ(In(R"({"a": [1, 2]})"), R"({"a": [1, 2]})");
  EXPECT_EQ(In("5"), "5");
  EXPECT_EQ(In("{"), "E_SYNTAX");
  EXPECT_EQ(In('"' + std::string(150, 'a') + '"'), "E_INPUT_SIZE");
}

TEST_F(ExtismJson, JsonStaysAndTheRestIsText) {
  EXPECT_EQ(Out(R"({"count":3})"), R"({"count":3})");
  EXPECT_EQ(Out("84"), "84");
  EXPECT_EQ(Out("Hello"), R"("Hello")");
  EXPECT_EQ(Out(""), R"("")");
  EXPECT_EQ(Out("{\"a\":1,\"a\":2}"), R"("{\"a\":1,\"a\":2}")");
  EXPECT_EQ(Out("\xff\x01"), R"({"base64":"/wE="})");
}

TEST_F(ExtismJson, AnErrorIsThePluginsAnswer) {
  const std::vector<std::uint8_t> wire = {1, 7, 0, 0, 0, 3, 0, 0, 0, 'w', 'h', 'y'};
  const auto outcome = abi_.Lift({}, wire);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->answer, Outcome::Answer::kPluginError);
  EXPECT_EQ(outcome->json, R"({"err":{"code":7,"message":"why"}})");
  for (std::size_t cut = 0; cut < wire.size(); ++cut) {
    EXPECT_FALSE(abi_.Lift({}, std::span(wire).first(cut))) << cut;
  }
}

}  // namespace
}  // namespace cordon::abi
