// Native plugins in an embedding program: who agrees to them, and who answers them.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using shop::CodeOf;

class Native : public testing::Test {
 protected:
  Native() {
    char name[] = "/tmp/cordon-embed-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::ofstream(folder_ / "config.yaml") << "plugins: { enabled: true, native: confirm }\n";
    fs::permissions(folder_ / "config.yaml", fs::perms::owner_read | fs::perms::owner_write);
    std::ofstream(folder_ / "plugin.yaml") << "manifest: 1\nname: acme/asks\nversion: 1.0.0\n"
                                              "runtime: { abi: native, artifact: asks }\nactions: { run: {} }\n";
    // Takes the answer out of the response, well enough.
    std::ofstream(folder_ / "asks")
        << "#!/bin/sh\nread -r init\n"
           "echo '{\"type\":\"prompt\",\"id\":1,\"message\":\"Who?\",\"default\":\"nobody\"}'\n"
           "read -r reply\nvalue=${reply##*\\\"value\\\":\\\"}\n"
           "echo \"{\\\"type\\\":\\\"output\\\",\\\"text\\\":\\\"${value%%\\\"*}\\\"}\"\n";
  }
  ~Native() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(Native, SomebodyAgreesAndAnswers) {
  cordon::HostOptions options;
  options.config_file = folder_ / "config.yaml";
  auto host = cordon::Host::Create(std::move(options));
  ASSERT_TRUE(host) << host.error().message;
  EXPECT_EQ(CodeOf(host->Load(folder_)), Code::kDenied);
  cordon::LoadOptions agreed;
  agreed.native = cordon::LoadOptions::Native::kConfirmed;
  auto plugin = host->Load(folder_, agreed);
  if (!plugin && plugin.error().code == Code::kUnavailable) GTEST_SKIP() << "skipped=" << plugin.error().message;
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(plugin->Call("run", "{}")->json, "\"nobody\"");
  cordon::CallOptions call;
  std::string asked;
  call.answer = [&](std::string_view question) -> std::optional<std::string> {
    asked = question;
    return "Ada";
  };
  EXPECT_EQ(plugin->Call("run", "{}", call)->json, "\"Ada\"");
  EXPECT_EQ(asked, "Who? [nobody]: ");
  call.answer = [](std::string_view) -> std::optional<std::string> {
    throw std::runtime_error("a fault of the program");
  };
  EXPECT_EQ(plugin->Call("run", "{}", call)->json, "\"nobody\"");
}

}  // namespace
