// Functions of the embedding program for plugins that were written for Extism.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "shop.h"

namespace {

using cordon::Code;
using shop::CodeOf;

cordon::Service User() {
  cordon::Service user("extism:host/user");
  user.Function("price_of", cordon::Needs("prices"),
                [](const cordon::ServiceCall&, std::string article) -> cordon::Result<std::uint32_t> {
                  if (article == "secret") return cordon::Fail(Code::kUnavailable, "not today");
                  return article == "shoes" ? 80u : 0u;
                });
  user.Function(
      "announce", cordon::Needs("prices"),
      [](const cordon::ServiceCall& call, std::string text, std::uint32_t times) {
        return text + " of " + std::string(call.plugin()) + std::string(times, '!');
      },
      cordon::Runs::kInline);
  return user;
}

struct Loaded {
  std::shared_ptr<cordon::AuditMemory> audit = cordon::AuditMemory::Make();
  std::optional<cordon::Host> host;
  cordon::Result<cordon::Plugin> plugin = cordon::Fail(Code::kInternal, "not loaded");
};

Loaded Load(std::vector<std::string> grants, bool registered = true) {
  Loaded loaded;
  cordon::HostOptions options;
  options.audit = loaded.audit;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  loaded.host = *cordon::Host::Create(std::move(options));
  if (registered) {
    EXPECT_TRUE(loaded.host->Register(User()));
  }
  loaded.plugin = loaded.host->Load(shop::Guest("extism_shop"), {.grants = std::move(grants)});
  return loaded;
}

TEST(Extism, ItsHostFunctionsAreAServiceOfYours) {
  Loaded loaded = Load({"host:prices"});
  ASSERT_TRUE(loaded.plugin) << loaded.plugin.error().message;
  EXPECT_EQ(loaded.plugin->Call("price_of", R"("shoes")")->json, "80");
  EXPECT_EQ(loaded.plugin->Call("announce", R"("sale")")->json, R"("sale of extism_shop!!")");
  EXPECT_EQ(loaded.plugin->Call("price_of", R"("hats")")->json, R"({"err":{"code":1,"message":"hats"}})");
  const auto records = loaded.audit->records();
  EXPECT_EQ(std::ranges::count(records, "extism:host/user#price_of", &cordon::AuditRecord::target), 2);
  EXPECT_EQ(std::ranges::count(records, "extism:host/user#announce", &cordon::AuditRecord::target), 1);
}

TEST(Extism, AnErrorOfYoursEndsTheCallAndNoText) {
  Loaded loaded = Load({"host:prices"});
  ASSERT_TRUE(loaded.plugin);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("price_of", R"("secret")")), Code::kUnavailable);
  const auto by_type = loaded.plugin->Function<std::string(std::string)>("price_of");
  EXPECT_EQ(CodeOf(by_type), Code::kType) << "it takes bytes";
}

TEST(Extism, WhatNobodyRegisteredIsNamedWithItsType) {
  const Loaded loaded = Load({"host:prices"}, false);
  ASSERT_EQ(CodeOf(loaded.plugin), Code::kLink);
  const cordon::Error& error = loaded.plugin.error();
  ASSERT_EQ(error.causes.size(), 2u);
  EXPECT_EQ(error.causes[0].Detail("import"), "extism:host/user.price_of");
  EXPECT_EQ(error.causes[0].Detail("type"), "(i64) -> i32");
  EXPECT_EQ(error.causes[1].Detail("type"), "(i64, i32) -> i64");
}

TEST(Extism, WithoutTheGrantTheyAreNotThere) {
  const Loaded loaded = Load({});
  ASSERT_EQ(CodeOf(loaded.plugin), Code::kLink);
  EXPECT_EQ(loaded.plugin.error().causes.at(0).Detail("grant"), "host:prices");
}

TEST(Extism, AsManyLiveAtOnceAsComponentsThoughEachHasTwoMemories) {
  constexpr std::uint32_t kLive = 64;
  cordon::HostOptions options;
  options.max_instances = kLive;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  auto host = cordon::Host::Create(std::move(options));
  ASSERT_TRUE(host && host->Register(User()));
  auto plugin = host->Load(shop::Guest("extism_shop"), {.grants = {"host:prices"}});
  ASSERT_TRUE(plugin);
  std::vector<cordon::Instance> held;
  for (std::uint32_t i = 0; i < kLive; ++i) {
    auto instance = plugin->NewInstance();
    ASSERT_TRUE(instance) << i << ": " << instance.error().message;
    EXPECT_EQ(instance->Call("price_of", R"("shoes")")->json, "80");
    held.push_back(std::move(*instance));
  }
}

TEST(Extism, ItsEnvironmentIsNotYoursToOffer) {
  auto host = cordon::Host::Create();
  EXPECT_EQ(CodeOf(host->Register(cordon::Service("extism:host/env"))), Code::kName);
}

TEST(Extism, AChannelOfZeroclawIsAChannelOfTheHost) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("cordon-channel-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(shop::Guest("zeroclaw_extism"), folder / "guest.wasm");
  std::ofstream(folder / "plugin.yaml") << R"(manifest: 1
name: acme/chat
version: 1.0.0
runtime: { abi: extism, artifact: guest.wasm }
provides: { channels: [chat] }
permissions:
  optional:
    - messaging: { channel: news, access: send }
    - context: [user, session, agent]
    - memory: { access: store, scope: agent }
    - memory: { access: recall, scope: agent }
    - memory: { access: forget, scope: agent }
    - call: ["acme/b#*"]
    - exec: { program: "true" }
)";
  auto host = *cordon::Host::Create({});
  const auto plugin = host.Load(folder, {.grants = {"msg:send:news"}});
  ASSERT_TRUE(plugin) << plugin.error().message;
  const std::string body = R"({"recipient":"bob","message":"hi"})";
  ASSERT_TRUE(host.Send("chat", {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}));
  const auto relayed = host.Relay("chat", *plugin);
  ASSERT_TRUE(relayed) << relayed.error().message;
  EXPECT_EQ(relayed->sent, 1u);
  EXPECT_EQ(relayed->failed, 0u);
  EXPECT_EQ(relayed->heard, 2u);
  const auto news = host.Receive("news", 10);
  ASSERT_TRUE(news && news->size() == 1);
  EXPECT_EQ(news->front().sender, "acme/chat");
  EXPECT_EQ(host.Receive("chat.in", 10)->size(), 2u);
  EXPECT_EQ(CodeOf(host.Relay("other", *plugin)), Code::kInvalid);
  std::filesystem::remove_all(folder);
}

// What is taken back from a plugin of zeroclaw's is gone with its next question.
TEST(Extism, WhatIsRevokedIsGoneFromZeroclawsFunctions) {
  auto host = *cordon::Host::Create({});
  const auto plugin = host.Load(
      shop::Guest("zeroclaw_extism"),
      {.grants = {"memory:store:agent", "memory:recall:agent", "memory:forget:agent", "msg:send:alerts",
                  "msg:send:news", "call:acme/b#lookup", "exec:true", "ctx:user", "ctx:agent", "ctx:session"}});
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_NE(plugin->Call("channels", "{}")->json.find(R"([\"alerts\",\"news\"])"), std::string::npos);
  const std::string message = R"({"channel":"alerts","recipient":"bob","message":"hi"})";
  EXPECT_NE(plugin->Call("announce", message)->json.find("sent"), std::string::npos);
  ASSERT_TRUE(plugin->Revoke("msg:send:alerts"));
  EXPECT_NE(plugin->Call("channels", "{}")->json.find(R"([\"news\"])"), std::string::npos);
  EXPECT_NE(plugin->Call("announce", message)->json.find("E_DENIED"), std::string::npos);
}

// A program that answers a function of zeroclaw by itself is asked in place of Cordon's services.
TEST(Extism, ANameOfZeroclawsThatYouRegisterIsYours) {
  cordon::Service user("extism:host/user");
  user.Function("context_session", cordon::Needs("sessions"),
                [](const cordon::ServiceCall&, std::string) { return std::string(R"({"channel_name":"own"})"); });
  auto host = *cordon::Host::Create({});
  ASSERT_TRUE(host.Register(std::move(user)));
  std::vector<std::string> grants = {"memory:store:agent", "memory:recall:agent", "memory:forget:agent",
                                     "msg:send:alerts",    "call:acme/b#lookup",  "exec:true",
                                     "ctx:user",           "ctx:agent",           "ctx:session"};
  EXPECT_EQ(CodeOf(host.Load(shop::Guest("zeroclaw_extism"), {.grants = grants})), Code::kLink);
  grants.push_back("host:sessions");
  const auto plugin = host.Load(shop::Guest("zeroclaw_extism"), {.grants = grants});
  ASSERT_TRUE(plugin) << plugin.error().message;
  cordon::CallOptions call;
  call.principal = {.user = "alice", .session = "s-1", .agent = "helper"};
  const std::string told = plugin->Call("whoami", "{}", call)->json;
  EXPECT_NE(told.find(R"(\"channel_name\":\"own\")"), told.npos) << told;
  EXPECT_NE(told.find(R"(\"username\":\"alice\")"), told.npos) << told;
}

}  // namespace
