// What the operator changes while plugins are in service: grants for new code, and where it has to run.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

TEST_F(ReloadRules, WhatChangesDuringALoadHoldsForIt) {
  versions::WritePlugin(folder_ / "p", "acme/p", 1);
  const auto configure = [&](const std::string& isolation) {
    versions::Write(folder_ / "config.yaml", "plugins:\n  enabled: true\n  isolation: " + isolation + "\n");
  };
  configure("{ enabled: false }");
  cordon::HostOptions options;
  options.config_file = folder_ / "config.yaml";
  HostWith(options);
  bool is_changed = false;
  cordon::LoadOptions load;
  load.progress = [&](std::string_view stage) {
    if (stage != "compiling") return;
    configure("{ force: [acme/p] }");
    is_changed = host_->ReloadAll().has_value();
  };
  const auto plugin = host_->Load(folder_ / "p", load);
  EXPECT_TRUE(is_changed);
  ASSERT_TRUE(plugin) << plugin.error().message;
  const auto answer = plugin->Call("which", "{}");
  ASSERT_EQ(CodeOf(answer), Code::kDenied) << "it was to run here when its load began, and is to run apart now";
  EXPECT_EQ(answer.error().Detail("rule"), "isolation");
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

// Listens on loopback, and answers nothing.
struct Collector {
  Collector() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd, 8), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~Collector() { ::close(fd); }
  // Lets go of whoever came.
  bool WasCalled() const {
    const int one = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (one >= 0) ::close(one);
    return one >= 0;
  }
  const int fd;
  std::string endpoint;
};

std::string Outcome(const auto& result) { return result ? "done" : std::string(cordon::CodeName(result.error().code)); }

TEST_F(ReloadRules, WhatTheWholeHostHasIsTakenUpToo) {
  versions::WritePlugin(folder_ / "p", "acme/p", 1);
  const auto configure = [&](const std::string& rest) {
    versions::Write(folder_ / "config.yaml", "plugins:\n  enabled: true\n" + rest);
    return host_ ? Outcome(host_->ReloadAll()) : "done";
  };
  EXPECT_EQ(configure(""), "done");
  cordon::HostOptions options;
  options.config_file = folder_ / "config.yaml";
  HostWith(options);
  const auto deployed = host_->Deploy(folder_ / "p");
  ASSERT_TRUE(deployed);
  const auto code = [&] { return Outcome(deployed->Call("which", "{}")); };
  EXPECT_EQ(code(), "done");

  // A quota of all plugins, where there was none.
  EXPECT_EQ(configure("  quotas: { memory: 64KiB }\n"), "done");
  EXPECT_EQ(code(), "E_BUSY");
  EXPECT_EQ(configure(""), "done");
  EXPECT_EQ(code(), "done");

  // Bounds of channels.
  EXPECT_TRUE(host_->Send("news", {}));
  EXPECT_EQ(configure("  messaging: { messages: 1 }\n"), "done");
  EXPECT_EQ(CodeOf(host_->Send("news", {})), Code::kLimit);
  EXPECT_EQ(configure("  messaging: { messages: 2 }\n"), "done");
  EXPECT_TRUE(host_->Send("news", {}));

  // Where spans go.
  const auto counted = [&] { return host_->Metrics().contains("cordon_spans_total"); };
  EXPECT_EQ(code(), "done");
  EXPECT_FALSE(counted());
  const Collector first, second;
  const auto trace_to = [&](const std::string& endpoint) {
    return configure("telemetry: { otlp: { endpoint: \"" + endpoint + "\" } }\n");
  };
  EXPECT_EQ(trace_to(first.endpoint), "done");
  EXPECT_EQ(code(), "done");
  EXPECT_TRUE(counted());
  EXPECT_TRUE(Soon([&] { return first.WasCalled(); }));
  EXPECT_EQ(trace_to("https://127.0.0.1"), "E_UNENFORCEABLE") << "and the one before stays";
  EXPECT_EQ(trace_to(second.endpoint), "done");
  EXPECT_EQ(code(), "done");
  EXPECT_TRUE(Soon([&] { return second.WasCalled(); }));
  EXPECT_EQ(configure(""), "done");
  EXPECT_EQ(code(), "done");
}

}  // namespace
