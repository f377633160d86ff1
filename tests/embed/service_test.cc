// Services of the embedding program: authority, types, faults, chains.
#include <algorithm>
#include <fstream>
#include <iterator>

#include "shop.h"

namespace {

using cordon::Code;
using shop::CodeOf;

// A service cannot be declared without the capability that it needs: this is how "does not compile" is tested.
template <typename S>
concept AddsWithoutCapability = requires(S service) { service.Function("f", [](const cordon::ServiceCall&) {}); };
static_assert(!AddsWithoutCapability<cordon::Service>);

std::vector<cordon::AuditRecord> DecisionsOf(const shop::Loaded& loaded, const std::string& capability) {
  std::vector<cordon::AuditRecord> found;
  for (const cordon::AuditRecord& record : loaded.audit->records()) {
    if (record.event == "decision" && record.capability == capability && !record.target.empty())
      found.push_back(record);
  }
  return found;
}

TEST(Service, AnswersAndLeavesOneRecordForEachCall) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin) << loaded.plugin.error().message;
  cordon::Answer answer;
  ASSERT_TRUE(loaded.plugin->Call("ask-often", R"({"times": 25})", {}, answer));
  EXPECT_EQ(answer.json, "25");
  EXPECT_EQ(answer.usage.host_calls, 25u);
  const auto decisions = DecisionsOf(loaded, "host:prices");
  ASSERT_EQ(decisions.size(), 25u);
  EXPECT_EQ(decisions.front().target, "acme:shop/prices@1.0.0#price-of");
  EXPECT_EQ(decisions.front().allowed, true);
}

TEST(Service, WithoutTheGrantItsInterfaceIsNotThere) {
  auto loaded = shop::Load({}, {});
  ASSERT_FALSE(loaded.plugin);
  EXPECT_EQ(loaded.plugin.error().code, Code::kLink);
  ASSERT_EQ(loaded.plugin.error().causes.size(), 1u);
  const cordon::Error& cause = loaded.plugin.error().causes.front();
  EXPECT_EQ(cause.Detail("import"), "acme:shop/prices@1.0.0");
  EXPECT_EQ(cause.Detail("grant"), "host:prices");
}

TEST(Service, AGrantOfSomethingElseDoesNotHelp) {
  EXPECT_EQ(CodeOf(shop::Load({}, {"host:prices"}).plugin), Code::kLink);
  EXPECT_EQ(CodeOf(shop::Load({}, {"host:prices:shoes", "host:catalogue"}).plugin), Code::kLink)
      << "price-of asks for no target, so a grant of one target is not enough";
}

TEST(Service, TargetsAreDecidedOneByOne) {
  auto loaded = shop::Load({}, {"host:prices", "host:catalogue:sh*"});
  ASSERT_TRUE(loaded.plugin) << loaded.plugin.error().message;
  EXPECT_EQ(loaded.plugin->Call("describe", R"({"article": "shoes"})")->json,
            R"({"ok":{"name":"shoes","amount":80,"currency":"usd"}})");
  EXPECT_EQ(loaded.plugin->Call("describe", R"({"article": "boots"})")->json, R"({"err":"not for you"})");
  EXPECT_EQ(loaded.plugin->Call("describe", R"({"article": "sh*"})")->json, R"({"err":"not for you"})");
  EXPECT_EQ(loaded.plugin->Call("describe", R"({"article": "sh oes"})")->json, R"({"err":"not for you"})");
  const auto denied = DecisionsOf(loaded, "host:catalogue:boots");
  ASSERT_EQ(denied.size(), 1u);
  EXPECT_EQ(denied.front().allowed, false);
}

TEST(Service, AnAnswerGivenWithoutAskingIsWithheld) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("describe", R"({"article": "careless"})")), Code::kDenied);
}

TEST(Service, WhatItThrowsIsAnErrorOfTheCall) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const auto failed = loaded.plugin->Call("failing", "{}");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kService);
  EXPECT_NE(failed.error().message.find("out of stock"), std::string::npos);
  EXPECT_TRUE(loaded.plugin->Call("greet", R"({"name": "Ada"})"));
}

TEST(Service, ADeadlineEndsACallThatWaitsForTheHost) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(20);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(CodeOf(loaded.plugin->Call("blocked", "{}", brief)), Code::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(290)) << "it did not wait for the host";
  // The host's function still runs; the plugin and the host may go before it has returned.
}

TEST(Service, ADifferentTypeIsRefusedAtLoadWithBothShown) {
  cordon::HostOptions options;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  auto host = cordon::Host::Create(std::move(options));
  cordon::Service prices("acme:shop/prices@1.0.0");
  prices.Function("price-of", cordon::Needs("prices"),
                  [](const cordon::ServiceCall&, std::uint32_t) -> std::uint32_t { return 1; });
  ASSERT_TRUE(host->Register(std::move(prices)));
  cordon::LoadOptions load;
  load.grants = {"host:prices"};
  const auto plugin = host->Load(shop::Guest(), load);
  ASSERT_FALSE(plugin);
  EXPECT_EQ(plugin.error().code, Code::kLink);
  const cordon::Error& cause = plugin.error().causes.front();
  EXPECT_EQ(cause.Detail("rule"), "wrong-type");
  EXPECT_NE(cause.message.find("(string)->option<u32>"), std::string::npos) << cause.message;
  EXPECT_NE(cause.message.find("(u32)->u32"), std::string::npos) << cause.message;
}

TEST(Service, NamesThatAreNoneAreRefusedAtRegistration) {
  auto host = cordon::Host::Create();
  const auto service = [](std::string name, std::string capability) {
    cordon::Service made(std::move(name));
    made.Function("f", cordon::Needs(std::move(capability)), [](const cordon::ServiceCall&) {});
    return made;
  };
  EXPECT_EQ(CodeOf(host->Register(service("acme:shop/prices@1.0.0", "Prices!"))), Code::kName);
  EXPECT_EQ(CodeOf(host->Register(service("wasi:http/outgoing-handler@0.2.0", "prices"))), Code::kName);
  EXPECT_EQ(CodeOf(host->Register(cordon::Service("acme:shop/prices@1.0.0"))), Code::kInvalid);
  EXPECT_TRUE(host->Register(service("acme:shop/prices@1.0.0", "prices")));
  EXPECT_EQ(CodeOf(host->Register(service("acme:shop/prices@1.0.0", "prices"))), Code::kInvalid);
}

// A shop whose prices come from calling a plugin, from inside the service.
struct Nested {
  cordon::Result<cordon::Host> host = cordon::Fail(Code::kInternal, "not made");
  std::shared_ptr<cordon::AuditMemory> audit = cordon::AuditMemory::Make();
  std::optional<cordon::Plugin> inner, outer;
  std::optional<cordon::Instance> instance;
  enum class What { kOrphan, kChild, kSelf, kSameInstance, kShutdown } what = What::kOrphan;
  std::optional<Code> seen;
  std::vector<std::string> callers;

  void Open() {
    cordon::HostOptions options;
    options.audit = audit;
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    host = cordon::Host::Create(std::move(options));
    cordon::Service prices = shop::Prices();
    cordon::Service own("acme:shop/prices@1.0.0");
    for (const auto& entry : prices.functions()) {
      if (entry.name == "describe") {
        own.Function("describe", cordon::Needs("catalogue"),
                     [](const cordon::ServiceCall&, std::string) -> std::expected<shop::Article, std::string> {
                       return std::unexpected("none");
                     });
      }
    }
    own.Function("price-of", cordon::Needs("prices"),
                 [this](const cordon::ServiceCall& call, std::string) { return Answer(call); });
    own.Function("total", cordon::Needs("prices"),
                 [](const cordon::ServiceCall&, std::vector<std::uint32_t>) { return std::uint64_t{0}; });
    own.Function("wait", cordon::Needs("prices"), [](const cordon::ServiceCall&) {});
    own.Function("fail", cordon::Needs("prices"), [](const cordon::ServiceCall&) {});
    ASSERT_TRUE(host->Register(std::move(own)));
    cordon::LoadOptions load;
    load.grants = {"host:prices", "host:catalogue"};
    outer.emplace(*host->Load(shop::Guest(), load));
    inner.emplace(*host->Load(shop::Guest("bench")));
    instance.emplace(*outer->NewInstance());
  }

  std::optional<std::uint32_t> Answer(const cordon::ServiceCall& call) {
    cordon::CallOptions options;
    if (what == What::kChild || what == What::kSelf) options.parent = &call;
    const std::string sum = R"({"a": 40, "b": 2})";
    cordon::Result<cordon::Answer> answer = cordon::Fail(Code::kInternal, "");
    switch (what) {
      case What::kOrphan:
      case What::kChild: answer = inner->Call("add", sum, options); break;
      case What::kSelf: answer = outer->Call("add", sum, options); break;
      case What::kSameInstance: answer = instance->Call("add", sum, options); break;
      case What::kShutdown:
        if (const cordon::Status down = host->Shutdown(); !down) answer = cordon::Fail(down.error());
        break;
    }
    callers = call.callers();
    seen.reset();
    if (!answer) seen = answer.error().code;
    return answer ? std::optional<std::uint32_t>(std::stoi(answer->json)) : std::nullopt;
  }
};

TEST(Service, LearnsInWhoseNameItIsAskedAndPassesItOn) {
  cordon::HostOptions host_options;
  host_options.compiler = cordon::HostOptions::Compiler::kInProcess;
  auto host = cordon::Host::Create(std::move(host_options));
  std::optional<cordon::Plugin> other;
  std::vector<std::string> users;
  cordon::Service prices("acme:shop/prices@1.0.0");
  prices.Function("price-of", cordon::Needs("prices"),
                  [&](const cordon::ServiceCall& call, const std::string& article) -> std::optional<std::uint32_t> {
                    const cordon::Principal& who = call.principal();
                    users.push_back(who.tenant + ":" + who.user + "/" + who.session);
                    if (article == "last") return std::nullopt;
                    cordon::CallOptions options;
                    options.parent = &call;
                    if (article == "another") options.principal.user = "bob";
                    const auto answer = other->Call("price", R"({"article": "last"})", options);
                    EXPECT_TRUE(answer) << answer.error().message;
                    return std::nullopt;
                  });
  const cordon::Service others = shop::Prices();
  for (const cordon::Service::Entry& entry : others.functions()) {
    if (entry.name != "price-of") prices.Add(entry);
  }
  ASSERT_TRUE(host->Register(std::move(prices)));
  const auto load = [&](std::string_view name) {
    std::ifstream in(shop::Guest(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    return host->LoadBytes(name, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                           {.grants = {"host:prices", "host:catalogue"}});
  };
  auto first = load("first");
  ASSERT_TRUE(first) << first.error().message;
  auto second = load("second");
  other = *second;
  cordon::CallOptions options;
  options.principal = {.user = "alice", .session = "s1", .agent = {}, .tenant = "north"};
  ASSERT_TRUE(first->Call("price", R"({"article": "same"})", options));
  ASSERT_TRUE(first->Call("price", R"({"article": "another"})", options));
  ASSERT_TRUE(first->Call("price", R"({"article": "last"})"));
  const std::string alice = "north:alice/s1";
  EXPECT_EQ(users, (std::vector<std::string>{alice, alice, alice, "north:bob/", ":/"}));
  options.principal.user = "two\nlines";
  EXPECT_EQ(CodeOf(first->Call("price", R"({"article": "last"})", options)), Code::kInvalid);
  options.principal.user = std::string(257, 'x');
  EXPECT_EQ(CodeOf(first->Call("price", R"({"article": "last"})", options)), Code::kLimit);
}

TEST(Service, ACallFromInsideNamesTheCallThatItServes) {
  Nested nested;
  ASSERT_NO_FATAL_FAILURE(nested.Open());
  const std::string input = R"({"article": "x"})";
  nested.what = Nested::What::kOrphan;
  EXPECT_EQ(nested.outer->Call("price", input)->json, "null");
  EXPECT_EQ(nested.seen, Code::kUsage);
  nested.what = Nested::What::kChild;
  EXPECT_EQ(nested.outer->Call("price", input)->json, "42");
  const auto records = nested.audit->records();
  EXPECT_TRUE(std::ranges::any_of(records, [](const cordon::AuditRecord& record) {
    return record.event == "call" && record.plugin == "bench" && record.callers == std::vector<std::string>{"shop"};
  }));
  nested.what = Nested::What::kSelf;
  EXPECT_EQ(nested.outer->Call("price", input)->json, "null");
  EXPECT_EQ(nested.seen, Code::kUsage) << "a cycle";
  nested.what = Nested::What::kSameInstance;
  EXPECT_EQ(nested.instance->Call("price", input)->json, "null");
  EXPECT_EQ(nested.seen, Code::kBusy);
  nested.what = Nested::What::kShutdown;
  EXPECT_EQ(nested.outer->Call("price", input)->json, "null");
  EXPECT_EQ(nested.seen, Code::kUsage);
}

}  // namespace
