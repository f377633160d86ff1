// Plugins whose instances stay: residents and pooled ones, as an embedding program sees them.
#include <dirent.h>

#include <atomic>

#include "cordon/deployment.h"
#include "residents.h"

namespace {

using cordon::Code;
using residents::Add;
using residents::Called;
using residents::Folder;
using residents::HostWith;
using residents::Load;
using residents::Mood;
using residents::Soon;
using State = cordon::Residency::State;
using std::chrono::milliseconds;

constexpr char kSnapshots[] = "lifecycle: { state: { snapshot: 100ms } }";

State StateOf(const cordon::Plugin& plugin) { return plugin.residency()->state; }

// The records of a rule.
int Told(cordon::AuditMemory& audit, const std::string& rule) {
  int count = 0;
  for (const cordon::AuditRecord& record : audit.records()) count += record.rule == rule ? 1 : 0;
  return count;
}

int Threads() {
  int count = 0;
  DIR* folder = ::opendir("/proc/self/task");
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return count;
}

TEST(Resident, IsAskedForAndGrantedAsEveryRightIs) {
  const Folder folder;
  auto host = HostWith();
  const auto refused = Load(*host, folder.Plugin(""), "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_NE(refused.error().remedy.find("instance:resident"), std::string::npos) << refused.error().remedy;
  EXPECT_FALSE(Load(*host, folder.Plugin(""), "instance:pooled"));
  EXPECT_TRUE(Load(*host, folder.Plugin("")));
}

TEST(Resident, RemembersFromCallToCallAndStartsWithTheFirst) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(""));
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(StateOf(*plugin), State::kIdle);
  EXPECT_EQ(Add(*plugin, 1), "1");
  EXPECT_EQ(Add(*plugin, 2), "3");
  EXPECT_EQ(StateOf(*plugin), State::kRunning);
  EXPECT_EQ(plugin->residency()->restarts, 0u);
  EXPECT_NE(host->Metrics().find("cordon_resident_state{plugin=\"acme/counter\",state=\"running\"} 1"),
            std::string::npos);
  // Typed functions go to the same instance.
  auto add = plugin->Function<std::uint64_t(std::uint64_t)>("add");
  ASSERT_TRUE(add) << add.error().message;
  EXPECT_EQ(*(*add)(4), 7u);
}

TEST(Resident, ABinaryAloneIsOneWhenItIsGranted) {
  auto host = HostWith();
  const std::string add = "cordon:resident-guest/counter#add";
  auto resident = host->Load(shop::Guest("resident"), {.grants = {"instance:resident"}});
  ASSERT_TRUE(resident) << resident.error().message;
  EXPECT_EQ(Called(*resident, add, R"({"n": 1})"), "1");
  EXPECT_EQ(Called(*resident, add, R"({"n": 1})"), "2");
  auto plain = host->Load(shop::Guest("resident"));
  EXPECT_EQ(Called(*plain, add, R"({"n": 1})"), "1");
  EXPECT_EQ(Called(*plain, add, R"({"n": 1})"), "1");
  EXPECT_FALSE(plain->residency());
  EXPECT_FALSE(plain->Release());
  EXPECT_FALSE(plain->Start());
  const auto program = host->Load(shop::Guest("command_p2"), {.grants = {"instance:resident"}});
  EXPECT_EQ(shop::CodeOf(program), Code::kUnenforceable);
}

TEST(Resident, CanBeStartedBeforeItsFirstCall) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(""));
  ASSERT_TRUE(plugin && plugin->Start());
  EXPECT_EQ(StateOf(*plugin), State::kRunning);
}

TEST(Resident, HasOneInstanceAndNoStandardInputOfACall) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(""));
  ASSERT_TRUE(plugin);
  EXPECT_EQ(shop::CodeOf(plugin->NewInstance()), Code::kUsage);
  cordon::CallOptions options;
  options.stdin_bytes = "x";
  EXPECT_EQ(Called(*plugin, "rest", R"({"ms": 0})", options), "E_USAGE");
}

TEST(Resident, attack_104_ACrashCostsItsCallAndNoOther) {
  const Folder folder;
  const auto audit = cordon::AuditMemory::Make();
  auto host = HostWith({.audit = audit});
  auto plugin = Load(*host, folder.Plugin(""));
  auto peer = Load(*host, folder.Plugin("", "resident", "peer"));
  ASSERT_TRUE(plugin && peer);
  EXPECT_EQ(Add(*plugin, 1), "1");
  EXPECT_EQ(Add(*peer, 5), "5");
  EXPECT_EQ(Called(*plugin, "crash"), "E_TRAP");
  // Without state it begins again.
  EXPECT_EQ(Add(*plugin, 1), "1");
  EXPECT_EQ(plugin->residency()->restarts, 1u);
  ASSERT_EQ(plugin->residency()->failures.size(), 1u);
  EXPECT_EQ(plugin->residency()->failures[0].error.code, Code::kTrap);
  EXPECT_EQ(Told(*audit, "resident:restart"), 1);
  EXPECT_EQ(Add(*peer, 1), "6");
  EXPECT_EQ(peer->residency()->restarts, 0u);
}

TEST(Resident, attack_104_ACrashLoopEndsInQuarantineUntilItIsReleased) {
  const Folder folder;
  const auto audit = cordon::AuditMemory::Make();
  auto host = HostWith({.audit = audit});
  auto plugin = Load(*host, folder.Plugin(""));
  auto peer = Load(*host, folder.Plugin("", "resident", "peer"));
  ASSERT_TRUE(plugin && peer);
  bool backed_off = false;
  ASSERT_TRUE(Soon([&] {
    const auto answer = plugin->Call("crash", "{}");
    if (answer.error().Detail("reason") == "backing-off") {
      backed_off = true;
      EXPECT_EQ(answer.error().code, Code::kUnavailable);
      EXPECT_FALSE(answer.error().Detail("retry-after").empty());
    }
    EXPECT_EQ(Add(*peer, 0), "0");
    return StateOf(*plugin) == State::kQuarantined;
  }));
  EXPECT_TRUE(backed_off);
  const auto refused = plugin->Call("add", R"({"n": 1})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(refused.error().Detail("reason"), "quarantined");
  ASSERT_FALSE(refused.error().causes.empty());
  EXPECT_EQ(refused.error().causes[0].code, Code::kTrap);
  EXPECT_EQ(plugin->residency()->failures.size(), 5u);
  EXPECT_EQ(Told(*audit, "resident:quarantine"), 1);
  EXPECT_NE(host->Metrics().find("state=\"quarantined\"} 1"), std::string::npos);
  EXPECT_NE(host->Metrics().find("cordon_resident_restarts_total{plugin=\"acme/counter\"} 4"), std::string::npos);
  ASSERT_TRUE(plugin->Release());
  EXPECT_EQ(Told(*audit, "resident:release"), 1);
  EXPECT_EQ(Add(*plugin, 1), "1");
  EXPECT_FALSE(plugin->Release());
}

TEST(Resident, RestartsAsItsManifestSays) {
  const Folder folder;
  auto host = HostWith();
  auto never = Load(*host, folder.Plugin("lifecycle: { restart: never }", "resident", "never"));
  auto failure = Load(*host, folder.Plugin("lifecycle: { restart: on-failure }", "resident", "failure"));
  auto always = Load(*host, folder.Plugin("lifecycle: { restart: always }", "resident", "always"));
  ASSERT_TRUE(never && failure && always);
  EXPECT_EQ(Called(*never, "crash"), "E_TRAP");
  EXPECT_EQ(StateOf(*never), State::kStopped);
  EXPECT_EQ(Add(*never, 1), "E_UNAVAILABLE");
  EXPECT_TRUE(never->Release());
  EXPECT_EQ(Add(*never, 1), "1");
  for (auto* plugin : {&failure, &always}) EXPECT_EQ(Called(**plugin, "leave", R"({"status": 0})"), "E_EXIT");
  EXPECT_EQ(StateOf(*failure), State::kStopped);
  EXPECT_EQ(Add(*failure, 1), "E_UNAVAILABLE");
  EXPECT_EQ(Add(*always, 1), "1");
}

TEST(Resident, WhatItsCallersStopIsNotItsFault) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(""));
  ASSERT_TRUE(plugin && plugin->Start());
  cordon::CallOptions hurried;
  hurried.timeout = milliseconds(20);
  for (int i = 0; i < 7; ++i) {
    const std::string outcome = Called(*plugin, "spin", "{}", hurried);
    EXPECT_TRUE(outcome == "E_TIMEOUT" || outcome == "E_BUSY") << outcome;
  }
  EXPECT_NE(StateOf(*plugin), State::kQuarantined);
  EXPECT_TRUE(Soon([&] { return Add(*plugin, 1) == "1"; }));
}

TEST(Resident, StateIsGivenBackAfterAFall) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(kSnapshots));
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(Add(*plugin, 5), "5");
  ASSERT_TRUE(Soon([&] { return plugin->residency()->snapshot.has_value(); }));
  EXPECT_EQ(plugin->residency()->snapshot_bytes, 1u);
  EXPECT_EQ(Called(*plugin, "crash"), "E_TRAP");
  EXPECT_EQ(Add(*plugin, 1), "6");
}

TEST(Resident, StateOutlivesTheHost) {
  const Folder folder;
  const std::filesystem::path source = folder.Plugin("lifecycle: { state: { snapshot: 1h } }");
  cordon::HostOptions options;
  options.state_folder = folder.path() / "state";
  std::filesystem::create_directories(options.state_folder);
  {
    auto host = HostWith(options);
    auto plugin = Load(*host, source);
    ASSERT_TRUE(plugin) << plugin.error().message;
    EXPECT_EQ(Add(*plugin, 7), "7");
  }
  // Of another version: it is offered what the one before left.
  std::ofstream(source / "plugin.wasm", std::ios::binary | std::ios::app) << std::string("\0\3\1xy", 5);
  auto host = HostWith(options);
  auto plugin = Load(*host, source);
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(Add(*plugin, 1), "8");
  EXPECT_TRUE(plugin->residency()->snapshot);
}

TEST(Resident, StateThatIsRefusedIsKeptAsideAndToldOf) {
  const Folder folder;
  const auto audit = cordon::AuditMemory::Make();
  auto host = HostWith({.audit = audit});
  const std::filesystem::path source = folder.Plugin("lifecycle: { state: { snapshot: 1h } }");
  for (const std::string mood : {"sour", "poison"}) {
    auto plugin = Load(*host, source);
    ASSERT_TRUE(plugin);
    EXPECT_EQ(Add(*plugin, 3), "3");
    EXPECT_EQ(Mood(*plugin, mood), "null");
    plugin->Unload();
    EXPECT_EQ(StateOf(*plugin), State::kClosed);
    auto again = Load(*host, source);
    // A reader that crashes costs the call that started it, and no other.
    if (mood == "poison") {
      EXPECT_EQ(Add(*again, 0), "E_TRAP");
    }
    EXPECT_EQ(Add(*again, 0), "0") << mood;
    ASSERT_FALSE(again->residency()->failures.empty());
    EXPECT_NE(again->residency()->failures[0].error.message.find("kept aside"), std::string::npos);
    again->Unload();
    // Nothing of it is left for the next round.
    auto third = Load(*host, source);
    EXPECT_EQ(Add(*third, 0), "0");
    third->Unload();
  }
  EXPECT_EQ(Told(*audit, "resident:state-refused"), 2);
}

TEST(Resident, AStateThatCannotBeTakenLeavesTheOneBefore) {
  const Folder folder;
  const auto audit = cordon::AuditMemory::Make();
  auto host = HostWith({.audit = audit});
  auto plugin = Load(*host, folder.Plugin(kSnapshots));
  ASSERT_TRUE(plugin);
  EXPECT_EQ(Add(*plugin, 5), "5");
  ASSERT_TRUE(Soon([&] { return plugin->residency()->snapshot.has_value(); }));
  for (const std::string mood : {"silent", "huge", "snapshot-crash"}) {
    const auto known = plugin->residency()->failures.size();
    EXPECT_EQ(Mood(*plugin, mood), "null");
    ASSERT_TRUE(Soon([&] { return plugin->residency()->failures.size() > known; })) << mood;
    EXPECT_EQ(Mood(*plugin, "well"), "null");
  }
  EXPECT_GE(Told(*audit, "resident:state-not-kept"), 2);
  EXPECT_EQ(Called(*plugin, "crash"), "E_TRAP");
  EXPECT_TRUE(Soon([&] { return Add(*plugin, 0) == "5"; }));
}

TEST(Resident, OneThatDoesNotLiveIsMadeAnew) {
  const Folder folder;
  auto host = HostWith();
  for (const std::string mood : {"sick", "hung", "dead"}) {
    auto plugin = Load(*host, folder.Plugin("lifecycle: { liveness: { every: 100ms, timeout: 50ms } }"));
    ASSERT_TRUE(plugin) << plugin.error().message;
    EXPECT_EQ(Add(*plugin, 1), "1");
    EXPECT_EQ(Mood(*plugin, mood), "null");
    ASSERT_TRUE(Soon([&] { return plugin->residency()->restarts > 0; })) << mood;
    EXPECT_EQ(Add(*plugin, 1), "1");
    EXPECT_NE(plugin->residency()->failures[0].error.message.find("liveness"), std::string::npos);
    plugin->Unload();
  }
}

TEST(Resident, WhatItsManifestNeedsAndItDoesNotExportIsAnErrorOfTheLoad) {
  const Folder folder;
  auto host = HostWith();
  for (const char* lifecycle : {"lifecycle: { state: { snapshot: 1s } }", "lifecycle: { liveness: { every: 1s } }"}) {
    const auto source = folder.Plugin(lifecycle);
    std::ofstream(source / "plugin.wasm", std::ios::binary) << residents::BytesOf(shop::Guest("provider"));
    const auto loaded = Load(*host, source);
    EXPECT_EQ(shop::CodeOf(loaded), Code::kNotFound);
    EXPECT_NE(loaded.error().message.find("cordon:lifecycle"), std::string::npos) << loaded.error().message;
  }
}

TEST(Resident, TheLastGoodAnswerStandsInForOneThatCannotBe) {
  const Folder folder;
  const auto audit = cordon::AuditMemory::Make();
  auto host = HostWith({.audit = audit});
  auto plugin = Load(*host, folder.Plugin("lifecycle: { restart: never, on-failure: last-good }"));
  ASSERT_TRUE(plugin);
  EXPECT_EQ(Add(*plugin, 3), "3");
  const auto good = plugin->Call("rest", R"({"ms": 0})");
  ASSERT_TRUE(good);
  EXPECT_FALSE(good->degraded);
  cordon::CallOptions other;
  other.principal.user = "somebody else";
  const auto refused = plugin->Call("complain", "{}");
  ASSERT_TRUE(refused && refused->is_plugin_error);
  // Nothing was ever answered to this.
  EXPECT_EQ(Called(*plugin, "crash"), "E_TRAP");
  const auto stood_in = plugin->Call("rest", R"({"ms": 0})");
  ASSERT_TRUE(stood_in) << stood_in.error().message;
  EXPECT_EQ(stood_in->json, "3");
  ASSERT_TRUE(stood_in->degraded);
  EXPECT_GT(stood_in->degraded->count(), 0);
  EXPECT_EQ(Told(*audit, "resident:degraded"), 1);
  // Another question, another who asks, and what was no answer before.
  EXPECT_EQ(Called(*plugin, "rest", R"({"ms": 1})"), "E_UNAVAILABLE");
  EXPECT_EQ(Called(*plugin, "rest", R"({"ms": 0})", other), "E_UNAVAILABLE");
  EXPECT_EQ(Called(*plugin, "complain"), "E_UNAVAILABLE");
  // A wrong question has no good answer.
  EXPECT_EQ(Called(*plugin, "rest", R"({"seconds": 0})"), "E_INPUT_SCHEMA");
}

TEST(Resident, AHookOfOneThatFailedIsLeftOutWhereItsManifestLetsIt) {
  const Folder folder;
  const auto audit = cordon::AuditMemory::Make();
  auto host = HostWith({.audit = audit});
  const std::string hooks = "provides: { hooks: [saved] }\n";
  auto open = Load(*host, folder.Plugin(hooks + "lifecycle: { restart: never, on-failure: open }", "resident", "open"));
  auto closed = Load(*host, folder.Plugin(hooks + "lifecycle: { restart: never }", "resident", "closed"));
  ASSERT_TRUE(open && closed);
  std::vector<cordon::HookAnswer> left_out;
  EXPECT_EQ(host->Dispatch("saved", R"({"n": 1})", {}, &left_out)->size(), 2u);
  EXPECT_TRUE(left_out.empty());
  // A wrong question is everybody's error.
  EXPECT_EQ(host->Dispatch("saved", R"({"m": 1})")->size(), 2u);
  EXPECT_EQ(Called(*open, "crash"), "E_TRAP");
  EXPECT_EQ(Called(*closed, "crash"), "E_TRAP");
  const auto answers = host->Dispatch("saved", R"({"n": 1})", {}, &left_out);
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 1u);
  EXPECT_EQ(answers->front().plugin, "acme/closed");
  EXPECT_EQ(shop::CodeOf(answers->front().answer), Code::kUnavailable);
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_EQ(left_out.front().plugin, "acme/open");
  EXPECT_EQ(shop::CodeOf(left_out.front().answer), Code::kUnavailable);
  EXPECT_EQ(Told(*audit, "resident:degraded"), 1);
  // Called by itself it fails closed.
  EXPECT_EQ(Called(*open, "saved", R"({"n": 1})"), "E_UNAVAILABLE");
}

TEST(Resident, CallsUnderWayHaveTheirTimeWhenItIsUnloaded) {
  const Folder folder;
  auto host = HostWith({.threads = 2});
  auto plugin = Load(*host, folder.Plugin("lifecycle: { drain: 30s }"));
  ASSERT_TRUE(plugin && plugin->Start());
  EXPECT_EQ(Add(*plugin, 4), "4");
  std::string first, second;
  std::jthread one([&] { first = Called(*plugin, "rest", R"({"ms": 300})"); });
  std::this_thread::sleep_for(milliseconds(50));
  std::jthread two([&] { second = Called(*plugin, "rest", R"({"ms": 1})"); });
  std::this_thread::sleep_for(milliseconds(50));
  plugin->Unload();
  one.join();
  two.join();
  EXPECT_EQ(first, "4");
  EXPECT_EQ(second, "4");
  EXPECT_EQ(Add(*plugin, 1), "E_UNAVAILABLE");
  EXPECT_EQ(StateOf(*plugin), State::kClosed);
}

TEST(Resident, CallsThatTakeLongerThanTheDrainAreStopped) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin("lifecycle: { drain: 50ms }"));
  ASSERT_TRUE(plugin && plugin->Start());
  std::string first;
  std::jthread one([&] { first = Called(*plugin, "rest", R"({"ms": 20000})"); });
  std::this_thread::sleep_for(milliseconds(100));
  ASSERT_TRUE(host->Shutdown());
  one.join();
  EXPECT_EQ(first, "E_UNAVAILABLE");
}

TEST(Resident, ItsCallsGoOneAfterAnotherAndWaitNoLongerThanTheyMay) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(""));
  ASSERT_TRUE(plugin && plugin->Start());
  std::jthread long_one([&] { EXPECT_EQ(Called(*plugin, "rest", R"({"ms": 700})"), "0"); });
  std::this_thread::sleep_for(milliseconds(100));
  cordon::CallOptions hurried;
  hurried.timeout = milliseconds(50);
  const auto busy = plugin->Call("add", R"({"n": 1})", hurried);
  EXPECT_EQ(shop::CodeOf(busy), Code::kBusy);
  EXPECT_EQ(busy.error().Detail("retry-after"), "1s");
  cordon::CallOptions cancelled;
  cancelled.cancel = cordon::CancelToken::Make();
  std::jthread canceller([&] {
    std::this_thread::sleep_for(milliseconds(50));
    cancelled.cancel.Cancel();
  });
  EXPECT_EQ(Called(*plugin, "add", R"({"n": 1})", cancelled), "E_INTERRUPTED");
  // Neither ran, and the instance is the same.
  EXPECT_EQ(Add(*plugin, 0), "0");
  EXPECT_EQ(plugin->residency()->restarts, 0u);
}

TEST(Resident, TheLineIsBounded) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(""));
  ASSERT_TRUE(plugin && plugin->Start());
  std::atomic<int> busy = 0, done = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 80; ++i) {
    callers.emplace_back([&] {
      const std::string outcome = Called(*plugin, "rest", R"({"ms": 5})");
      ++(outcome == "E_BUSY" ? busy : done);
    });
    if (i == 0) std::this_thread::sleep_for(milliseconds(1));
  }
  callers.clear();
  EXPECT_EQ(busy + done, 80);
  EXPECT_GE(done, 65);
}

TEST(Resident, attack_168_ANewVersionInServiceGoesOnWhereTheOldOneEnded) {
  const Folder folder;
  auto host = HostWith();
  const auto source = folder.Plugin("lifecycle: { drain: 30s, state: { snapshot: 1h } }");
  auto deployment = host->Deploy(source, {.grants = {"instance:resident"}});
  ASSERT_TRUE(deployment) << deployment.error().message;
  std::atomic<bool> stop = false;
  std::atomic<int> added = 0, wrong = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        const auto answer = deployment->Call("add", R"({"n": 1})");
        ++(answer ? added : wrong);
        if (!answer) ADD_FAILURE() << answer.error().message;
      }
    });
  }
  for (int version = 0; version < 4; ++version) {
    std::this_thread::sleep_for(milliseconds(20));
    std::ofstream(source / "plugin.wasm", std::ios::binary | std::ios::app) << std::string("\0\3\1xy", 5);
    const auto reloaded = deployment->Reload();
    EXPECT_TRUE(reloaded) << reloaded.error().message;
  }
  stop = true;
  callers.clear();
  // No call was lost, nor run twice, nor forgotten.
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(deployment->Call("rest", R"({"ms": 0})")->json, std::to_string(added));
}

TEST(Resident, WhatWasTakenBackEndsIt) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin(""));
  ASSERT_TRUE(plugin);
  EXPECT_EQ(Add(*plugin, 1), "1");
  ASSERT_TRUE(plugin->Revoke("instance:resident"));
  EXPECT_EQ(Add(*plugin, 1), "E_DENIED");
}

TEST(Resident, OneThreadLooksAfterAllOfThem) {
  const Folder folder;
  auto host = HostWith();
  const std::string probes = "lifecycle: { liveness: { every: 1h } }";
  auto warm = Load(*host, folder.Plugin("", "resident", "warm"));
  ASSERT_TRUE(warm && warm->Start());
  const int before = Threads();
  auto first = Load(*host, folder.Plugin(probes, "resident", "first"));
  ASSERT_TRUE(first && first->Start());
  const int with_one = Threads();
  auto second = Load(*host, folder.Plugin(probes, "resident", "second"));
  ASSERT_TRUE(second && second->Start());
  EXPECT_EQ(with_one, before + 1);
  EXPECT_EQ(Threads(), with_one);
  ASSERT_TRUE(host->Shutdown());
  EXPECT_LE(Threads(), before);
}

TEST(Pooled, CallsReuseAnInstanceUntilItFails) {
  const Folder folder;
  auto host = HostWith();
  const auto source = folder.Plugin("", "pooled");
  EXPECT_EQ(shop::CodeOf(Load(*host, source, "")), Code::kDenied);
  auto plugin = Load(*host, source, "instance:pooled");
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(Add(*plugin, 1), "1");
  EXPECT_EQ(Add(*plugin, 1), "2");
  EXPECT_EQ(Called(*plugin, "crash"), "E_TRAP");
  EXPECT_EQ(Add(*plugin, 1), "1");
  // A call that brings what the others do not have gets an instance of its own.
  cordon::CallOptions options;
  options.stdin_bytes = "x";
  EXPECT_EQ(Called(*plugin, "add", R"({"n": 1})", options), "1");
  EXPECT_EQ(Add(*plugin, 1), "2");
  EXPECT_FALSE(plugin->residency());
}

TEST(Pooled, CallsRunAtOnceAsBefore) {
  const Folder folder;
  auto host = HostWith();
  auto plugin = Load(*host, folder.Plugin("", "pooled"), "instance:pooled");
  ASSERT_TRUE(plugin);
  std::jthread other([&] { EXPECT_EQ(Called(*plugin, "rest", R"({"ms": 1000})"), "0"); });
  std::this_thread::sleep_for(milliseconds(100));
  cordon::CallOptions hurried;
  hurried.timeout = milliseconds(700);
  EXPECT_EQ(Called(*plugin, "add", R"({"n": 1})", hurried), "1");
}

}  // namespace
