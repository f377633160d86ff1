// Programs that a plugin runs for an embedding program.
#include <gtest/gtest.h>

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

}  // namespace
