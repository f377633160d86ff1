// A plugin in service is replaced while it is called: no call is lost, and what does not work is never in service.
#include <atomic>
#include <map>
#include <mutex>

#include "processes.h"
#include "shop.h"
#include "versions.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using processes::CountIn;
using processes::Soon;
using shop::CodeOf;
using versions::Manifest;
using versions::Module;
using versions::Start;
using versions::Write;
using versions::WritePlugin;

class Reloading : public ::testing::Test {
 protected:
  Reloading() : folder_(fs::temp_directory_path() / ("cordon-reload-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
  }
  ~Reloading() override {
    host_.reset();
    fs::remove_all(folder_);
  }

  cordon::Host& HostWith(cordon::HostOptions options = {}) {
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    options.audit = audit_;
    auto host = cordon::Host::Create(options);
    EXPECT_TRUE(host) << host.error().message;
    return host_.emplace(std::move(*host));
  }
  cordon::Deployment Deploy(const fs::path& source, const cordon::LoadOptions& options = {}) {
    auto deployment = host_->Deploy(source, options);
    EXPECT_TRUE(deployment) << deployment.error().message;
    return *deployment;
  }
  // Every change that is seen is kept here.
  void Watch() {
    const cordon::Status watched =
        host_->Watch({.interval = std::chrono::milliseconds(20), .told = [this](const cordon::Reload& reload) {
                        const std::lock_guard lock(mutex_);
                        told_.push_back(reload);
                      }});
    ASSERT_TRUE(watched) << watched.error().message;
  }
  std::vector<cordon::Reload> Told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  static std::string Which(const cordon::Deployment& deployment) {
    auto answer = deployment.Call("which", "{}");
    return answer ? answer->json : std::string(cordon::CodeName(answer.error().code));
  }

  const fs::path folder_;
  std::shared_ptr<cordon::AuditMemory> audit_ = cordon::AuditMemory::Make(4096);
  std::optional<cordon::Host> host_;
  std::mutex mutex_;
  std::vector<cordon::Reload> told_;
};

TEST_F(Reloading, ANewVersionIsTakenUpAndSaysWhatChanged) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  HostWith();
  const auto deployed = Deploy(folder_ / "p");
  EXPECT_EQ(Which(deployed), "1");
  Write(folder_ / "p/plugin.wasm", Module(2));
  Write(folder_ / "p/plugin.yaml", Manifest("acme/p", "1.1.0", "limits: { memory: 1MiB }\n"));
  EXPECT_EQ(Which(deployed), "1") << "nothing changes before somebody says so";
  const auto reloaded = deployed.Reload();
  ASSERT_TRUE(reloaded) << reloaded.error().message;
  EXPECT_EQ(Which(deployed), "2");
  EXPECT_NE(reloaded->digest_before, reloaded->digest);
  EXPECT_EQ(reloaded->digest, deployed.Current().digest());
  EXPECT_EQ(reloaded->version_before, "1.0.1");
  EXPECT_EQ(reloaded->version, "1.1.0");
  EXPECT_GT(reloaded->limits_before.memory_bytes, 1u << 20);
  EXPECT_EQ(reloaded->limits.memory_bytes, 1u << 20);
  const auto records = audit_->records();
  EXPECT_EQ(std::ranges::count_if(records,
                                  [&](const auto& record) {
                                    return record.event == "reload" && record.allowed == true &&
                                           record.digest == reloaded->digest &&
                                           record.note == "in place of " + reloaded->digest_before;
                                  }),
            1);
}

TEST_F(Reloading, ACallThatRunsEndsOnTheOldCode) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  HostWith();
  const auto deployed = Deploy(folder_ / "p");
  const cordon::Plugin old = deployed.Current();
  std::string answer;
  std::jthread slow([&] {
    auto ended = deployed.Call("slow", "{}");
    answer = ended ? ended->json : ended.error().message;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  WritePlugin(folder_ / "p", "acme/p", 2);
  ASSERT_TRUE(deployed.Reload());
  EXPECT_EQ(Which(deployed), "2");
  EXPECT_EQ(old.Call("which", "{}")->json, "1") << "whoever holds the old one may go on with it";
  slow.join();
  EXPECT_EQ(answer, "1");
}

// Each of them leaves the one before in service, and one record with its code.
TEST_F(Reloading, WhatDoesNotWorkIsNeverInService) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  HostWith();
  const auto deployed = Deploy(folder_ / "p");
  const auto refused = [&](Code code) {
    EXPECT_EQ(CodeOf(deployed.Reload()), code);
    EXPECT_EQ(Which(deployed), "1");
    const auto records = audit_->records();
    EXPECT_TRUE(std::ranges::any_of(records, [&](const auto& record) {
      return record.event == "reload" && record.allowed == false && record.code == code && !record.note.empty();
    })) << cordon::CodeName(code);
  };
  Write(folder_ / "p/plugin.wasm", Module(2, Start::kTraps));
  refused(Code::kTrap);
  Write(folder_ / "p/plugin.wasm", Module(2).substr(0, 40));
  refused(Code::kNotWasm);
  fs::remove(folder_ / "p/plugin.wasm");
  refused(Code::kNotFound);
  Write(folder_ / "p/plugin.wasm", Module(2));
  Write(folder_ / "p/plugin.yaml", "manifest: 1\nname: [");
  refused(Code::kSyntax);
  Write(folder_ / "p/plugin.yaml", Manifest("acme/other", "1.0.0"));
  refused(Code::kChanged);
  Write(folder_ / "p/plugin.yaml",
        Manifest("acme/p", "1.0.0", "permissions: { required: [{ environment: [TOKEN], reason: to speak to it }] }\n"));
  refused(Code::kDenied);
  Write(folder_ / "p/plugin.yaml", Manifest("acme/p", "1.0.0"));
  EXPECT_TRUE(deployed.Reload());
  EXPECT_EQ(Which(deployed), "2");
  EXPECT_EQ(CodeOf([&] {
              WritePlugin(folder_ / "q", "acme/q", 1, Start::kTraps);
              return host_->Deploy(folder_ / "q");
            }()),
            Code::kTrap);
}

TEST_F(Reloading, WhoeverCallsByNameGetsTheNewVersionInTheSamePlace) {
  const auto write = [&](const std::string& name, int number) {
    Write(folder_ / name / "plugin.wasm", Module(number));
    Write(folder_ / name / "plugin.yaml",
          Manifest("acme/" + name, "1.0.0",
                   "provides: { hooks: [which], commands: { " + name + ".which: which }" +
                       (name == "a" ? ", services: [slow]" : "") + " }\n"));
  };
  write("a", 1);
  write("b", 2);
  HostWith();
  const auto a = Deploy(folder_ / "a"), b = Deploy(folder_ / "b");
  write("a", 3);
  ASSERT_TRUE(a.Reload());
  const auto answers = host_->Dispatch("which", "{}");
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 2u);
  EXPECT_EQ((*answers)[0].plugin, "acme/a");
  EXPECT_EQ((*answers)[0].answer->json, "3");
  EXPECT_EQ((*answers)[1].answer->json, "2");
  EXPECT_EQ(host_->CallService("slow", "{}")->json, "3");
  EXPECT_EQ(host_->CallCommand("a.which", "{}")->json, "3");
  write("a", 4);
  Write(folder_ / "a/plugin.wasm", Module(4, Start::kTraps));
  EXPECT_EQ(CodeOf(a.Reload()), Code::kTrap);
  EXPECT_EQ(host_->CallCommand("a.which", "{}")->json, "3") << "what was refused is not found by its name either";
  a.Unload();
  EXPECT_EQ(host_->Dispatch("which", "{}")->size(), 1u);
  EXPECT_EQ(CodeOf(a.Reload()), Code::kUnavailable);
  EXPECT_EQ(Which(a), "E_UNAVAILABLE");
}

TEST_F(Reloading, APluginCallsTheNewVersionOfAnother) {
  const auto write = [&](const std::string& name, const std::string& version) {
    fs::create_directories(folder_ / name);
    fs::copy_file(shop::Guest("tools"), folder_ / name / "guest.wasm", fs::copy_options::overwrite_existing);
    Write(folder_ / name / "plugin.yaml",
          "manifest: 1\nname: acme/" + name + "\nversion: " + version +
              "\nruntime: {abi: component, artifact: guest.wasm}\nactions: { "
              "ask: {export: \"cordon:tools-guest/relay@0.1.0#ask\"}, "
              "who: {export: \"cordon:tools-guest/relay@0.1.0#who\"} }\n"
              "permissions: {optional: [{storage: {bucket: kept, access: write}}, {call: [\"acme/b#*\"]}]}\n" +
              (version == "2.0.0" ? "provides: { actions: [ask] }\n" : ""));
  };
  write("a", "1.0.0");
  write("b", "1.0.0");
  HostWith();
  const auto a = Deploy(folder_ / "a", {.grants = {"call:acme/b#*"}});
  const auto b = Deploy(folder_ / "b");
  const auto ask = [&] { return a.Call("ask", R"({"action": "acme/b#who", "input": "{}"})")->json; };
  EXPECT_EQ(ask(), R"({"ok":"[\"acme/a\"]"})");
  write("b", "2.0.0");  // keeps `who` to itself
  ASSERT_TRUE(b.Reload());
  EXPECT_EQ(ask(), R"({"err":"access-denied call:not-provided"})");
}

// What was granted and counts goes on counting: a plugin must not be given it again by changing its own file.
TEST_F(Reloading, AGrantThatIsUsedUpStaysSo) {
  fs::create_directories(folder_);
  fs::copy_file(shop::Guest(), folder_ / "shop.wasm");
  HostWith();
  ASSERT_TRUE(host_->Register(shop::Prices()));
  const auto deployed = Deploy(folder_ / "shop.wasm", {.grants = {"host:prices; uses=3", "host:catalogue"}});
  const auto price = [&] { return deployed.Call("price", R"({"article": "shoes"})"); };
  EXPECT_TRUE(price());
  EXPECT_TRUE(price());
  ASSERT_TRUE(deployed.Reload());
  EXPECT_TRUE(price());
  EXPECT_EQ(CodeOf(price()), Code::kDenied);
  ASSERT_TRUE(deployed.Reload());
  EXPECT_EQ(CodeOf(price()), Code::kDenied);
}

TEST_F(Reloading, AFileThatChangesIsTakenUpByItself) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  HostWith();
  const auto deployed = Deploy(folder_ / "p");
  Watch();
  EXPECT_EQ(host_->Watch().error().code, Code::kUsage);
  WritePlugin(folder_ / "p", "acme/p", 2);
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "2"; }));
  // Broken: told once.
  Write(folder_ / "p/plugin.wasm", "nonsense");
  EXPECT_TRUE(Soon([&] { return Told().size() >= 2; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  ASSERT_EQ(Told().size(), 2u);
  EXPECT_EQ(Told()[0].plugin, "acme/p");
  EXPECT_TRUE(Told()[0].outcome.has_value());
  EXPECT_EQ(CodeOf(Told()[1].outcome), Code::kNotWasm);
  EXPECT_EQ(Which(deployed), "2");
  // Mended: a schema that was not there before.
  Write(folder_ / "p/plugin.wasm", Module(3));
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "3"; }));
  Write(folder_ / "p/plugin.yaml",
        "manifest: 1\nname: acme/p\nversion: 2.0.0\nruntime: { abi: core, artifact: "
        "plugin.wasm }\nactions:\n  which: { export: which, input: { $ref: in.json } }\n");
  EXPECT_TRUE(Soon([&] { return Told().size() >= 4; }));
  EXPECT_EQ(CodeOf(Told()[3].outcome), Code::kNotFound);
  Write(folder_ / "in.json", R"({"type": "object"})");
  Write(folder_ / "p/in.json", R"({"type": "object"})");
  EXPECT_TRUE(Soon([&] { return Told().size() >= 5; })) << "a file that was missing is waited for";
  EXPECT_TRUE(Told()[4].outcome.has_value());
  Write(folder_ / "p/in.json", R"({"type": "object", "required": ["x"]})");
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "E_INPUT_SCHEMA"; }));
}

// While plugins are switched off nothing is taken up, and afterwards everything is.
TEST_F(Reloading, AChangeWaitsForTheSwitch) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  cordon::HostOptions options;
  options.state_folder = folder_ / "state";
  fs::create_directories(options.state_folder);
  fs::permissions(options.state_folder, fs::perms::owner_all);
  HostWith(options);
  const auto deployed = Deploy(folder_ / "p");
  Watch();
  Write(folder_ / "state/plugins.off", "");
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "E_UNAVAILABLE"; }));
  WritePlugin(folder_ / "p", "acme/p", 2);
  EXPECT_TRUE(Soon([&] { return !Told().empty(); }));
  EXPECT_EQ(CodeOf(Told()[0].outcome), Code::kUnavailable);
  fs::remove(folder_ / "state/plugins.off");
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "2"; }));
  EXPECT_TRUE(Soon([&] { return Told().size() == 2; })) << "each outcome is told once";
}

// What is written in pieces is taken up when it is whole.
TEST_F(Reloading, AFileThatIsHalfWrittenIsNotTaken) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  HostWith();
  const auto deployed = Deploy(folder_ / "p");
  Watch();
  const std::string module = Module(2);
  {
    std::ofstream out(folder_ / "p/plugin.wasm", std::ios::binary | std::ios::trunc);
    for (const char byte : module) {
      out << byte << std::flush;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      EXPECT_EQ(Which(deployed), "1");
    }
  }
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "2"; }));
  ASSERT_FALSE(Told().empty());
  EXPECT_TRUE(Told().back().outcome.has_value());
}

TEST_F(Reloading, ConfigurationAndPolicyAreTakenUp) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  const std::string head = "plugins:\n  enabled: true\n";
  Write(folder_ / "config.yaml", head);
  Write(folder_ / "policy.yaml", "plugins: { acme/p: { artifacts: [\"sha256:" + std::string(64, 'a') + "\"] } }\n");
  cordon::HostOptions options;
  options.config_file = folder_ / "config.yaml";
  HostWith(options);
  const auto deployed = Deploy(folder_ / "p");
  auto plain = host_->Load(folder_ / "p");
  ASSERT_TRUE(plain);
  Watch();
  const auto outcome_of = [&](const std::string& text) {
    const std::size_t before = Told().size();
    Write(folder_ / "config.yaml", text);
    EXPECT_TRUE(Soon([&] { return Told().size() > before; }));
    return Told()[before];
  };
  const auto limited = outcome_of(head + "  limits: { memory: 2MiB }\n");
  EXPECT_EQ(limited.plugin, "");
  EXPECT_TRUE(limited.outcome);
  EXPECT_TRUE(Soon([&] { return deployed.Current().limits().memory_bytes == 2u << 20; }));
  EXPECT_EQ(host_->Load(folder_ / "p")->limits().memory_bytes, 2u << 20) << "and for what is loaded from now on";

  EXPECT_EQ(CodeOf(outcome_of(head + "  limits: { memory: lots }\n").outcome), Code::kType);
  EXPECT_EQ(Which(deployed), "1") << "the last good one is in force";
  EXPECT_EQ(host_->Load(folder_ / "p")->limits().memory_bytes, 2u << 20);

  (void)outcome_of(head + "  entries: { acme/p: { enabled: false } }\n");
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "E_DENIED"; }));
  EXPECT_EQ(CodeOf(plain->Call("which", "{}")), Code::kDenied) << "what was loaded by itself, too";
  (void)outcome_of(head);
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "1"; }));

  (void)outcome_of(head + "  policy: policy.yaml\n");  // which pins other bytes
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "E_DENIED"; }));
  Write(folder_ / "policy.yaml", "allow: [clock]\n");
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "1"; })) << "the policy is watched, too";

  (void)outcome_of("plugins: { enabled: false }\n");
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "E_UNAVAILABLE"; }));
  (void)outcome_of(head);
  EXPECT_TRUE(Soon([&] { return Which(deployed) == "1"; }));
}

// A capability that the operator's file takes away is gone for calls that run: at the next question.
TEST_F(Reloading, APolicyThatNarrowsHoldsForCallsThatRun) {
  fs::copy_file(shop::Guest(), folder_ / "shop.wasm");
  Write(folder_ / "policy.yaml", "allow: [host]\n");
  cordon::HostOptions options;
  options.policy_file = folder_ / "policy.yaml";
  HostWith(options);
  int asked = 0;
  ASSERT_TRUE(host_->Register(shop::PricesWith([&]() -> std::optional<std::uint32_t> {
    if (++asked == 2) {
      Write(folder_ / "policy.yaml", "allow: [clock]\n");
      std::jthread([&] { EXPECT_TRUE(host_->ReloadAll()); }).join();
    }
    return 80;
  })));
  const auto deployed = Deploy(folder_ / "shop.wasm", {.grants = {"host:prices"}});
  EXPECT_EQ(CodeOf(deployed.Call("ask-often", R"({"times": 10})")), Code::kDenied);
  EXPECT_EQ(asked, 2);
}

TEST_F(Reloading, NoCallIsLostWhileVersionsChange) {
  constexpr int kVersions = shop::kInWorkers ? 30 : 200;
  WritePlugin(folder_ / "p", "acme/p", 0);
  cordon::HostOptions options;
  options.max_instances = 16;
  HostWith(options);
  auto deployed = std::optional(Deploy(folder_ / "p"));
  ASSERT_TRUE(deployed->Reload());
  EXPECT_EQ(Which(*deployed), "0");
  const int files = CountIn("/proc/self/fd"), threads = CountIn("/proc/self/task");
  const int mappings = processes::Mappings();
  std::atomic<int> version = 0, calls = 0;
  {
    std::atomic<bool> stop = false;
    std::vector<std::jthread> callers;
    for (int t = 0; t < 4; ++t) {
      callers.emplace_back([&] {
        while (!stop) {
          const int least = version.load();
          const auto answer = deployed->Call("which", "{}");
          ASSERT_TRUE(answer) << answer.error().message;
          const int got = std::stoi(answer->json);
          // Versions go up by one, modulo 64; none older than what was in service when the call began.
          EXPECT_LE((got - least + 64) % 64, (version.load() + 1 - least + 64) % 64);
          ++calls;
        }
      });
    }
    for (int i = 1; i <= kVersions; ++i) {
      WritePlugin(folder_ / "p", "acme/p", i % 64);
      const auto reloaded = deployed->Reload();
      ASSERT_TRUE(reloaded) << reloaded.error().message;
      version = i % 64;
    }
    stop = true;
  }
  EXPECT_GT(calls, kVersions);
  EXPECT_EQ(Which(*deployed), std::to_string(kVersions % 64));
  // Of all versions nothing is left but what the last one has.
  EXPECT_TRUE(Soon([&] { return CountIn("/proc/self/fd") <= files + 8; }));
  EXPECT_TRUE(Soon([&] { return CountIn("/proc/self/task") <= threads; }));  // a joined one may be listed still
  EXPECT_LE(processes::Mappings(), mappings + 40);
  EXPECT_TRUE(Soon([] { return processes::Workers().size() <= 6; })) << processes::Workers().size();
  const cordon::Plugin last = deployed->Current();
  deployed.reset();
  EXPECT_EQ(last.Call("which", "{}")->json, std::to_string(kVersions % 64));
}

TEST_F(Reloading, OldVersionsThatAreKeptHaveALimit) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  HostWith();
  const auto deployed = Deploy(folder_ / "p");
  std::vector<cordon::Plugin> kept;
  for (int i = 0; i < 16; ++i) {
    kept.push_back(deployed.Current());
    ASSERT_TRUE(deployed.Reload());
  }
  EXPECT_EQ(CodeOf(deployed.Reload()), Code::kBusy);
  kept.pop_back();
  EXPECT_TRUE(deployed.Reload());
}

TEST_F(Reloading, TheHostMayGoWhileItWatches) {
  WritePlugin(folder_ / "p", "acme/p", 1);
  HostWith();
  const auto deployed = Deploy(folder_ / "p");
  Watch();
  const int threads = CountIn("/proc/self/task");
  EXPECT_TRUE(host_->Shutdown());
  EXPECT_LT(CountIn("/proc/self/task"), threads);
  EXPECT_EQ(CodeOf(deployed.Reload()), Code::kUnavailable);
  EXPECT_EQ(Which(deployed), "E_UNAVAILABLE");
  EXPECT_EQ(host_->Watch().error().code, Code::kUnavailable);
}

}  // namespace
