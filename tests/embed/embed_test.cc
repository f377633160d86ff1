// Loading and calling through the public API.
#include <fstream>

#include "shop.h"

namespace {

using cordon::Code;
using cordon::HostOptions;
using shop::Article;
using shop::CodeOf;
using shop::Currency;

TEST(Embed, TwoLinesLoadAndCall) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin) << loaded.plugin.error().message;
  const auto answer = loaded.plugin->Call("greet", R"({"name": "Ada"})");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->json, R"("hello, Ada")");
  EXPECT_FALSE(answer->is_plugin_error);
  EXPECT_GT(answer->usage.memory_peak_bytes, 0u);
}

TEST(Embed, TypedCallsTakeAndGiveCppValues) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin) << loaded.plugin.error().message;
  const auto add = loaded.plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  ASSERT_TRUE(add) << add.error().message;
  EXPECT_EQ((*add)(2, 3).value(), 5);
  const auto echo = loaded.plugin->Function<std::vector<Article>(const std::vector<Article>&)>("echo");
  ASSERT_TRUE(echo) << echo.error().message;
  const std::vector<Article> articles = {{"shoes", 80, Currency::usd}, {std::string(100'000, 'x'), 1, Currency::eur}};
  EXPECT_EQ((*echo)(articles).value(), articles);
  const auto greet = loaded.plugin->Function<std::string(std::string_view)>("acme:shop/till@1.0.0#greet");
  ASSERT_TRUE(greet) << greet.error().message;
  EXPECT_EQ((*greet)("Ada").value(), "hello, Ada");
  const auto price = loaded.plugin->Function<std::optional<std::uint32_t>(std::string_view)>("price");
  ASSERT_TRUE(price) << price.error().message;
  EXPECT_EQ((*price)("shoes").value(), 80u);
  EXPECT_EQ((*price)("boots").value(), std::nullopt);
}

TEST(Embed, WrongTypesAreRefusedOnceWithBothShown) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const auto add = loaded.plugin->Function<std::int64_t(std::int32_t, std::int32_t)>("add");
  ASSERT_FALSE(add);
  EXPECT_EQ(add.error().code, Code::kType);
  EXPECT_EQ(add.error().Detail("plugin"), "(s32,s32)->s32");
  EXPECT_EQ(add.error().Detail("host"), "(s32,s32)->s64");
  EXPECT_NE(add.error().message.find("(s32,s32)->s32"), std::string::npos);
  EXPECT_EQ(CodeOf(loaded.plugin->Function<void()>("add")), Code::kType);
  EXPECT_EQ(CodeOf(loaded.plugin->Function<void()>("nothing")), Code::kNotFound);
}

TEST(Embed, EachCallHasAFreshInstanceAndAWarmOneRemembers) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const auto count = loaded.plugin->Function<std::uint32_t()>("count");
  ASSERT_TRUE(count);
  EXPECT_EQ((*count)().value(), 1u);
  EXPECT_EQ((*count)().value(), 1u);
  auto instance = loaded.plugin->NewInstance();
  ASSERT_TRUE(instance) << instance.error().message;
  EXPECT_EQ(count->On(*instance).value(), 1u);
  EXPECT_EQ(count->On(*instance).value(), 2u);
  EXPECT_EQ(instance->Call("count", "{}")->json, "3");
  EXPECT_FALSE(instance->poisoned());
  EXPECT_EQ(CodeOf(instance->Call("trap", "{}")), Code::kTrap);
  EXPECT_TRUE(instance->poisoned());
  EXPECT_EQ(CodeOf(count->On(*instance)), Code::kPoisoned);
}

TEST(Embed, AFunctionOfAnotherPluginDoesNotEnterAnInstance) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  cordon::LoadOptions load;
  load.grants = {"host:prices", "host:catalogue"};
  auto other = loaded.host->Load(shop::Guest(), load);
  ASSERT_TRUE(other);
  const auto count = loaded.plugin->Function<std::uint32_t()>("count");
  auto instance = other->NewInstance();
  ASSERT_TRUE(count && instance);
  EXPECT_EQ(CodeOf(count->On(*instance)), Code::kUsage);
}

TEST(Embed, FromMemoryIsAsFromAFile) {
  auto loaded = shop::Load();
  std::ifstream file(shop::Guest(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  cordon::LoadOptions load;
  load.grants = {"host:prices", "host:catalogue"};
  const auto plugin =
      loaded.host->LoadBytes("a shop", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, load);
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(plugin->digest(), loaded.plugin->digest());
  EXPECT_EQ(plugin->Call("add", R"({"a": 1, "b": 2})")->json, "3");
  EXPECT_EQ(CodeOf(loaded.host->LoadBytes("nothing", {})), Code::kNotWasm);
}

TEST(Embed, InspectShowsWhatLoadWouldRefuse) {
  auto loaded = shop::Load();
  const auto plugin = loaded.host->Inspect(shop::Guest());
  ASSERT_TRUE(plugin) << plugin.error().message;
  const cordon::Authority authority = plugin->authority();
  ASSERT_EQ(authority.imports.size(), 1u);
  EXPECT_EQ(authority.imports.front().state, cordon::ImportRuling::State::kNotLinked);
  EXPECT_EQ(authority.imports.front().grant, "host:prices");
  EXPECT_EQ(CodeOf(plugin->Call("add", R"({"a": 1, "b": 2})")), Code::kUsage);
  EXPECT_FALSE(plugin->Actions().empty());
}

TEST(Embed, ADeadlineInThePastRunsNothing) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  cordon::CallOptions past;
  past.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("spin", "{}", past)), Code::kTimeout);
  cordon::CallOptions none;
  none.timeout = std::chrono::nanoseconds(0);
  const auto count = loaded.plugin->Function<std::uint32_t()>("count");
  auto instance = loaded.plugin->NewInstance();
  ASSERT_TRUE(count && instance);
  EXPECT_EQ(CodeOf(count->On(*instance, none)), Code::kTimeout);
  EXPECT_EQ(count->On(*instance).value(), 1u) << "the instance was not entered, so it is not poisoned";
}

TEST(Embed, ALoopEndsWithTheDeadlineOfItsCall) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(20);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("spin", "{}", brief)), Code::kTimeout);
  const auto spin = loaded.plugin->Function<void()>("spin");
  ASSERT_TRUE(spin);
  EXPECT_EQ(CodeOf(spin->Call(brief)), Code::kTimeout);
}

TEST(Embed, CancellingEndsRunningCallsAndLaterOnes) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  cordon::CallOptions options;
  options.cancel = cordon::CancelToken::Make();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    options.cancel.Cancel();
  });
  EXPECT_EQ(CodeOf(loaded.plugin->Call("spin", "{}", options)), Code::kInterrupted);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("greet", R"({"name": "x"})", options)), Code::kInterrupted);
  const auto spin = loaded.plugin->Function<void()>("spin");
  EXPECT_EQ(CodeOf(spin->Call(options)), Code::kInterrupted);
}

TEST(Embed, AnUnloadedPluginSaysSo) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const cordon::Plugin copy = *loaded.plugin;
  const auto add = copy.Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  auto instance = copy.NewInstance();
  loaded.plugin->Unload();
  EXPECT_EQ(CodeOf(copy.Call("add", R"({"a": 1, "b": 2})")), Code::kUnavailable);
  EXPECT_EQ(CodeOf((*add)(1, 2)), Code::kUnavailable);
  EXPECT_EQ(CodeOf(add->On(*instance, 1, 2)), Code::kUnavailable);
  EXPECT_EQ(CodeOf(instance->Call("count", "{}")), Code::kUnavailable);
  EXPECT_EQ(CodeOf(copy.NewInstance()), Code::kUnavailable);
  EXPECT_EQ(copy.name(), "shop") << "it is still a value";
}

TEST(Embed, AfterShutdownNothingRunsAndNothingDangles) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const auto add = loaded.plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  ASSERT_TRUE(loaded.host->Shutdown());
  EXPECT_TRUE(loaded.host->Shutdown()) << "twice is once";
  EXPECT_EQ(CodeOf((*add)(1, 2)), Code::kUnavailable);
  EXPECT_EQ(CodeOf(loaded.host->Load(shop::Guest())), Code::kUnavailable);
  loaded.host = cordon::Fail(Code::kInternal, "gone");
  EXPECT_EQ(CodeOf(loaded.plugin->Call("add", R"({"a": 1, "b": 2})")), Code::kUnavailable);
}

TEST(Embed, AStringOfAGibibyteIsRefusedBeforeItIsCopied) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const std::string huge(std::size_t{1} << 30, 'x');
  const auto length = loaded.plugin->Function<std::uint32_t(std::string_view)>("length");
  ASSERT_TRUE(length);
  const auto refused = (*length)(huge);
  EXPECT_EQ(CodeOf(refused), Code::kInputSize);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("length", huge)), Code::kInputSize);
  EXPECT_EQ((*length)("four").value(), 4u);
}

TEST(Embed, TextThatIsNotUtf8DoesNotReachTheGuest) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const auto greet = loaded.plugin->Function<std::string(std::string_view)>("greet");
  EXPECT_FALSE((*greet)("\xff\xfe"));
  EXPECT_FALSE((*greet)(std::string(10'000, '\xc3')));
  EXPECT_TRUE((*greet)("\xc3\xa4"));
}

TEST(Embed, ManyThreadsCallOnePluginAtOnce) {
  HostOptions options;
  options.max_instances = 16;
  auto loaded = shop::Load(std::move(options));
  ASSERT_TRUE(loaded.plugin);
  const auto add = loaded.plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  const auto price = loaded.plugin->Function<std::optional<std::uint32_t>(std::string_view)>("price");
  ASSERT_TRUE(add && price);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          if ((*add)(t, i).value_or(-1) != t + i) ++wrong;
          if (i % 10 == 0 && (*price)("shoes").value_or(0) != 80u) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Embed, MoreCallsThanInstancesAreBusyNotBroken) {
  HostOptions options;
  options.max_instances = 1;
  auto loaded = shop::Load(std::move(options));
  ASSERT_TRUE(loaded.plugin);
  auto instance = loaded.plugin->NewInstance();
  ASSERT_TRUE(instance);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("count", "{}")), Code::kBusy);
}

TEST(Embed, ManyHostsLiveInOneProcess) {
  std::vector<shop::Loaded> hosts;
  for (int i = 0; i < 5; ++i) hosts.push_back(shop::Load());
  for (auto& one : hosts) EXPECT_EQ(one.plugin->Call("add", R"({"a": 20, "b": 22})")->json, "42");
  hosts.erase(hosts.begin());
  for (auto& one : hosts) EXPECT_EQ(one.plugin->Call("add", R"({"a": 20, "b": 22})")->json, "42");
}

TEST(Embed, OptionsThatMeanNothingAreErrors) {
  EXPECT_EQ(CodeOf(cordon::Host::Create({.config_file = "/nowhere/config.yaml"})), Code::kNotFound);
  EXPECT_EQ(CodeOf(cordon::Host::Create({.grants_file = "/nowhere/grants.yaml"})), Code::kNotFound);
  auto loaded = shop::Load();
  cordon::LoadOptions load;
  load.timeout = std::chrono::nanoseconds(0);
  EXPECT_EQ(CodeOf(loaded.host->Load(shop::Guest(), load)), Code::kRange);
  load = {};
  load.timeout = std::chrono::hours(1000);
  EXPECT_EQ(CodeOf(loaded.host->Load(shop::Guest(), load)), Code::kRange);
  load = {};
  load.grants = {"everything"};
  EXPECT_EQ(CodeOf(loaded.host->Load(shop::Guest(), load)), Code::kSyntax);
  EXPECT_EQ(CodeOf(loaded.host->Load("/nowhere.wasm")), Code::kNotFound);
}

TEST(Embed, TheEnvironmentOfTheProcessIsNotRead) {
  ::setenv("CORDON_PLUGINS_LIMITS_MEMORY", "1KiB", 1);
  ::setenv("CORDON_CONFIG", "/nowhere/config.yaml", 1);
  auto loaded = shop::Load();
  ::unsetenv("CORDON_PLUGINS_LIMITS_MEMORY");
  ::unsetenv("CORDON_CONFIG");
  ASSERT_TRUE(loaded.plugin) << loaded.plugin.error().message;
  EXPECT_EQ(loaded.plugin->limits().memory_bytes, 256u << 20);
}

TEST(Embed, CallsAreInTheAudit) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  ASSERT_TRUE(loaded.plugin->Call("greet", R"({"name": "Ada"})"));
  const auto records = loaded.audit->records();
  const auto is_call = [](const cordon::AuditRecord& record) { return record.event == "call"; };
  ASSERT_EQ(std::count_if(records.begin(), records.end(), is_call), 1);
  EXPECT_EQ(records.back().action, "greet");
  EXPECT_EQ(records.back().plugin, "shop");
}

class BrokenSink final : public cordon::AuditSink {
 public:
  cordon::Status Write(const cordon::AuditRecord&) override { throw std::runtime_error("disk full"); }
};

TEST(Embed, WhatCannotBeAuditedIsNotAllowed) {
  cordon::HostOptions options;
  options.audit = std::make_shared<BrokenSink>();
  options.compiler = HostOptions::Compiler::kInProcess;
  auto host = cordon::Host::Create(std::move(options));
  ASSERT_TRUE(host);
  EXPECT_EQ(CodeOf(host->Load(shop::Guest("bench"))), Code::kAuditUnavailable);
}

}  // namespace
