// Grants that end: used up, out of time, taken back while a guest runs.
#include <unistd.h>

#include <fstream>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using shop::CodeOf;

class Revoke : public ::testing::Test {
 protected:
  Revoke() : folder_(fs::temp_directory_path() / ("cordon-revoke-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / "plugin");
    fs::create_directories(folder_ / "state");
    for (const char* name : {"", "plugin", "state"}) fs::permissions(folder_ / name, fs::perms::owner_all);
    fs::copy_file(shop::Guest(), folder_ / "plugin" / "shop.wasm");
    Write("plugin/plugin.yaml",
          "manifest: 1\nname: acme/shop\nversion: 1.0.0\nruntime:\n  abi: component\n  artifact: shop.wasm\n"
          "actions:\n  ask: { export: acme:shop/till#ask-often }\n  price: { export: acme:shop/till#price }\n"
          "permissions:\n  required:\n    - host: [prices]\n      reason: to sell\n");
  }
  ~Revoke() override { fs::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  // Of a service that runs `at_second` when it is asked for the second time.
  cordon::Host HostWith(std::function<void()> at_second, cordon::HostOptions options = {}) {
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    options.audit = audit_;
    auto host = cordon::Host::Create(options);
    EXPECT_TRUE(host) << host.error().message;
    auto prices = shop::PricesWith([this, at_second = std::move(at_second)]() -> std::optional<std::uint32_t> {
      if (++asked_ == 2 && at_second) at_second();
      return 80;
    });
    EXPECT_TRUE(host->Register(std::move(prices)));
    return std::move(*host);
  }
  std::string LastRule() const {
    const auto records = audit_->records();
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
      if (!record->rule.empty()) return record->rule;
    }
    return "";
  }

  const fs::path folder_;
  std::shared_ptr<cordon::AuditMemory> audit_ = cordon::AuditMemory::Make();
  int asked_ = 0;
};

TEST_F(Revoke, ItTakesEffectOnTheNextHostCallOfARunningInstance) {
  std::optional<cordon::Plugin> plugin;
  cordon::Host host = HostWith([&] { EXPECT_TRUE(plugin->Revoke("host:prices")); });
  auto loaded = host.Load(folder_ / "plugin", {.grants = {"host:prices"}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  plugin.emplace(*loaded);
  const auto answer = plugin->Call("ask", R"({"times": 10})");
  EXPECT_EQ(CodeOf(answer), Code::kDenied);
  EXPECT_EQ(asked_, 2);
  EXPECT_EQ(LastRule(), "revoked");
  EXPECT_EQ(CodeOf(plugin->Call("price", R"({"article": "shoes"})")), Code::kDenied);
  EXPECT_EQ(plugin->Revoke("prices").error().code, Code::kSyntax);
}

TEST_F(Revoke, AFileThatChangesIsSeenByWhatRuns) {
  const auto plugin_of = [&](cordon::Host& host) { return host.Load(folder_ / "plugin"); };
  const auto digest = [&] {
    cordon::Host host = HostWith({});
    auto plugin = host.Inspect(folder_ / "plugin");
    return plugin->digest();
  }();
  const auto manifest = [&] {
    // The digest of the manifest is what E_CHANGED names.
    Write("grants.yaml", "plugin: acme/shop\nartifact: \"" + digest + "\"\ngranted: []\n");
    cordon::HostOptions options;
    options.grants_file = folder_ / "grants.yaml";
    cordon::Host host = HostWith({}, options);
    return std::string(plugin_of(host).error().Detail("now"));
  }();
  const std::string head = "plugin: acme/shop\nartifact: \"" + digest + "\"\nmanifest: \"" + manifest + "\"\n";
  Write("grants.yaml", head + "granted: [\"host:prices\"]\n");
  cordon::HostOptions options;
  options.grants_file = folder_ / "grants.yaml";
  cordon::Host host = HostWith(
      [&] {
        Write("grants.yaml", head + "granted: []\n");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // it is looked at again within a millisecond or so
      },
      options);
  auto plugin = plugin_of(host);
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(CodeOf(plugin->Call("ask", R"({"times": 10})")), Code::kDenied);
  EXPECT_EQ(asked_, 2);
  Write("grants.yaml", head + "granted: [\"host:prices\"]\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(plugin->Call("ask", R"({"times": 3})"));
}

TEST_F(Revoke, AGrantOfALoadIsCountedForThatLoad) {
  cordon::Host host = HostWith({});
  for (int load = 0; load < 2; ++load) {
    asked_ = 2;
    auto plugin = host.Load(folder_ / "plugin", {.grants = {"host:prices; uses=3"}});
    ASSERT_TRUE(plugin) << plugin.error().message;
    EXPECT_TRUE(plugin->Call("ask", R"({"times": 2})"));
    EXPECT_EQ(CodeOf(plugin->Call("ask", R"({"times": 2})")), Code::kDenied);
    EXPECT_EQ(asked_, 5);
    EXPECT_EQ(LastRule(), "limit:uses");
  }
  EXPECT_EQ(CodeOf(host.Load(folder_ / "plugin", {.grants = {"env:A; uses=3"}})), Code::kUnenforceable);
  EXPECT_EQ(CodeOf(host.Load(folder_ / "plugin", {.grants = {"host:prices; until=2020-01-01T00:00:00Z"}})),
            Code::kDenied);
}

}  // namespace
