// Plugins that call each other in one host.
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <set>
#include <thread>

#include "residents.h"

namespace {

using cordon::Code;
namespace fs = std::filesystem;

constexpr char kActions[] =
    R"(actions: { ask: {export: "cordon:tools-guest/relay@0.1.0#ask"},
  who: {export: "cordon:tools-guest/relay@0.1.0#who"},
  look: {export: "cordon:tools-guest/relay@0.1.0#look"},
  spin: {export: "cordon:tools-guest/relay@0.1.0#spin"}, echo: {export: "cordon:tools-guest/relay@0.1.0#echo"} })";

class Tools : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("cordon-tools-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    auto host = cordon::Host::Create();
    ASSERT_TRUE(host.has_value());
    host_.emplace(std::move(*host));
  }
  void TearDown() override { fs::remove_all(folder_); }

  cordon::Plugin Load(const std::string& name, std::vector<std::string> grants = {}, std::string_view provides = "{}") {
    const fs::path folder = folder_ / name;
    fs::create_directories(folder);
    fs::copy_file(shop::Guest("tools"), folder / "guest.wasm", fs::copy_options::overwrite_existing);
    std::ofstream(folder / "plugin.yaml")
        << "manifest: 1\nname: acme/" << name << "\nversion: 1.0.0\nruntime: {abi: component, artifact: guest.wasm}\n"
        << kActions << "\npermissions: {optional: [{storage: {bucket: kept, access: "
        << "write}}, {call: [\"acme/a#*\", \"acme/b#*\"]}]}\nprovides: " << provides << "\n";
    auto plugin = host_->Load(folder, {.grants = std::move(grants)});
    EXPECT_TRUE(plugin.has_value()) << plugin.error().message;
    return *plugin;
  }

  static std::string Ask(const cordon::Plugin& plugin, const std::string& action) {
    auto answer = plugin.Call("ask", R"({"action": ")" + action + R"(", "input": "{}"})");
    return answer ? answer->json : std::string(cordon::CodeName(answer.error().code));
  }

  fs::path folder_;
  std::optional<cordon::Host> host_;
};

TEST_F(Tools, APluginCallsWhatTheHostHasLoaded) {
  const auto a = Load("a", {"call:acme/b#*"});
  EXPECT_EQ(Ask(a, "acme/b#who"), R"({"err":"E_NOT_FOUND the plugin acme/b is not loaded"})");
  {
    const auto b = Load("b");
    EXPECT_EQ(Ask(a, "acme/b#who"), R"({"ok":"[\"acme/a\"]"})");
  }
  // Nobody holds it any more.
  EXPECT_EQ(Ask(a, "acme/b#who"), R"({"err":"E_NOT_FOUND the plugin acme/b is not loaded"})");
}

// Calls that wait for their turn at a resident, on stacks that share one thread with each other.
TEST_F(Tools, ManyCallsAskAResidentAtOnce) {
  cordon::HostOptions options;
  options.threads = 1;
  host_.emplace(*residents::HostWith(std::move(options)));
  const residents::Folder folder;
  const auto b = residents::Load(*host_, folder.Plugin("", "resident", "b"));
  ASSERT_TRUE(b) << b.error().message;
  const auto a = Load("a", {"call:acme/b#*"});
  std::vector<std::future<cordon::Result<cordon::Answer>>> answers;
  constexpr int kAtOnce = 8;  // one more might be E_BUSY
  for (int i = 0; i < kAtOnce; ++i) {
    answers.push_back(a.Submit("ask", R"({"action": "acme/b#add", "input": "{\"n\": 1}"})"));
  }
  std::set<std::string> sums;
  for (auto& one : answers) {
    const auto answer = one.get();
    ASSERT_TRUE(answer) << answer.error().message;
    sums.insert(answer->json);
  }
  EXPECT_EQ(sums.size(), std::size_t{kAtOnce}) << "each was counted once: " << testing::PrintToString(sums);
  EXPECT_TRUE(sums.contains(R"({"ok":"8"})"));
}

TEST_F(Tools, attack_168_WhatIsUnloadedOrLoadedAnewIsNotRunTwice) {
  const auto a = Load("a", {"call:acme/b#*", "kv:write:kept"});
  auto b = Load("b", {"kv:write:kept"});
  std::string answer;
  std::thread asking([&] {
    cordon::CallOptions options;
    options.timeout = std::chrono::milliseconds(1500);
    auto asked = a.Call("ask", R"({"action": "acme/b#spin", "input": "{}"})", options);
    answer = asked ? asked->json : std::string(cordon::CodeName(asked.error().code));
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  b.Unload();
  EXPECT_EQ(Ask(a, "acme/b#who"), R"({"err":"E_NOT_FOUND the plugin acme/b is not loaded"})");
  const auto again = Load("b", {"kv:write:kept"});
  EXPECT_EQ(Ask(a, "acme/b#who"), R"({"ok":"[\"acme/a\"]"})");
  asking.join();
  EXPECT_EQ(answer, "E_TIMEOUT");
}

TEST_F(Tools, attack_168_ACalleeThatIsReloadedInTheMiddleRanOnce) {
  const auto a = Load("a", {"call:acme/b#*"});
  Load("b").Unload();  // its folder
  const auto b = host_->Deploy(folder_ / "b", {.grants = {"kv:write:kept"}});
  ASSERT_TRUE(b) << b.error().message;
  std::string answer;
  std::thread asking([&] {
    cordon::CallOptions options;
    options.timeout = std::chrono::milliseconds(1500);
    auto asked = a.Call("ask", R"({"action": "acme/b#spin", "input": "{}"})", options);
    answer = asked ? asked->json : std::string(cordon::CodeName(asked.error().code));
  });
  const auto count = [&] { return b->Call("look", R"({"key": "count"})")->json; };
  for (int i = 0; i < 500 && count() != R"({"ok":"1"})"; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const auto reloaded = b->Reload();
  EXPECT_TRUE(reloaded) << reloaded.error().message;
  EXPECT_EQ(Ask(a, "acme/b#who"), R"({"ok":"[\"acme/a\"]"})") << "the new version answers meanwhile";
  asking.join();
  EXPECT_EQ(answer, "E_TIMEOUT") << "the call went on, on the old one";
  EXPECT_EQ(count(), R"({"ok":"1"})");
}

TEST_F(Tools, attack_164_ManyThatWaitLeaveRoomForThoseThatAnswer) {
  const auto a = Load("a", {"call:acme/b#*"});
  const auto b = Load("b");
  std::atomic<int> answered{0}, busy{0}, others{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 24; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        const std::string answer = Ask(a, "acme/b#who");
        ++(answer.find("acme/a") != std::string::npos   ? answered
           : answer.find("E_BUSY") != std::string::npos ? busy
                                                        : others);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(others, 0);
  EXPECT_GT(answered, 8);
  EXPECT_EQ(answered + busy, 120);
}

TEST_F(Tools, AHookIsCalledInEachPluginThatProvidesIt) {
  const auto a = Load("a", {}, "{hooks: [who, spin]}");
  const auto b = Load("b", {}, "{hooks: [who]}");
  const auto c = Load("c");
  auto answers = host_->Dispatch("who", "{}");
  ASSERT_TRUE(answers.has_value()) << answers.error().message;
  ASSERT_EQ(answers->size(), 2u);
  EXPECT_EQ((*answers)[0].plugin, "acme/a");
  EXPECT_EQ((*answers)[0].answer->json, "[]");
  EXPECT_EQ((*answers)[1].plugin, "acme/b");
  // One that fails is an answer too; an action that nobody registered is no hook.
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(100);
  answers = host_->Dispatch("spin", "{}", brief);
  ASSERT_EQ(answers->size(), 1u);
  EXPECT_EQ((*answers)[0].answer.error().code, Code::kTimeout);
  EXPECT_TRUE(host_->Dispatch("echo", R"({"text": "x"})")->empty());
  b.Unload();
  EXPECT_EQ(host_->Dispatch("who", "{}")->size(), 1u);
  const auto again = Load("a");  // anew, and without the hook
  EXPECT_TRUE(host_->Dispatch("who", "{}")->empty());
  ASSERT_TRUE(host_->Shutdown().has_value());
  EXPECT_EQ(host_->Dispatch("who", "{}").error().code, Code::kUnavailable);
}

TEST_F(Tools, ACommandIsExactlyThePathThatIsDeclared) {
  const auto a = Load("a", {}, "{commands: {notes.echo: echo, notes.who.now: who}}");
  const auto b = Load("b", {}, "{commands: {other: who}}");
  const auto commands = host_->Commands();
  ASSERT_EQ(commands.size(), 3u);
  EXPECT_EQ(commands[0].path + " " + commands[0].action + " " + commands[0].plugin, "notes.echo echo acme/a");
  EXPECT_EQ(commands[2].path, "other");
  EXPECT_EQ(host_->CallCommand("notes.echo", R"({"text": "x"})")->json, R"("x")");
  EXPECT_EQ(host_->CallCommand("notes.who.now", "{}")->json, "[]");
  for (const char* path : {"notes", "notes.who", "echo", "notes.echo.x", "", "notes.echo\n"}) {
    EXPECT_EQ(host_->CallCommand(path, "{}").error().code, Code::kNotFound) << path;
  }
  const auto c = Load("c", {}, "{commands: {other: who}}");
  EXPECT_EQ(host_->CallCommand("other", "{}").error().code, Code::kInvalid);
  c.Unload();
  EXPECT_TRUE(host_->CallCommand("other", "{}"));
}

TEST_F(Tools, ARecordedPluginDoesNotTakeThePlaceOfTheLoadedOne) {
  const auto a = Load("a", {"call:acme/b#who"});
  const auto b = Load("b", {}, "{hooks: [who]}");
  const auto recorded = host_->Record(folder_ / "b", "who", "{}");
  ASSERT_TRUE(recorded) << recorded.error().message;
  EXPECT_TRUE(host_->Replay(recorded->fixture));
  EXPECT_NE(Ask(a, "acme/b#who").find("acme/a"), std::string::npos);
  EXPECT_EQ(host_->Dispatch("who", "{}")->size(), 1u);
}

TEST_F(Tools, AServiceIsOnePlugins) {
  const auto a = Load("a", {}, "{services: [echo]}");
  EXPECT_EQ(host_->CallService("echo", R"({"text": "x"})")->json, R"("x")");
  EXPECT_EQ(host_->CallService("who", "{}").error().code, Code::kNotFound);
  const auto b = Load("b", {}, "{services: [echo]}");
  EXPECT_EQ(host_->CallService("echo", R"({"text": "x"})").error().code, Code::kInvalid);
  a.Unload();
  EXPECT_EQ(host_->CallService("echo", R"({"text": "x"})")->json, R"("x")");
}

}  // namespace
