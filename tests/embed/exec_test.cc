// Programs that a plugin runs for an embedding program.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "shop.h"

namespace {

using cordon::Code;

constexpr char kRun[] = "cordon:exec-guest/exec@0.1.0#run";

std::string Input(std::string_view program, std::string_view arguments) {
  return R"({"program": ")" + std::string(program) + R"(", "arguments": )" + std::string(arguments) +
         R"(, "directory": null, "input": "", "timeout-ms": null})";
}

TEST(Exec, APluginRunsTheProgramsOfItsLoad) {
  auto host = cordon::Host::Create();
  ASSERT_TRUE(host.has_value());
  auto plugin =
      host->Load(shop::Guest("exec"), {.grants = {"exec:say <re:[a-z]+>"}, .programs = {{"say", "/usr/bin/echo"}}});
  ASSERT_TRUE(plugin.has_value()) << plugin.error().message;
  auto answer = plugin->Call(kRun, Input("say", R"(["hello"])"));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_NE(answer->json.find(R"("stdout":"hello\n")"), std::string::npos) << answer->json;
  answer = plugin->Call(kRun, Input("say", R"(["Hello"])"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->json, R"({"err":"access-denied not-requested"})");
}

TEST(Exec, WhatIsNotThereOrInterpretsIsRefused) {
  auto host = cordon::Host::Create();
  ASSERT_TRUE(host.has_value());
  auto plugin = host->Load(shop::Guest("exec"), {.grants = {"exec:say <re:.*>"}, .programs = {{"say", "/bin/sh"}}});
  ASSERT_FALSE(plugin.has_value());
  EXPECT_EQ(plugin.error().code, Code::kGrantTooWide);
  plugin = host->Load(shop::Guest("exec"), {.grants = {"exec:say"}, .programs = {{"../say", "/usr/bin/echo"}}});
  ASSERT_FALSE(plugin.has_value());
  EXPECT_EQ(plugin.error().code, Code::kName);
}

// Whether a process has this among its arguments.
bool Lives(const std::string& mark) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.starts_with("sleep") && text.find(mark) != std::string::npos) return true;
  }
  return false;
}

TEST(Exec, attack_114_AProgramEndsWithTheCallThatWasCancelled) {
  auto host = cordon::Host::Create();
  ASSERT_TRUE(host.has_value());
  const std::string seconds = "29" + std::to_string(::getpid());
  auto plugin = host->Load(shop::Guest("exec"), {.grants = {"exec:sleep " + seconds}});
  ASSERT_TRUE(plugin.has_value()) << plugin.error().message;
  cordon::CallOptions options;
  options.cancel = cordon::CancelToken::Make();
  std::thread calling([&] {
    auto answer = plugin->Call(kRun, Input("sleep", "[\"" + seconds + "\"]"), options);
    EXPECT_EQ(answer.error().code, Code::kInterrupted);
  });
  const auto settles = [&](bool lives) {
    for (int tries = 0; tries < 200 && Lives(seconds) != lives; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return Lives(seconds) == lives;
  };
  EXPECT_TRUE(settles(true));
  options.cancel.Cancel();
  calling.join();
  EXPECT_TRUE(settles(false));
}

}  // namespace
