// Several tenants of one host: what ran for one of them is never used for another.
#include <signal.h>

#include <algorithm>
#include <future>
#include <set>

#include "processes.h"
#include "residents.h"

namespace {

using cordon::Code;
using processes::Workers;
using shop::CodeOf;
using namespace std::chrono_literals;

cordon::CallOptions Of(std::string tenant) {
  cordon::CallOptions options;
  options.principal.tenant = std::move(tenant);
  return options;
}

constexpr char kSum[] = R"({"a": 20, "b": 22})";
constexpr char kShoes[] = R"({"article": "shoes"})";

// A host with a configuration, in whose `plugins` stands `rest`.
class Configured {
 public:
  explicit Configured(const std::string& rest,
                      cordon::HostOptions::Placement placement = cordon::HostOptions::Placement::kWorkers) {
    Write(rest);
    cordon::HostOptions options;
    options.config_file = folder_.path() / "config.yaml";
    options.placement = placement;
    loaded_ = shop::Load(std::move(options));
    EXPECT_TRUE(loaded_.plugin) << loaded_.plugin.error().message;
  }
  void Write(const std::string& rest) const {
    std::ofstream(folder_.path() / "config.yaml") << "plugins:\n  enabled: true\n  " << rest << "\n";
  }
  const cordon::Plugin& plugin() const { return *loaded_.plugin; }
  cordon::Host& host() { return *loaded_.host; }
  const residents::Folder& folder() const { return folder_; }
  // How many workers were ended for this reason.
  int Retired(const std::string& reason) const {
    const std::string page = loaded_.host->Metrics();
    const std::string row = R"(cordon_workers_retired_total{plugin="shop",reason=")" + reason + "\"} ";
    const std::size_t at = page.find(row);
    return at == page.npos ? 0 : std::atoi(page.c_str() + at + row.size());
  }
  void Call(int times, const std::string& tenant = {}) const {
    for (int i = 0; i < times; ++i) {
      const auto answer = plugin().Call("price", kShoes, Of(tenant));
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(answer->json, "80");
    }
  }

 private:
  residents::Folder folder_;
  shop::Loaded loaded_;
};

TEST(Tenants, TheAuditSaysForWhomACallWas) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  EXPECT_EQ(loaded.plugin->Call("price", kShoes, Of("north"))->json, "80");
  EXPECT_EQ(CodeOf(loaded.plugin->Call("failing", "{}", Of("south"))), Code::kService);
  EXPECT_EQ(loaded.plugin->Call("price", kShoes)->json, "80");
  std::vector<std::string> seen;
  for (const cordon::AuditRecord& record : loaded.audit->records()) seen.push_back(record.event + ":" + record.tenant);
  const auto count = [&](const std::string& one) { return std::ranges::count(seen, one); };
  EXPECT_EQ(count("decision:north"), 1);
  EXPECT_EQ(count("call:north"), 1);
  EXPECT_EQ(count("decision:south"), 1);
  EXPECT_EQ(count("call:south"), 1);
}

TEST(Tenants, ANameIsBoundedAndSaysNothingToATerminal) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("add", kSum, Of("a\nb"))), Code::kInvalid);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("add", kSum, Of(std::string(257, 'x')))), Code::kLimit);
  EXPECT_EQ(loaded.plugin->Call("add", kSum, Of(std::string(256, 'x')))->json, "42");
  EXPECT_FALSE(loaded.plugin->NewInstance(Of("a\x1b[31m")));
}

// What would cross by a worker's memory, after an escape, has no worker to cross in.
TEST(Tenants, AWorkerThatServedOneServesNoOther) {
  const Configured host("isolation: { workers: { idle: 2 } }");
  std::map<std::string, std::set<pid_t>> served;
  const auto call = [&](const std::string& tenant) {
    const std::vector<pid_t> before = Workers();
    host.Call(1, tenant);
    for (const pid_t worker : Workers()) {
      if (std::ranges::find(before, worker) == before.end()) served[tenant].insert(worker);
    }
  };
  call("");  // in the worker that was made first
  const std::vector<pid_t> first = Workers();
  ASSERT_EQ(first.size(), 1u);
  call("");
  EXPECT_EQ(Workers(), first) << "those that name no tenant share";
  call("north");
  call("south");
  EXPECT_EQ(served["north"].size(), 1u);
  EXPECT_EQ(served["south"].size(), 1u);
  // Whatever tenants there are, no more wait than may be idle.
  EXPECT_TRUE(processes::Soon([] { return Workers().size() == 2; }));
  call("north");
  call("south");
  EXPECT_EQ(served["north"].size(), 1u) << "its own worker again";
  EXPECT_EQ(served["south"].size(), 1u);
  call("");
  EXPECT_EQ(served[""].size(), 1u) << "its first one had made way";
  EXPECT_EQ(host.Retired("idle"), 2);
}

TEST(Tenants, AnIdleWorkerMakesWayForAnotherTenant) {
  const Configured host("isolation: { workers: { most: 1 } }");
  host.Call(3, "north");
  const std::vector<pid_t> north = Workers();
  host.Call(2, "south");
  EXPECT_NE(Workers(), north);
  EXPECT_EQ(host.Retired("tenant"), 1);
}

// Calls that hold every worker, and more that wait, are one tenant's affair.
TEST(Tenants, NoneOfThemHasAllTheWorkers) {
  const Configured host("isolation: { workers: { most: 2 } }");
  host.Call(1, "south");
  host.Call(1, "north");
  std::vector<std::future<cordon::Result<cordon::Answer>>> held;
  for (int i = 0; i < 6; ++i) {
    held.push_back(std::async(std::launch::async, [&] { return host.plugin().Call("blocked", "{}", Of("north")); }));
  }
  for (int i = 0; i < 3; ++i) host.Call(1, "south");
  for (auto& one : held) {
    const auto answer = one.get();
    EXPECT_TRUE(answer || answer.error().code == Code::kBusy) << answer.error().message;
  }
}

TEST(Tenants, AnInstanceIsOfTheTenantItWasMadeFor) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  auto instance = loaded.plugin->NewInstance(Of("north"));
  ASSERT_TRUE(instance) << instance.error().message;
  EXPECT_EQ(instance->Call("price", kShoes)->json, "80");
  EXPECT_EQ(instance->Call("price", kShoes, Of("north"))->json, "80");
  const auto refused = instance->Call("price", kShoes, Of("south"));
  EXPECT_EQ(CodeOf(refused), Code::kDenied);
  EXPECT_EQ(refused.error().Detail("rule"), "tenant:instance");
  auto add = loaded.plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  ASSERT_TRUE(add);
  EXPECT_EQ(*add->On(*instance, 1, 2), 3);
  auto nobody = loaded.plugin->NewInstance();
  EXPECT_EQ(CodeOf(nobody->Call("price", kShoes, Of("north"))), Code::kDenied);
  for (const cordon::AuditRecord& record : loaded.audit->records()) {
    if (record.event != "decision" || record.target.empty()) continue;
    EXPECT_EQ(record.tenant, "north");
  }
}

TEST(Tenants, AResidentServesThemOnlyWhereTheOperatorSaysSo) {
  using Placement = cordon::HostOptions::Placement;
  const auto placement = shop::kInWorkers ? Placement::kWorkers : Placement::kInProcess;
  for (const std::string word : {"apart", "shared"}) {
    Configured host("entries: { acme/counter: { tenants: " + word + " } }", placement);
    auto plugin = residents::Load(host.host(), host.folder().Plugin(""));
    ASSERT_TRUE(plugin) << plugin.error().message;
    EXPECT_EQ(residents::Called(*plugin, "add", R"({"n": 2})"), "2");
    const auto answer = plugin->Call("add", R"({"n": 3})", Of("north"));
    if (word == "shared") {
      EXPECT_EQ(answer->json, "5");
      host.Write("entries: { acme/counter: { tenants: apart } }");
      EXPECT_TRUE(host.host().ReloadAll());
      EXPECT_EQ(CodeOf(plugin->Call("add", R"({"n": 3})", Of("north"))), Code::kDenied) << "taken back";
    } else {
      EXPECT_EQ(CodeOf(answer), Code::kDenied);
      EXPECT_EQ(answer.error().Detail("rule"), "tenant:resident");
    }
  }
}

TEST(Tenants, APooledInstanceIsNotTheirs) {
  const residents::Folder folder;
  auto host = residents::HostWith();
  auto plugin = residents::Load(*host, folder.Plugin("", "pooled"), "instance:pooled");
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(residents::Called(*plugin, "add", R"({"n": 2})"), "2");
  EXPECT_EQ(residents::Called(*plugin, "add", R"({"n": 2})"), "4");
  EXPECT_EQ(residents::Called(*plugin, "add", R"({"n": 2})", Of("north")), "2") << "an instance of its own";
  EXPECT_EQ(residents::Called(*plugin, "add", R"({"n": 2})"), "6");
}

// ---- When a worker is replaced -------------------------------------------------------------------------------------

TEST(Workers, OneIsReplacedAfterSoManyCalls) {
  const Configured host("isolation: { workers: { calls: 2 } }");
  host.Call(5);
  EXPECT_GE(host.Retired("calls"), 2);
}

TEST(Workers, OneIsReplacedAtAnAge) {
  const Configured host("isolation: { workers: { age: 1ms } }");
  host.Call(1);
  std::this_thread::sleep_for(5ms);
  host.Call(1);
  EXPECT_GE(host.Retired("age"), 1);
}

// As the kernel counts: what a worker says of itself counts for nothing.
TEST(Workers, OneThatHasGrownIsReplaced) {
  const std::string large = R"({"article": ")" + std::string(1 << 20, 'x') + "\"}";
  const auto retired = [&](const std::string& growth) {
    const Configured host("isolation: { workers: { growth: " + growth + " } }");
    for (int i = 0; i < 4; ++i) {
      const auto answer = host.plugin().Call("price", large);
      EXPECT_TRUE(answer) << answer.error().message;
    }
    host.Call(16);
    return host.Retired("memory");
  };
  EXPECT_GE(retired("64KiB"), 1);
  EXPECT_EQ(retired("64MiB"), 0);
}

TEST(Workers, NoMoreAreKeptThanMayBeIdle) {
  const Configured host("isolation: { workers: { idle: 0 } }");
  host.Call(3);
  EXPECT_GE(host.Retired("idle"), 3);
}

TEST(Workers, SoManyRunAtOnceAndTheNextCallWaits) {
  const Configured host("isolation: { workers: { most: 1 } }");
  auto held = std::async(std::launch::async, [&] { return host.plugin().Call("blocked", "{}"); });
  host.Call(1);
  EXPECT_TRUE(held.get());
  EXPECT_TRUE(processes::Soon([] { return Workers().size() <= 1; }));
}

TEST(Workers, WhatFailedIsNotUsedAgain) {
  const Configured host("isolation: { workers: { idle: 2 } }");
  EXPECT_EQ(CodeOf(host.plugin().Call("failing", "{}")), Code::kService);
  EXPECT_EQ(host.Retired("trap"), 1);
  cordon::CallOptions brief;
  brief.timeout = 20ms;
  EXPECT_EQ(CodeOf(host.plugin().Call("spin", "{}", brief)), Code::kTimeout);
  EXPECT_EQ(host.Retired("stopped"), 1);
  host.Call(1);
  for (const pid_t worker : Workers()) ::kill(worker, SIGKILL);
  // A call that meets it on its way out is lost with it.
  EXPECT_TRUE(processes::Soon([&] { return host.plugin().Call("price", kShoes).has_value(); }));
  EXPECT_EQ(host.Retired("lost"), 1);
}

}  // namespace
