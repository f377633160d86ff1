// Security levels and policies, as a program that embeds Cordon sets them.
#include <unistd.h>

#include <fstream>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using cordon::Level;
using shop::CodeOf;

class Levels : public ::testing::Test {
 protected:
  Levels() : file_(fs::temp_directory_path() / ("cordon-policy-" + std::to_string(::getpid()) + ".yaml")) {}
  ~Levels() override { fs::remove(file_); }

  cordon::Result<cordon::Host> HostWith(std::string_view policy) {
    cordon::HostOptions options;
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    if (!policy.empty()) {
      std::ofstream(file_) << policy;
      options.policy_file = file_;
    }
    return cordon::Host::Create(options);
  }
  static cordon::LoadOptions At(Level level) {
    cordon::LoadOptions options;
    options.level = level;
    return options;
  }
  // Pinned to its bytes, as level strict wants it.
  std::string Pin() {
    const auto looked = HostWith("")->Inspect(shop::Guest("core_math"));
    return "plugins:\n  '" + looked->digest() + "': { allow: [clock, random, stdio, log] }\n";
  }
  fs::path file_;
};

TEST_F(Levels, WhatThisBuildCannotEnforceDoesNotLoad) {
  auto host = HostWith("");
  EXPECT_TRUE(host->Load(shop::Guest("core_math"), At(Level::kDefault)));
  EXPECT_EQ(CodeOf(host->Load(shop::Guest("core_math"), At(Level::kStrict))), Code::kUnenforceable);
  EXPECT_EQ(CodeOf(host->Load(shop::Guest("core_math"), At(Level::kParanoid))), Code::kUnenforceable);
}

TEST_F(Levels, StrictGivesEachCallAnInstanceOfItsOwn) {
  auto host = HostWith(Pin());
  auto plugin = host->Load(shop::Guest("core_math"), At(Level::kStrict));
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(CodeOf(plugin->NewInstance()), Code::kDenied);
  EXPECT_TRUE(host->Load(shop::Guest("core_math"), At(Level::kDefault))->NewInstance());
}

TEST_F(Levels, ParanoidRunsInAProcessOfItsOwnOrNotAtAll) {
  auto host = HostWith(Pin());
  auto plugin = host->Load(shop::Guest("core_math"), At(Level::kParanoid));
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(plugin->Call("add", R"({"p0": 40, "p1": 2})")->json, "42");
  EXPECT_EQ(CodeOf(plugin->NewInstance()), Code::kDenied) << "a fresh one for each call";
  // Where there are no workers it does not run in a weaker place.
  cordon::HostOptions options;
  options.policy_file = file_;
  options.placement = cordon::HostOptions::Placement::kInProcess;
  options.worker_path = "/nonexistent/cordon-worker";
  auto without = cordon::Host::Create(std::move(options));
  ASSERT_TRUE(without);
  EXPECT_EQ(CodeOf(without->Load(shop::Guest("core_math"), At(Level::kParanoid))), Code::kUnavailable);
  EXPECT_TRUE(without->Load(shop::Guest("core_math"), At(Level::kStrict)));
}

TEST_F(Levels, APolicyThatCannotBeReadStopsTheHost) {
  EXPECT_EQ(CodeOf(HostWith("allow: [nothing:at-all]\n")), Code::kSyntax);
  cordon::HostOptions options;
  options.policy_file = "/nonexistent/policy.yaml";
  EXPECT_EQ(CodeOf(cordon::Host::Create(options)), Code::kNotFound);
}

TEST_F(Levels, APolicyTakesWhatIsOnByDefault) {
  auto host = HostWith("allow: [log]\n");
  const auto plugin = host->Inspect(shop::Guest("core_math"));
  ASSERT_TRUE(plugin);
  for (const cordon::Ruling& ruling : plugin->authority().rulings) {
    EXPECT_EQ(ruling.effective.empty(), ruling.capability != "log") << ruling.capability << " " << ruling.rule;
  }
}

}  // namespace
