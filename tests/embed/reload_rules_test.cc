// What the operator changes while plugins are in service: grants for new code, and where it has to run.
#include <atomic>
#include <mutex>

#include "processes.h"
#include "shop.h"
#include "versions.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using processes::Soon;
using shop::CodeOf;

class ReloadRules : public ::testing::Test {
 protected:
  ReloadRules() : folder_(fs::temp_directory_path() / ("cordon-reload-rules-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
  }
  ~ReloadRules() override {
    host_.reset();
    fs::remove_all(folder_);
  }
  cordon::Host& HostWith(cordon::HostOptions options) {
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    auto host = cordon::Host::Create(std::move(options));
    EXPECT_TRUE(host) << host.error().message;
    return host_.emplace(std::move(*host));
  }

  const fs::path folder_;
  std::optional<cordon::Host> host_;
};

TEST_F(ReloadRules, NewCodeWaitsForItsGrantAndTheOldOneServesMeanwhile) {
  const auto write_plugin = [&](const std::string& version) {
    versions::Write(folder_ / "p/plugin.yaml",
                    "manifest: 1\nname: acme/shop\nversion: " + version +
                        "\nruntime: { abi: component, artifact: shop.wasm }\n"
                        "actions: { price: { export: acme:shop/till#price } }\n"
                        "permissions: { required: [{ host: [prices], reason: to sell }] }\n");
  };
  const auto write_grants = [&](const std::string& artifact, std::string_view manifest, const std::string& granted) {
    versions::Write(folder_ / "grants.yaml", "plugin: acme/shop\nartifact: \"" + artifact + "\"\nmanifest: \"" +
                                                 std::string(manifest) + "\"\ngranted: [" + granted + "]\n");
  };
  fs::create_directories(folder_ / "p");
  fs::copy_file(shop::Guest(), folder_ / "p/shop.wasm");
  write_plugin("1.0.0");
  const std::string none = "sha256:" + std::string(64, '0');
  write_grants(none, none, "");
  cordon::HostOptions options;
  options.grants_file = folder_ / "grants.yaml";
  HostWith(options);
  ASSERT_TRUE(host_->Register(shop::PricesWith([] { return 80u; })));
  const auto refusal = host_->Deploy(folder_ / "p");
  ASSERT_EQ(CodeOf(refusal), Code::kChanged);
  const std::string artifact = [&] {
    cordon::Host looking = *cordon::Host::Create();
    return looking.Inspect(folder_ / "p")->digest();
  }();
  write_grants(artifact, none, "\"host:prices\"");
  const std::string first(host_->Deploy(folder_ / "p").error().Detail("now"));
  write_grants(artifact, first, "\"host:prices\"");
  const auto deployed = host_->Deploy(folder_ / "p");
  ASSERT_TRUE(deployed) << deployed.error().message;

  std::mutex mutex;
  std::vector<cordon::Reload> told;
  ASSERT_TRUE(host_->Watch({.interval = std::chrono::milliseconds(20), .told = [&](const cordon::Reload& reload) {
                              const std::lock_guard lock(mutex);
                              told.push_back(reload);
                            }}));
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return told.size();
  };
  const auto price = [&] { return deployed->Call("price", R"({"article": "shoes"})"); };
  std::atomic<bool> stop = false;
  std::jthread calling([&] {
    while (!stop) {
      const auto answer = price();
      EXPECT_TRUE(answer) << answer.error().message;
    }
  });
  write_plugin("2.0.0");
  ASSERT_TRUE(Soon([&] { return count() == 1; }));
  ASSERT_EQ(CodeOf(told[0].outcome), Code::kChanged);
  const std::string second(told[0].outcome.error().Detail("now"));
  write_grants(artifact, second, "\"host:prices\"");
  ASSERT_TRUE(Soon([&] { return count() == 2; }));
  ASSERT_TRUE(told[1].outcome) << told[1].outcome.error().message;
  EXPECT_EQ(told[1].outcome->version, "2.0.0");
  stop = true;
  calling.join();

  // What is taken back is gone at once, new version or not.
  write_grants(artifact, second, "");
  EXPECT_TRUE(Soon([&] { return !price(); }));
  EXPECT_EQ(CodeOf(price()), Code::kDenied);
  EXPECT_TRUE(Soon([&] { return count() == 3; }));
  EXPECT_EQ(CodeOf(told[2].outcome), Code::kDenied);
  write_grants(artifact, second, "\"host:prices\"");
  EXPECT_TRUE(Soon([&] { return price().has_value(); }));
}

// Code that has to run apart by now does not go on in this process, whether its new place is there or not.
TEST_F(ReloadRules, APlaceThatIsDemandedLaterIsTakenOrNothingRuns) {
  versions::WritePlugin(folder_ / "p", "acme/p", 1);
  const auto configure = [&](const std::string& isolation) {
    versions::Write(folder_ / "config.yaml", "plugins:\n  enabled: true\n  isolation: " + isolation + "\n");
  };
  for (const char* worker : {"", "/bin/false"}) {
    configure("{ enabled: false }");
    cordon::HostOptions options;
    options.config_file = folder_ / "config.yaml";
    options.worker_path = worker;
    HostWith(options);
    auto plain = std::optional(host_->Load(folder_ / "p"));
    ASSERT_TRUE(*plain);
    auto deployed = std::optional(*host_->Deploy(folder_ / "p"));
    EXPECT_TRUE(processes::Keepers().empty());
    configure("{ force: [acme/p] }");
    const auto reloads = host_->ReloadAll();
    ASSERT_TRUE(reloads) << reloads.error().message;
    ASSERT_EQ(reloads->size(), 1u);
    const auto answer = deployed->Call("which", "{}");
    if (*worker == '\0') {
      EXPECT_TRUE((*reloads)[0].outcome);
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(processes::Workers().size(), 1u);
    } else {
      EXPECT_EQ(CodeOf((*reloads)[0].outcome), Code::kUnavailable);
      ASSERT_EQ(CodeOf(answer), Code::kDenied);
      EXPECT_EQ(answer.error().Detail("rule"), "isolation");
    }
    EXPECT_EQ(CodeOf((*plain)->Call("which", "{}")), Code::kDenied);
    plain.reset();
    deployed.reset();
    host_.reset();
    EXPECT_TRUE(Soon([] { return processes::Keepers().empty(); }));
  }
}

TEST_F(ReloadRules, ARiskThatIsTooHighByNowEndsThePlugin) {
  fs::copy_file(shop::Guest(), folder_ / "shop.wasm");
  versions::Write(folder_ / "policy.yaml", "allow: [host, environment, clock, random, stdio, log]\n");
  cordon::HostOptions options;
  options.policy_file = folder_ / "policy.yaml";
  HostWith(options);
  ASSERT_TRUE(host_->Register(shop::Prices()));
  auto plugin = host_->Load(folder_ / "shop.wasm", {.grants = {"host:prices", "host:catalogue"}});
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_TRUE(plugin->Call("price", R"({"article": "shoes"})"));
  versions::Write(folder_ / "policy.yaml", "risk: low\nallow: [host, environment, clock, random, stdio, log]\n");
  EXPECT_TRUE(host_->ReloadAll());
  const auto answer = plugin->Call("price", R"({"article": "shoes"})");
  ASSERT_EQ(CodeOf(answer), Code::kDenied);
  EXPECT_EQ(answer.error().Detail("rule"), "ceiling:risk");
}

}  // namespace
