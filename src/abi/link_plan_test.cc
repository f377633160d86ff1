#include "abi/link_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "abi/denial.h"
#include "abi/test_types.h"
#include "abi/type_shape.h"
#include "abi/wasi_table.h"

namespace cordon::abi {
namespace {

using policy::Capability;
using policy::LinkMode;
using policy::Need;
using wit::Kind;
using PolicyKind = policy::Kind;

policy::Request Ask(std::string_view capability, Need need) { return {*Capability::Parse(capability), need, ""}; }

policy::Authority Given(std::vector<policy::Request> requests, std::vector<std::string> grants = {},
                        LinkMode link = LinkMode::kLenient, std::vector<PolicyKind> withdrawn = {}) {
  std::vector<policy::Grant> parsed;
  for (const auto& text : grants) parsed.push_back(*policy::Grant::Parse(text));
  return *policy::Authority::Evaluate(requests, parsed, policy::Ceiling::Default(), link, withdrawn);
}
policy::Authority Nothing() { return Given({}); }

// A component whose imports are spelled as the toolchains spell them.
struct Guest : Types {
  wit::TypeRef str = Of(Kind::kString), u64 = Of(Kind::kU64), u32 = Of(Kind::kU32), u8 = Of(Kind::kU8);
  wit::TypeRef pollable = Resource("pollable"), stream = Resource("output-stream");

  wit::Item Poll(std::string version = "0.2.6") {
    return Interface("wasi:io/poll@" + version,
                     {Function("poll", {{"in", List(pollable)}}, List(u32)),
                      Function("[method]pollable.block", {{"self", pollable}})},
                     {"pollable"});
  }
  wit::Item Environment() {
    return Interface("wasi:cli/environment@0.2.0", {Function("get-environment", {}, List(Tuple({str, str})))});
  }
  wit::Item Stdout() {
    return Interface("wasi:cli/stdout@0.2.3", {Function("get-stdout", {}, stream)}, {"output-stream"});
  }
  wit::Item Clock() { return Interface("wasi:clocks/monotonic-clock@0.2.0", {Function("now", {}, u64)}); }
  wit::Item Random() {
    return Interface("wasi:random/random@0.2.0", {Function("get-random-bytes", {{"len", u64}}, List(u8))});
  }
  wit::Item Preopens() {
    return Interface("wasi:filesystem/preopens@0.2.0",
                     {Function("get-directories", {}, List(Tuple({Resource("descriptor"), str})))}, {"descriptor"});
  }
  wit::Item Lookup() {
    const auto code = Enum({"unknown", "access-denied", "timeout"}, "error-code");
    return Interface(
        "wasi:sockets/ip-name-lookup@0.2.0",
        {Function("resolve-addresses", {{"name", str}}, ResultOf(Resource("resolve-address-stream"), code))});
  }
  wit::Item Http() {
    return Interface(
        "wasi:http/outgoing-handler@0.2.0",
        {Function("handle", {},
                  ResultOf(u32, Variant({{"DNS-timeout", wit::kNone}, {"HTTP-request-denied", wit::kNone}})))});
  }
  wit::Item Logging() {
    const auto level = Enum({"trace", "debug", "info", "warn", "error", "critical"}, "level");
    return Interface("wasi:logging/logging@0.1.0-draft",
                     {Function("log", {{"level", level}, {"context", str}, {"message", str}})});
  }
  void Imports(std::vector<wit::Item> items) { contract.imports = std::move(items); }
};

LinkPlan Planned(const wit::Contract& contract, const policy::Authority& authority) {
  return PlanLink(contract, authority, {.plugin = "acme/linkcheck"});
}

const ImportDecision& Of(const LinkPlan& plan, std::string_view import) {
  const auto it = std::find_if(plan.decisions.begin(), plan.decisions.end(),
                               [&](const auto& d) { return std::string_view(d.import).starts_with(import); });
  EXPECT_NE(it, plan.decisions.end()) << import;
  return *it;
}

TEST(LinkPlan, WhatEveryToolchainImportsIsLinkedEmpty) {
  Guest g;
  g.Imports({g.Poll(), g.Environment(), g.Stdout(), g.Clock(), g.Random(), g.Preopens()});
  const LinkPlan plan = Planned(g.contract, Nothing());
  EXPECT_TRUE(plan.complete());
  EXPECT_EQ(Of(plan, "wasi:io/poll").state, LinkState::kLinked);
  EXPECT_EQ(Of(plan, "wasi:io/poll").rule, "harmless");
  EXPECT_EQ(Of(plan, "wasi:cli/environment").state, LinkState::kLinkedEmpty);
  EXPECT_EQ(Of(plan, "wasi:filesystem/preopens").state, LinkState::kLinkedEmpty);
  EXPECT_EQ(Of(plan, "wasi:filesystem/preopens").grant, "fs:read:/data=workspace");
  EXPECT_EQ(Of(plan, "wasi:filesystem/preopens").command,
            "cordon run acme/linkcheck --grant 'fs:read:/data=workspace' --root workspace=PATH");
  EXPECT_EQ(Of(plan, "wasi:clocks/monotonic-clock").rule, "default-on");
  EXPECT_EQ(plan.spec.wasi, (std::vector<std::string>{"wasi:io/poll", "wasi:cli/environment", "wasi:cli/stdout",
                                                      "wasi:clocks/monotonic-clock", "wasi:random/random",
                                                      "wasi:filesystem/preopens"}));
  EXPECT_TRUE(plan.spec.host.empty());
  EXPECT_TRUE(plan.spec.stubs.empty());
}

TEST(LinkPlan, AGrantPutsSomethingBehindAnInterface) {
  Guest g;
  g.Imports({g.Preopens(), g.Environment()});
  const auto authority = Given({Ask("fs:read:/docs=workspace", Need::kRequired), Ask("env:TOKEN", Need::kOptional)},
                               {"fs:read:/docs=workspace"});
  const LinkPlan plan = Planned(g.contract, authority);
  EXPECT_EQ(Of(plan, "wasi:filesystem/preopens").state, LinkState::kLinked);
  EXPECT_EQ(Of(plan, "wasi:filesystem/preopens").rule, "grant:fs:read:/docs=workspace");
  EXPECT_EQ(Of(plan, "wasi:cli/environment").state, LinkState::kLinkedEmpty);  // asked for, not given
  EXPECT_EQ(Of(plan, "wasi:cli/environment").grant, "env:TOKEN");
}

TEST(LinkPlan, WhatIsWithdrawnIsNotLinked) {
  Guest g;
  g.Imports({g.Clock(), g.Random(), g.Stdout(), g.Logging()});
  const LinkPlan plan =
      Planned(g.contract, Given({}, {}, LinkMode::kLenient,
                                {PolicyKind::kClock, PolicyKind::kRandom, PolicyKind::kStdio, PolicyKind::kLog}));
  EXPECT_TRUE(plan.spec.wasi.empty());
  EXPECT_TRUE(plan.spec.host.empty());
  for (const ImportDecision& decision : plan.decisions) {
    EXPECT_EQ(decision.state, LinkState::kNotLinked) << decision.import;
    EXPECT_EQ(decision.rule, "withdrawn");
    EXPECT_NE(decision.command.find("out of 'deny' in the grants of acme/linkcheck"), std::string::npos);
  }
}

TEST(LinkPlan, LoggingIsAnsweredByTheHost) {
  Guest g;
  g.Imports({g.Logging()});
  const LinkPlan plan = Planned(g.contract, Nothing());
  ASSERT_EQ(plan.spec.host.size(), 1u);
  EXPECT_EQ(plan.spec.host[0].interface_name, "wasi:logging/logging@0.1.0-draft");
  EXPECT_EQ(plan.spec.host[0].function, "log");
}

TEST(LinkPlan, AnOptionalPermissionGetsAStubThatHoldsNothing) {
  Guest g;
  g.Imports({g.Lookup(), g.Http()});
  const std::vector<policy::Request> asked = {Ask("net:tcp:db.internal:5432", Need::kOptional),
                                              Ask("http:GET:https://api.example.com/v1/*", Need::kOptional)};
  const LinkPlan plan = Planned(g.contract, Given(asked));
  EXPECT_TRUE(plan.complete());
  ASSERT_EQ(plan.stubs.size(), 2u);
  EXPECT_EQ(plan.stubs[0].import.function, "resolve-addresses");
  EXPECT_EQ(plan.stubs[0].reply, Stub::Reply::kPayload);
  EXPECT_EQ(plan.stubs[0].answer.payload, (std::vector<std::uint8_t>{1, 1, 0, 0, 0}));  // err(access-denied)
  EXPECT_EQ(plan.stubs[0].answer.capability, "net:tcp:db.internal:5432");
  EXPECT_EQ(plan.stubs[1].answer.payload, (std::vector<std::uint8_t>{1, 1, 0, 0, 0}));  // err(HTTP-request-denied)
  EXPECT_EQ(plan.spec.stubs.size(), 2u);
  EXPECT_TRUE(plan.spec.wasi.empty());

  const LinkPlan strict = Planned(g.contract, Given(asked, {}, LinkMode::kStrict));
  EXPECT_FALSE(strict.complete());
  EXPECT_TRUE(strict.spec.stubs.empty());
  EXPECT_NE(Of(strict, "wasi:sockets").message.find("`link: strict` forbids a stub"), std::string::npos);
}

TEST(LinkPlan, WhatHoldsNothingIsThereForAnOptionalNetwork) {
  Guest g;
  g.Imports({Types::Interface("wasi:sockets/network@0.2.0", {}, {"network"})});
  const LinkPlan plan = Planned(g.contract, Given({Ask("net:tcp:db.internal:5432", Need::kOptional)}));
  EXPECT_EQ(plan.decisions[0].state, LinkState::kLinkedEmpty);
  EXPECT_EQ(plan.spec.wasi, std::vector<std::string>{"wasi:sockets/network"});
  EXPECT_TRUE(plan.spec.stubs.empty());
  EXPECT_FALSE(Planned(g.contract, Nothing()).complete());
}

TEST(LinkPlan, AStubStandsInForAnInterfaceOfResourcesAlone) {
  Guest g;
  g.Imports({Types::Interface("wasi:messaging/types@0.2.0", {}, {"message"})});
  const LinkPlan plan = Planned(g.contract, Given({Ask("msg:send:alerts", Need::kOptional)}));
  EXPECT_TRUE(plan.complete());
  ASSERT_EQ(plan.spec.stubs.size(), 1u);
  EXPECT_EQ(plan.spec.stubs[0].interface_name, "wasi:messaging/types@0.2.0");
  EXPECT_EQ(plan.spec.stubs[0].function, "");
}

// No service answers this package: a grant of its kind links nothing, and none is suggested.
TEST(LinkPlan, AGrantLinksNothingThatNoServiceAnswers) {
  Guest g;
  g.Imports({Types::Interface("wasi:messaging/producer@0.2.0", {Types::Function("send", {{"to", g.str}})})});
  const LinkPlan plan = Planned(g.contract, Given({Ask("msg:send:alerts", Need::kRequired)}, {"msg:send:alerts"}));
  EXPECT_FALSE(plan.complete());
  EXPECT_TRUE(plan.spec.wasi.empty());
  EXPECT_TRUE(plan.spec.host.empty());
  EXPECT_EQ(plan.decisions[0].rule, "unknown-interface");
  EXPECT_EQ(plan.decisions[0].grant, "");
  EXPECT_NE(UnlinkedError(plan).causes[0].remedy.find("cordon:messaging@1."), std::string::npos);
}

TEST(LinkPlan, VersionsOfWasi) {
  const std::map<std::string, LinkState> versions = {{"0.2.0", LinkState::kLinked},
                                                     {"0.2.12", LinkState::kLinked},
                                                     {"0.2.99", LinkState::kLinked},
                                                     {"0.3.0", LinkState::kNotLinked},
                                                     {"0.1.0", LinkState::kNotLinked},
                                                     {"1.2.0", LinkState::kNotLinked},
                                                     {"0.2", LinkState::kNotLinked},
                                                     {"0.2.01", LinkState::kNotLinked},
                                                     {"0.2.0-rc-2023-11-10", LinkState::kNotLinked},
                                                     {"0.3.0-rc-2025-09-16", LinkState::kNotLinked},
                                                     {"0.2.", LinkState::kNotLinked},
                                                     {"0.2.1.1", LinkState::kNotLinked}};
  for (const auto& [version, state] : versions) {
    Guest g;
    g.Imports({g.Poll(version)});
    const LinkPlan plan = Planned(g.contract, Nothing());
    EXPECT_EQ(plan.decisions[0].state, state) << version;
    if (state == LinkState::kNotLinked) {
      EXPECT_EQ(plan.decisions[0].rule, "wasi-version") << version;
    }
  }
  Guest g;
  g.Imports({g.Poll("0.3.0")});
  EXPECT_NE(UnlinkedError(Planned(g.contract, Nothing())).causes[0].message.find("WASI 0.3 is not part of this build"),
            std::string::npos);
}

TEST(LinkPlan, InterfacesThatOnlyNameTypesNeedNothing) {
  Guest g;
  g.Imports({Types::Interface("acme:linkcheck/types@1.0.0", {})});
  const LinkPlan plan = Planned(g.contract, Nothing());
  EXPECT_TRUE(plan.complete());
  EXPECT_EQ(plan.decisions[0].rule, "types-only");
}

// attack_1: every import that is not linked is named at once, each with its rule and the smallest grant; nothing is
// linked that was not granted.
TEST(attack_1, EveryUnlinkedImportIsNamedAtOnce) {
  Guest g;
  const auto misfit =
      Types::Interface("wasi:random/random@0.2.0", {Types::Function("get-random-bytes", {{"len", g.str}}, g.u64)});
  const auto invented =
      Types::Interface("wasi:cli/environment@0.2.0", {Types::Function("set-environment", {{"k", g.str}})});
  const auto host = Types::Interface("cordon:host/files", {Types::Function("open", {{"mount", g.str}})});
  const auto store =
      Types::Interface("wasi:messaging/producer@0.2.0-draft", {Types::Function("send", {{"id", g.str}}, g.str)});
  g.Imports({g.Poll(), g.Lookup(), g.Http(), host, store, misfit, invented,
             Types::RootFunction(Types::Function("log", {{"m", g.str}})),
             Types::Interface("acme:secret/backdoor", {Types::Function("run", {})})});
  const LinkPlan plan = Planned(g.contract, Nothing());
  ASSERT_FALSE(plan.complete());
  const Error error = UnlinkedError(plan);
  EXPECT_EQ(error.code, Code::kLink);
  EXPECT_EQ(error.message, "8 imports were not linked; nothing was instantiated");
  EXPECT_EQ(error.remedy, "cordon explain acme/linkcheck shows every import and what would link it");
  struct Expected {
    const char* import;
    const char* grant;
    const char* rule;
  };
  const Expected expected[] = {
      {"wasi:sockets/ip-name-lookup@0.2.0", "net:tcp:HOST:PORT", "no-grant"},
      {"wasi:http/outgoing-handler@0.2.0", "http:GET:https://HOST/*", "no-grant"},
      {"cordon:host/files", "", "unknown-interface"},
      {"wasi:messaging/producer@0.2.0-draft", "", "unknown-interface"},
      {"wasi:random/random@0.2.0", "", "wrong-type"},
      {"wasi:cli/environment@0.2.0", "", "unknown-function"},
      {"log", "", "unknown-interface"},
      {"acme:secret/backdoor", "", "unknown-interface"},
  };
  ASSERT_EQ(error.causes.size(), std::size(expected));
  for (std::size_t i = 0; i < error.causes.size(); ++i) {
    EXPECT_EQ(error.causes[i].Detail("import"), expected[i].import);
    EXPECT_EQ(error.causes[i].Detail("grant"), expected[i].grant) << expected[i].import;
    EXPECT_EQ(error.causes[i].Detail("rule"), expected[i].rule) << expected[i].import;
    EXPECT_FALSE(error.causes[i].Detail("command").empty()) << expected[i].import;
    EXPECT_FALSE(error.causes[i].Detail("type").empty()) << expected[i].import;
  }
  EXPECT_NE(error.causes[4].message.find("get-random-bytes as "), std::string::npos);
  EXPECT_NE(error.causes[5].message.find("set-environment"), std::string::npos);
  EXPECT_EQ(plan.spec.wasi, (std::vector<std::string>{"wasi:io/poll"}));
}

// What a guest takes for a handle decides what the service gives away, so every one has to be as the interface has it.
TEST(LinkPlan, HandlesOfAServiceAreHeldAgainstItsInterface) {
  const auto planned = [](std::string_view name, std::uint32_t self_is_borrowed, std::string_view grant) {
    Guest g;
    const wit::TypeRef owned = g.Resource("bucket"), self = g.Resource(std::string(name));
    g.contract.types[self].size = self_is_borrowed;
    const auto error = g.Variant({{"no-such-store", wit::kNone}, {"access-denied", wit::kNone}, {"other", g.str}});
    g.Imports({Types::Interface("wasi:keyvalue/store@0.2.0-draft2",
                                {Types::Function("open", {{"identifier", g.str}}, g.ResultOf(owned, error)),
                                 Types::Function("[method]bucket.get", {{"self", self}, {"key", g.str}},
                                                 g.ResultOf(g.Option(g.List(g.u8)), error))},
                                {"bucket"})});
    std::vector<std::string> grants;
    if (!grant.empty()) grants.emplace_back(grant);
    const LinkPlan plan = Planned(g.contract, Given({Ask("kv:write:cache", Need::kOptional)}, grants));
    const ImportDecision& decision = plan.decisions.front();
    return std::string(LinkStateName(decision.state)) + " " + decision.rule + " " +
           std::to_string(plan.spec.host.size());
  };
  EXPECT_EQ(planned("bucket", 1, "kv:read:cache"), "linked grant:kv:read:cache 2");
  EXPECT_EQ(planned("bucket", 0, "kv:read:cache"), "not-linked wrong-type 0");
  EXPECT_EQ(planned("cas", 1, "kv:read:cache"), "not-linked wrong-type 0");
  EXPECT_EQ(planned("bucket", 1, ""), "stub no-grant 0");
}

// attack_1, for core modules.
TEST(attack_1, CoreImportsOutsidePreview1AreNotLinked) {
  Guest g;
  g.contract.kind = wit::Contract::Kind::kModule;
  wit::Item memory = Types::CoreFunction("env", "memory", "memory");
  memory.kind = wit::Item::Kind::kOther;
  g.Imports({Types::CoreFunction("wasi_snapshot_preview1", "fd_write", "(i32, i32, i32, i32) -> i32"),
             Types::CoreFunction("wasi_snapshot_preview1", "fd_write", "(i32) -> i64"),
             Types::CoreFunction("wasi_snapshot_preview1", "sock_open", "(i32) -> i32"),
             Types::CoreFunction("wasi_unstable", "fd_write", "(i32, i32, i32, i32) -> i32"),
             Types::CoreFunction("env", "system", "(i32) -> i32"), memory});
  const LinkPlan plan = Planned(g.contract, Nothing());
  EXPECT_EQ(plan.spec.wasi, (std::vector<std::string>{"wasi_snapshot_preview1/stdio", "wasi_snapshot_preview1"}));
  const std::string_view rules[] = {"default-on",   "wrong-type",        "unknown-function",
                                    "wasi-version", "unknown-interface", "unknown-interface"};
  for (std::size_t i = 0; i < plan.decisions.size(); ++i)
    EXPECT_EQ(plan.decisions[i].rule, rules[i]) << plan.decisions[i].import;
  EXPECT_EQ(UnlinkedError(plan).causes.size(), 5u);
  EXPECT_EQ(UnlinkedError(plan).causes[3].Detail("import"), "env.system");
}

TEST(LinkPlan, Preview1IsLinkedEmptyUntilSomethingIsGranted) {
  Guest g;
  g.contract.kind = wit::Contract::Kind::kModule;
  for (const Preview1Function& f : Preview1Functions()) {
    g.contract.imports.push_back(
        Types::CoreFunction("wasi_snapshot_preview1", std::string(f.name), std::string(f.type)));
  }
  const LinkPlan plan = Planned(g.contract, Nothing());
  EXPECT_TRUE(plan.complete());
  EXPECT_EQ(Of(plan, "wasi_snapshot_preview1.path_open").state, LinkState::kLinkedEmpty);
  EXPECT_EQ(Of(plan, "wasi_snapshot_preview1.environ_get").state, LinkState::kLinkedEmpty);
  EXPECT_EQ(Of(plan, "wasi_snapshot_preview1.proc_exit").state, LinkState::kLinked);

  const std::vector<policy::Request> asked = {Ask("fs:read:/data=workspace", Need::kRequired)};
  const auto files = Given(asked, {"fs:read:/data=workspace"});
  EXPECT_EQ(Of(Planned(g.contract, files), "wasi_snapshot_preview1.path_open").state, LinkState::kLinked);
  EXPECT_EQ(Of(Planned(g.contract, files), "wasi_snapshot_preview1.path_open").rule, "grant:fs:read:/data=workspace");
  EXPECT_EQ(Of(Planned(g.contract, files), "wasi_snapshot_preview1.sock_recv").state, LinkState::kLinkedEmpty);

  const auto no_clock = Given({}, {}, LinkMode::kLenient, {PolicyKind::kClock});
  EXPECT_EQ(Of(Planned(g.contract, no_clock), "wasi_snapshot_preview1.clock_time_get").state, LinkState::kNotLinked);

  const auto no_streams = Given({}, {}, LinkMode::kLenient, {PolicyKind::kStdio});
  EXPECT_EQ(Of(Planned(g.contract, no_streams), "wasi_snapshot_preview1.fd_write").state, LinkState::kNotLinked);
}

TEST(LinkPlan, WhatPreview1CannotUseIsSaid) {
  Guest g;
  g.contract.kind = wit::Contract::Kind::kModule;
  g.Imports({Types::CoreFunction("wasi_snapshot_preview1", "sched_yield", "() -> i32")});
  const std::vector<std::string> both = {"net:tcp:example.com:443", "fs:read:/d=workspace"};
  const auto given = Given({Ask(both[0], Need::kRequired), Ask(both[1], Need::kRequired)}, both);
  EXPECT_EQ(Planned(g.contract, given).unusable, std::vector<std::string>{"net:tcp:example.com:443"});
  EXPECT_TRUE(Planned(g.contract, Nothing()).unusable.empty());
  g.contract.kind = wit::Contract::Kind::kComponent;
  EXPECT_TRUE(Planned(g.contract, given).unusable.empty());
}

TEST(LinkPlan, Preview1ReadsAndWritesFilesWithoutStandardStreams) {
  Guest g;
  g.contract.kind = wit::Contract::Kind::kModule;
  g.Imports({Types::CoreFunction("wasi_snapshot_preview1", "fd_write", "(i32, i32, i32, i32) -> i32")});
  const auto files = Given({Ask("fs:write:/data=workspace", Need::kRequired)}, {"fs:write:/data=workspace"},
                           LinkMode::kLenient, {PolicyKind::kStdio});
  const LinkPlan plan = Planned(g.contract, files);
  EXPECT_TRUE(plan.complete());
  EXPECT_EQ(plan.spec.wasi, (std::vector<std::string>{"wasi_snapshot_preview1"}));
  EXPECT_EQ(plan.decisions.front().capability, "files");
}

TEST(DenialPayload, SpeaksTheInterfacesOwnError) {
  Types t;
  const auto str = t.Of(Kind::kString), u32 = t.Of(Kind::kU32);
  const auto detailed =
      t.Variant({{"other", str}, {"permission-denied", t.Record({{"why", t.Option(str)}, {"n", u32}})}});
  const auto store = t.Variant({{"no-such-store", wit::kNone}, {"other", str}});
  const auto payload = [&](wit::TypeRef result) { return DenialPayload(t.contract, Types::Function("f", {}, result)); };
  EXPECT_EQ(*payload(t.ResultOf(str, detailed)), (std::vector<std::uint8_t>{1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(*payload(t.ResultOf(str, wit::kNone)), (std::vector<std::uint8_t>{1}));
  EXPECT_EQ(payload(t.ResultOf(str, str))->at(1), 13);  // "access denied"
  EXPECT_EQ(payload(t.ResultOf(str, store))->at(1), 1);
  EXPECT_FALSE(payload(str));
  EXPECT_FALSE(payload(wit::kNone));
  EXPECT_FALSE(payload(t.ResultOf(str, t.Enum({"timeout"}))));
}

TEST(TypeShape, IgnoresNamesOfTypesAndBoundsItself) {
  Types t;
  const auto u8 = t.Of(Kind::kU8);
  EXPECT_EQ(TypeShape(t.contract, t.Record({{"a", u8}}, "one")), TypeShape(t.contract, t.Record({{"a", u8}}, "two")));
  auto bomb = t.Tuple({u8, u8});
  for (int i = 0; i < 60; ++i) bomb = t.Tuple({bomb, bomb});
  EXPECT_LT(TypeShape(t.contract, bomb).size(), 20'000u);
}

}  // namespace
}  // namespace cordon::abi
