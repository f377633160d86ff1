// Quotas while plugins run, by config.yaml and by the manifest: of one plugin, and of all in sum.
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <mutex>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using cordon::Host;
using cordon::Plugin;
using namespace std::chrono_literals;

constexpr char kSum[] = R"({"a":40,"b":2})";

// A host with a configuration, and plugins of guests that are there.
class Quotas : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cordon-quotas-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    fs::create_directory(folder_ / "data");
  }
  void TearDown() override {
    plugin_.reset();
    host_.reset();
    fs::remove_all(folder_);
  }

  // `quotas` is what stands under `plugins`.
  void Configure(const std::string& quotas, cordon::HostOptions options = {}) {
    std::ofstream(folder_ / "config.yaml") << "plugins:\n  enabled: true\n  " << quotas << "\n";
    options.config_file = folder_ / "config.yaml";
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    options.audit = audit_;
    auto host = Host::Create(std::move(options));
    ASSERT_TRUE(host) << host.error().message;
    ASSERT_TRUE(host->Register(shop::Prices()));
    host_.emplace(std::move(*host));
  }
  cordon::Result<Plugin> TryLoad(const std::string& guest, cordon::LoadOptions options = {}) {
    if (guest == "shop") options.grants = {"host:prices", "host:catalogue"};
    return host_->Load(shop::Guest(guest), options);
  }
  Plugin Load(const std::string& guest, cordon::LoadOptions options = {}) {
    auto plugin = TryLoad(guest, std::move(options));
    EXPECT_TRUE(plugin) << plugin.error().message;
    return *plugin;
  }
  // A plugin "acme/shop" with this in its manifest.
  cordon::Result<Plugin> LoadWith(const std::string& limits) {
    fs::create_directories(folder_ / "plugin");
    fs::copy_file(shop::Guest(), folder_ / "plugin" / "shop.wasm", fs::copy_options::overwrite_existing);
    std::ofstream(folder_ / "plugin" / "plugin.yaml")
        << "manifest: 1\nname: acme/shop\nversion: 1.0.0\n"
           "runtime: { abi: component, artifact: shop.wasm }\n"
           "permissions: { required: [ { host: [prices, catalogue] } ] }\n"
           "actions:\n"
           "  add: { export: \"acme:shop/till#add\" }\n"
           "  ask: { export: \"acme:shop/till#ask-often\" }\n"
           "  blocked: { export: \"acme:shop/till#blocked\" }\n"
           "limits: "
        << limits << "\n";
    cordon::LoadOptions options;
    options.grants = {"host:prices", "host:catalogue"};
    return host_->Load(folder_ / "plugin", options);
  }
  // The guest that works with files, and its folder to write in.
  Plugin LoadFiles() {
    cordon::LoadOptions options;
    options.mounts.push_back({folder_ / "data", "/data", cordon::Access::kWrite});
    return Load("files", options);
  }

  static const cordon::QuotaUse* Find(const cordon::UsageTotals& totals, std::string_view quota) {
    for (const cordon::QuotaUse& one : totals.quotas) {
      if (one.quota == quota) return &one;
    }
    return nullptr;
  }
  static void ExpectBusy(const cordon::Result<cordon::Answer>& answer, std::string_view quota, std::string_view of) {
    ASSERT_FALSE(answer) << "it ran";
    EXPECT_EQ(answer.error().code, Code::kBusy) << answer.error().message;
    EXPECT_EQ(answer.error().Detail("quota"), quota);
    EXPECT_EQ(answer.error().Detail("of"), of);
    EXPECT_FALSE(answer.error().Detail("retry-after").empty());
  }
  // Runs `call` while one call of `plugin` is in its host function, and waits for both.
  void During(const Plugin& plugin, const char* action, const std::function<void()>& call) {
    auto running = std::async(std::launch::async, [&] { return plugin.Call(action, "{}").has_value(); });
    // Admitted: it counts as running a moment before.
    const auto is_held = [](const cordon::UsageTotals& totals) {
      const cordon::QuotaUse *calls = Find(totals, "concurrency"), *memory = Find(totals, "memory");
      return (calls != nullptr && calls->used > 0) || (memory != nullptr && memory->used > 0);
    };
    while (!is_held(plugin.Totals()) && !is_held(host_->Totals())) std::this_thread::yield();
    call();
    EXPECT_TRUE(running.get()) << "what runs is not disturbed";
  }

  fs::path folder_;
  std::shared_ptr<cordon::AuditMemory> audit_ = cordon::AuditMemory::Make();
  std::optional<Host> host_;
  std::optional<Plugin> plugin_;
};

TEST_F(Quotas, OneCallMoreThanAreAllowedAtOnceIsBusy) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }");
  const Plugin shop = Load("shop");
  During(shop, "blocked", [&] {
    ExpectBusy(shop.Call("add", kSum), "concurrency", "shop");
    const auto totals = shop.Totals();
    EXPECT_EQ(totals.running, 1u);
    EXPECT_EQ(Find(totals, "concurrency")->used, 1u);
  });
  EXPECT_TRUE(shop.Call("add", kSum));
  const auto totals = shop.Totals();
  EXPECT_EQ(totals.calls, 3u);
  EXPECT_EQ(totals.failures, 1u);
  EXPECT_EQ(Find(totals, "concurrency")->refused, 1u);
  EXPECT_EQ(Find(totals, "concurrency")->used, 0u);
}

TEST_F(Quotas, TheSumIsOfAllPlugins) {
  Configure("quotas: { concurrency: 1 }");
  const Plugin shop = Load("shop"), other = Load("bench");
  During(shop, "blocked", [&] { ExpectBusy(other.Call("add", kSum), "concurrency", "all"); });
  EXPECT_TRUE(other.Call("add", kSum));
  EXPECT_EQ(host_->Totals().calls, 3u);
  EXPECT_EQ(Find(host_->Totals(), "concurrency")->refused, 1u);
  EXPECT_EQ(Find(other.Totals(), "concurrency"), nullptr) << "it has none of its own";
}

TEST_F(Quotas, AnAuthorMayAskForLessThanTheOperatorAllows) {
  Configure("entries: { acme/shop: { quotas: { concurrency: 5, io: { requests: 2/h } } } }");
  const auto shop = LoadWith("{ concurrency: 1, io: { requests: 100/h } }");
  ASSERT_TRUE(shop) << shop.error().message;
  EXPECT_EQ(Find(shop->Totals(), "concurrency")->limit, 1u) << "the author's";
  EXPECT_EQ(Find(shop->Totals(), "io.requests")->limit, 2u) << "the operator's";
  During(*shop, "blocked", [&] { ExpectBusy(shop->Call("add", kSum), "concurrency", "acme/shop"); });
}

TEST_F(Quotas, AManifestAloneIsHeldToo) {
  Configure("level: default");
  const auto shop = LoadWith("{ io: { requests: 3/h } }");
  ASSERT_TRUE(shop) << shop.error().message;
  EXPECT_TRUE(shop->Call("ask", R"({"times": 3})"));
  EXPECT_EQ(shop::CodeOf(shop->Call("ask", R"({"times": 1})")), Code::kLimit);
  EXPECT_EQ(Find(shop->Totals(), "io.requests")->refused, 1u);
}

TEST_F(Quotas, LoadingAPluginAnewGivesNothingBack) {
  Configure("entries: { shop: { quotas: { io: { requests: 3/h } } } }");
  EXPECT_TRUE(Load("shop").Call("ask-often", R"({"times": 3})"));
  EXPECT_EQ(shop::CodeOf(Load("shop").Call("ask-often", R"({"times": 1})")), Code::kLimit);
}

TEST_F(Quotas, MemoryIsReservedForCallsAndInstances) {
  Configure("quotas: { memory: 150MiB }\n  limits: { memory: 100MiB }");
  const Plugin shop = Load("shop");
  {
    auto instance = shop.NewInstance();
    ASSERT_TRUE(instance) << instance.error().message;
    ExpectBusy(shop.Call("add", kSum), "memory", "all");
    EXPECT_EQ(shop::CodeOf(shop.NewInstance()), Code::kBusy);
    EXPECT_TRUE(instance->Call("add", kSum)) << "it has its memory";
    EXPECT_EQ(Find(host_->Totals(), "memory")->used, 100u << 20);
  }
  EXPECT_TRUE(shop.Call("add", kSum));
  EXPECT_EQ(Find(host_->Totals(), "memory")->used, 0u);
  EXPECT_EQ(host_->Totals().memory_reserved_peak_bytes, 100u << 20);
}

TEST_F(Quotas, CpuTimeOfAPeriodEndsACallAndRefusesTheNext) {
  Configure("entries: { shop: { quotas: { cpu: { time: 50ms, per: 1h } } } }");
  const Plugin shop = Load("shop");
  const auto spin = shop.Call("spin", "{}");
  ASSERT_FALSE(spin);
  EXPECT_EQ(spin.error().code, Code::kCpu) << spin.error().message;
  EXPECT_EQ(spin.error().Detail("quota"), "cpu.time");
  ExpectBusy(shop.Call("add", kSum), "cpu.time", "shop");
  EXPECT_GE(shop.Totals().cpu, 40ms);
}

TEST_F(Quotas, AShareIsHeldOnAverage) {
  Configure("entries: { shop: { quotas: { cpu: { share: 0.02 } } } }");
  const Plugin shop = Load("shop");
  cordon::CallOptions call;
  call.timeout = 300ms;
  EXPECT_EQ(shop::CodeOf(shop.Call("spin", "{}", call)), Code::kTimeout);
  if (shop::kInWorkers) {
    EXPECT_LT(shop.Totals().cpu, 200ms) << "the worker stood still most of the time";
  } else {
    ExpectBusy(shop.Call("add", kSum), "cpu.share", "shop");
  }
}

// 64 KiB at a KiB a second take longer than the call may.
TEST_F(Quotas, AFileIsWrittenAndReadNoFasterThanItsRate) {
  const std::string write = R"({"file": 0, "offset": 0, "content": [)" + [] {
    std::string bytes = "1";
    for (int i = 1; i < 65536; ++i) bytes += ",1";
    return bytes;
  }() + "]}";
  const struct Case {
    const char* quota;
    const char* rate;
    bool write;
  } cases[] = {{"io.write", "write: 1KiB/s", true}, {"io.read", "read: 1KiB/s", false}, {"", "read: 10GiB/s", true}};
  for (const Case& one : cases) {
    host_.reset();
    Configure("entries: { files: { quotas: { io: { " + std::string(one.rate) + " } } } }");
    std::ofstream(folder_ / "data" / "x") << std::string(65536, 'x');
    const Plugin files = LoadFiles();
    auto instance = files.NewInstance();
    ASSERT_TRUE(instance) << instance.error().message;
    ASSERT_TRUE(instance->Call("preopens", "{}"));
    const auto open = instance->Call("open", R"({"folder": 0, "path": "x", "how": ["read", "write"]})");
    ASSERT_TRUE(open) << open.error().message;
    ASSERT_EQ(open->json, R"({"ok":0})");
    cordon::CallOptions call;
    call.timeout = 400ms;
    const auto moved = one.write ? instance->Call("write", write, call)
                                 : instance->Call("read", R"({"file": 0, "offset": 0, "length": 65536})", call);
    if (*one.quota == 0) {
      EXPECT_TRUE(moved) << moved.error().message;
      continue;
    }
    EXPECT_EQ(shop::CodeOf(moved), Code::kTimeout) << one.quota;
    EXPECT_GT(Find(files.Totals(), one.quota)->waited, 10s) << one.quota;
  }
}

TEST_F(Quotas, AStreamOfAFileIsHeldToo) {
  Configure("entries: { files: { quotas: { io: { write: 1KiB/s } } } }");
  std::ofstream(folder_ / "data" / "x") << "x";
  const Plugin files = LoadFiles();
  auto instance = files.NewInstance();
  ASSERT_TRUE(instance);
  ASSERT_TRUE(instance->Call("preopens", "{}"));
  ASSERT_TRUE(instance->Call("open", R"({"folder": 0, "path": "x", "how": ["write"]})"));
  std::string bytes = "1";
  for (int i = 1; i < 3000; ++i) bytes += ",1";
  cordon::CallOptions call;
  call.timeout = 400ms;
  const std::string input = R"({"file": 0, "offset": 0, "content": [)" + bytes + "]}";
  EXPECT_EQ(shop::CodeOf(instance->Call("write-stream", input, call)), Code::kTimeout);
  EXPECT_GT(Find(files.Totals(), "io.write")->waited, 1s);
}

TEST_F(Quotas, OperationsOnFilesHaveARate) {
  Configure("entries: { files: { quotas: { io: { operations: 3/h } } } }");
  const Plugin files = LoadFiles();
  auto instance = files.NewInstance();
  ASSERT_TRUE(instance);
  ASSERT_TRUE(instance->Call("preopens", "{}"));
  cordon::CallOptions call;
  call.timeout = 400ms;
  int done = 0;
  for (; done < 10; ++done) {
    const std::string path = "f" + std::to_string(done);
    const auto made = instance->Call("make-folder", R"({"folder": 0, "path": ")" + path + "\"}", call);
    if (made) continue;
    EXPECT_EQ(made.error().code, Code::kTimeout) << made.error().message;
    break;
  }
  EXPECT_EQ(done, 3);
  instance = files.NewInstance();
  EXPECT_EQ(files.Totals().file_operations >= 3, true) << files.Totals().file_operations;
}

TEST_F(Quotas, AnAlertIsToldToTheProgramAndTheAudit) {
  std::mutex mutex;
  std::vector<cordon::QuotaAlert> alerts;
  cordon::HostOptions options;
  options.on_quota = [&](const cordon::QuotaAlert& alert) {
    const std::lock_guard lock(mutex);
    alerts.push_back(alert);
    throw std::runtime_error("no concern of the call");
  };
  Configure("entries: { shop: { quotas: { io: { requests: 10/h }, alert: 50% } } }", std::move(options));
  const Plugin shop = Load("shop");
  EXPECT_TRUE(shop.Call("ask-often", R"({"times": 4})"));
  EXPECT_TRUE(alerts.empty());
  EXPECT_TRUE(shop.Call("ask-often", R"({"times": 4})"));
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].plugin + " " + alerts[0].quota, "shop io.requests");
  EXPECT_EQ(alerts[0].used, 5u);
  EXPECT_EQ(alerts[0].limit, 10u);
  int notes = 0;
  for (const cordon::AuditRecord& record : audit_->records()) {
    if (record.event == "note" && record.rule == "quota:io.requests" && record.plugin == "shop") ++notes;
  }
  EXPECT_EQ(notes, 1);
}

TEST_F(Quotas, WhatWasUsedIsKnownWithoutAQuotaToo) {
  Configure("level: default");
  const Plugin files = LoadFiles();
  std::ofstream(folder_ / "data" / "x") << std::string(1000, 'x');
  {
    auto instance = files.NewInstance();
    ASSERT_TRUE(instance);
    ASSERT_TRUE(instance->Call("preopens", "{}"));
    ASSERT_TRUE(instance->Call("open", R"({"folder": 0, "path": "x", "how": ["read", "write"]})"));
    ASSERT_TRUE(instance->Call("read", R"({"file": 0, "offset": 0, "length": 500})"));
    ASSERT_TRUE(instance->Call("write", R"({"file": 0, "offset": 0, "content": [1,2,3]})"));
    ASSERT_TRUE(instance->Call("write-stream", R"({"file": 0, "offset": 0, "content": [1,2,3,4]})"));
  }
  const auto totals = files.Totals();
  EXPECT_EQ(totals.calls, 5u);
  EXPECT_EQ(totals.file_read_bytes, 500u);
  EXPECT_EQ(totals.file_written_bytes, 7u);
  EXPECT_GE(totals.file_operations, 4u);
  EXPECT_GT(totals.input_bytes, 0u);
  EXPECT_GT(totals.output_bytes, 500u);
  EXPECT_GT(totals.memory_peak_bytes, 0u);
  EXPECT_GT(totals.host_calls, 0u);
  EXPECT_EQ(totals.running, 0u);
  EXPECT_TRUE(totals.quotas.empty());
  const std::string metrics = host_->Metrics();
  for (const char* row : {"cordon_file_bytes_total{plugin=\"files\",direction=\"read\"} 500\n",
                          "cordon_file_bytes_total{plugin=\"files\",direction=\"write\"} 7\n",
                          "cordon_calls_running{plugin=\"files\"} 0\n", "cordon_call_cpu_seconds_total{plugin="}) {
    EXPECT_NE(metrics.find(row), metrics.npos) << row << metrics;
  }
  EXPECT_EQ(metrics.find("cordon_quota"), metrics.npos);
}

TEST_F(Quotas, TypedCallsOfAnInstanceAreCounted) {
  Configure("level: default");
  const Plugin shop = Load("shop");
  auto add = shop.Function<std::int32_t(std::int32_t, std::int32_t)>("acme:shop/till#add");
  ASSERT_TRUE(add) << add.error().message;
  {
    auto instance = shop.NewInstance();
    ASSERT_TRUE(instance);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(add->On(*instance, 1, 2));
  }
  EXPECT_EQ(shop.Totals().calls, 10u);
  EXPECT_EQ(shop.Totals().input_bytes, 80u);
}

TEST_F(Quotas, TypedCallsAreHeldToo) {
  Configure("entries: { shop: { quotas: { cpu: { time: 30ms, per: 1h } } } }");
  const Plugin shop = Load("shop");
  auto add = shop.Function<std::int32_t(std::int32_t, std::int32_t)>("acme:shop/till#add");
  auto instance = shop.NewInstance();
  ASSERT_TRUE(add && instance);
  EXPECT_TRUE(add->On(*instance, 1, 2));
  EXPECT_FALSE(shop.Call("spin", "{}"));
  EXPECT_EQ(shop::CodeOf((*add)(1, 2)), Code::kBusy);
  EXPECT_EQ(shop::CodeOf(add->On(*instance, 1, 2)), Code::kBusy);
}

TEST_F(Quotas, TheMetricsHaveEachQuota) {
  Configure("quotas: { concurrency: 7 }\n  entries: { shop: { quotas: { io: { requests: 3/h } } } }");
  const Plugin shop = Load("shop");
  EXPECT_FALSE(shop.Call("ask-often", R"({"times": 4})"));
  const std::string metrics = host_->Metrics();
  for (const char* row : {"cordon_quota_limit{plugin=\"\",quota=\"concurrency\"} 7\n",
                          "cordon_quota_used{plugin=\"shop\",quota=\"io.requests\"} 3\n",
                          "cordon_quota_limit{plugin=\"shop\",quota=\"io.requests\"} 3\n",
                          "cordon_quota_refusals_total{plugin=\"shop\",quota=\"io.requests\"} 1\n",
                          "cordon_quota_alerts_total{plugin=\"shop\",quota=\"io.requests\"} 1\n",
                          "cordon_quota_wait_seconds_total{plugin=\"shop\",quota=\"io.requests\"} 0"}) {
    EXPECT_NE(metrics.find(row), metrics.npos) << row << metrics;
  }
}

// Whatever is asked for at once, no more runs than may; who is refused is told when to come again, and what runs ends.
TEST_F(Quotas, attack_21_TenThousandCallsAreBoundedAndToldWhenToComeAgain) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }");
  const Plugin shop = Load("shop");
  std::atomic<int> busy{0}, answered{0}, others{0};
  During(shop, "blocked", [&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 2500; ++n) {
          const auto answer = shop.Call("add", kSum);
          const bool is_told = !answer && answer.error().code == Code::kBusy &&
                               answer.error().Detail("quota") == "concurrency" &&
                               !answer.error().Detail("retry-after").empty();
          ++(answer ? answered : is_told ? busy : others);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(others.load(), 0);
  EXPECT_GT(busy.load(), 0);
  EXPECT_EQ(shop.Totals().calls, 10'001u);
  EXPECT_EQ(Find(shop.Totals(), "concurrency")->refused, static_cast<std::uint64_t>(busy.load()));
  EXPECT_EQ(shop.Totals().failures, static_cast<std::uint64_t>(busy.load()));
}

TEST_F(Quotas, attack_17_AFloodOfRandomBytesIsBounded) {
  Configure("limits: { memory: 80MiB }");
  const Plugin random = Load("a17_random");
  cordon::CallOptions call;
  call.timeout = 500ms;
  for (const char* given : {R"({"length": 67108864, "times": 1000})", R"({"length": 4096, "times": 1000000})"}) {
    const auto many = random.Call("many", given, call);
    ASSERT_FALSE(many) << given;
  }
  EXPECT_FALSE(random.Call("once", R"({"length": "9223372036854775808"})", call));
  EXPECT_LE(random.Totals().memory_peak_bytes, 80u << 20);
}

TEST_F(Quotas, attack_22_AFloodOfLinesIsCutWithACountedGapAndLosesNoDecision) {
  std::atomic<std::uint64_t> lines{0}, dropped{0};
  cordon::HostOptions options;
  options.log = [&](const cordon::LogLine& line) {
    ++lines;
    dropped += line.dropped_lines;
  };
  Configure("level: default", std::move(options));
  {
    const Plugin logging = Load("logging");
    EXPECT_TRUE(logging.Call("flood", R"({"times": 20000, "length": 1000})"));
    const Plugin shop = Load("shop");
    EXPECT_TRUE(shop.Call("price", R"({"article": "shoes"})"));
  }
  host_.reset();
  EXPECT_GT(dropped.load(), 0u);
  EXPECT_LT(lines.load(), 20000u);
  EXPECT_GE(lines.load() + dropped.load(), 20000u) << "every line is there, or counted";
  int decisions = 0;
  for (const cordon::AuditRecord& record : audit_->records()) {
    if (record.event == "decision" && record.plugin == "shop" && record.capability.starts_with("host:prices")) {
      ++decisions;
    }
  }
  EXPECT_GE(decisions, 1);
}

}  // namespace
