// Asynchronous calls whose plugin has no room under its quota: they wait for it, and nobody else does.
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using cordon::Plugin;
using namespace std::chrono_literals;
using Answer = std::future<cordon::Result<cordon::Answer>>;

constexpr char kSum[] = R"({"a":40,"b":2})";

// A shop that answers what it is asked for the price of "held" when it is let.
class Room : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cordon-room-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override {
    Let();
    host_.reset();
    fs::remove_all(folder_);
  }

  // `config` is what stands under `plugins`.
  void Configure(const std::string& config, cordon::HostOptions options = {}) {
    std::ofstream(folder_ / "config.yaml") << "plugins:\n  enabled: true\n  " << config << "\n";
    options.config_file = folder_ / "config.yaml";
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    auto host = cordon::Host::Create(std::move(options));
    ASSERT_TRUE(host) << host.error().message;
    host_.emplace(std::move(*host));
    ASSERT_TRUE(host_->Register(shop::PricesWith([this]() -> std::optional<std::uint32_t> {
      std::unique_lock lock(mutex_);
      ++held_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return let_; });
      return 1;
    })));
  }
  Plugin Load(const std::string& guest) {
    cordon::LoadOptions options;
    if (guest == "shop") options.grants = {"host:prices", "host:catalogue"};
    auto plugin = host_->Load(shop::Guest(guest), options);
    EXPECT_TRUE(plugin) << plugin.error().message;
    return *plugin;
  }
  // A call that has its place, and keeps it until Let.
  Answer Hold(const Plugin& plugin) {
    auto answer = plugin.Submit("price", R"({"article":"held"})");
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_ > 0; });
    return answer;
  }
  void Let() {
    const std::lock_guard lock(mutex_);
    let_ = true;
    changed_.notify_all();
  }
  static std::uint64_t RefusedOf(const cordon::UsageTotals& totals, std::string_view quota) {
    for (const cordon::QuotaUse& one : totals.quotas) {
      if (one.quota == quota) return one.refused;
    }
    return 0;
  }

  fs::path folder_;
  std::optional<cordon::Host> host_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int held_ = 0;
  bool let_ = false;
};

TEST_F(Room, OneCallAtATimeAndAllOfThemAreAnswered) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }");
  const Plugin shop = Load("shop"), bench = Load("bench");
  std::vector<Answer> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(shop.Submit("add", kSum));
  for (int i = 0; i < 20; ++i) answers.push_back(bench.Submit("add", kSum));
  for (Answer& one : answers) {
    const auto answer = one.get();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->json, "42");
  }
  EXPECT_EQ(RefusedOf(shop.Totals(), "concurrency"), 0u) << "who waited was not refused";
}

TEST_F(Room, OthersGoOnMeanwhile) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }", {.threads = 1});
  const Plugin shop = Load("shop"), bench = Load("bench");
  Answer holds = Hold(shop);
  std::vector<Answer> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(shop.Submit("add", kSum));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bench.Submit("add", kSum).get()->json, "42");
  for (Answer& one : waiting) EXPECT_EQ(one.wait_for(0s), std::future_status::timeout);
  EXPECT_EQ(shop.Totals().waiting, 10u);
  Let();
  EXPECT_TRUE(holds.get());
  for (Answer& one : waiting) EXPECT_EQ(one.get()->json, "42");
}

TEST_F(Room, PlacesOfAllInSumAreTakenInTurn) {
  Configure("quotas: { concurrency: 1 }");
  const Plugin shop = Load("shop"), bench = Load("bench");
  Answer holds = Hold(shop);
  std::vector<Answer> answers;
  for (int i = 0; i < 20; ++i) {
    answers.push_back(shop.Submit("add", kSum));
    answers.push_back(bench.Submit("add", kSum));
  }
  Let();
  for (Answer& one : answers) EXPECT_EQ(one.get()->json, "42");
}

TEST_F(Room, ACallThatDoesNotWaitInTheQueueLetsTheOthersInToo) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }");
  const Plugin shop = Load("shop");
  std::jthread caller([&] { EXPECT_TRUE(shop.Call("price", R"({"article":"held"})")); });
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_ > 0; });
  }
  Answer waiting = shop.Submit("add", kSum);
  EXPECT_EQ(shop.Call("add", kSum).error().code, Code::kBusy) << "whoever calls it directly is told at once";
  Let();
  EXPECT_EQ(waiting.get()->json, "42");
}

TEST_F(Room, WhatHasWaitedForLongEnoughIsToldWhy) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }", {.queue_wait_max = 50ms});
  const Plugin shop = Load("shop");
  Answer holds = Hold(shop);
  const auto busy = shop.Submit("add", kSum).get();
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Code::kBusy);
  EXPECT_EQ(busy.error().Detail("quota"), "concurrency");
  EXPECT_EQ(busy.error().Detail("of"), "shop");
  EXPECT_FALSE(busy.error().Detail("retry-after").empty());
  EXPECT_EQ(RefusedOf(shop.Totals(), "concurrency"), 1u);
  cordon::CallOptions brief;
  brief.timeout = 10ms;
  EXPECT_EQ(shop.Submit("add", kSum, brief).get().error().code, Code::kTimeout);
}

TEST_F(Room, WhatIsCancelledMeanwhileEnds) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }");
  const Plugin shop = Load("shop");
  Answer holds = Hold(shop);
  cordon::CallOptions options;
  options.cancel = cordon::CancelToken::Make();
  Answer waiting = shop.Submit("add", kSum, options);
  options.cancel.Cancel();
  EXPECT_EQ(waiting.get().error().code, Code::kInterrupted);
}

TEST_F(Room, ShutdownEndsWhatWaits) {
  Configure("entries: { shop: { quotas: { concurrency: 1 } } }");
  const Plugin shop = Load("shop");
  Answer holds = Hold(shop);
  Answer waiting = shop.Submit("add", kSum);
  std::jthread lets([&] {
    waiting.wait();
    Let();
  });
  EXPECT_TRUE(host_->Shutdown());
  lets.join();  // a future is one thread's
  EXPECT_EQ(waiting.get().error().code, Code::kUnavailable);
  (void)holds.get();
}

// No wait helps there.
TEST_F(Room, WhatCannotEverHaveItsPlaceIsRefusedAtOnce) {
  Configure("entries: { shop: { quotas: { memory: 64KiB } }, bench: { quotas: { cpu: { time: 10ms, per: 1h } } } }");
  const auto refused = Load("shop").Submit("add", kSum).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBusy);
  EXPECT_EQ(refused.error().Detail("quota"), "memory");
  const Plugin bench = Load("bench");
  EXPECT_EQ(bench.Submit("spin", "{}").get().error().code, Code::kCpu);
  const auto late = bench.Submit("add", kSum).get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().Detail("quota"), "cpu.time");
}

TEST_F(Room, TimeThatComesBackIsWaitedFor) {
  Configure("entries: { bench: { quotas: { cpu: { time: 20ms, per: 1s } } } }");
  const Plugin bench = Load("bench");
  EXPECT_EQ(bench.Submit("spin", "{}").get().error().code, Code::kCpu);
  EXPECT_EQ(bench.Submit("add", kSum).get()->json, "42") << "in the next period";
}

// Both plugins have one thread, which a request over its rate does not keep.
TEST(Throttle, ARequestThatWaitsForItsRateKeepsNoThreadFromOthers) {
  std::string pattern = (fs::temp_directory_path() / "cordon-room-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  std::ofstream(folder / "config.yaml")
      << "plugins: { enabled: true, entries: { held: { quotas: { io: { requests: 1/s } } } } }\n";
  {
    cordon::HostOptions options;
    options.config_file = folder / "config.yaml";
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    options.threads = 1;
    auto host = cordon::Host::Create(std::move(options));
    ASSERT_TRUE(host) << host.error().message;
    ASSERT_TRUE(host->Register(shop::Prices()));
    std::ifstream file(shop::Guest(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    const auto load = [&](std::string_view name) {
      return host->LoadBytes(name, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                             {.grants = {"host:prices", "host:catalogue"}});
    };
    const auto held = load("held"), other = load("other");
    ASSERT_TRUE(held && other);
    const char* const amounts = R"({"amounts": [1, 2, 3]})";
    EXPECT_EQ(held->Submit("total", amounts).get()->json, "6");
    Answer late = held->Submit("total", amounts);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(other->Submit("total", amounts).get()->json, "6");
    EXPECT_EQ(late.wait_for(0s), std::future_status::timeout);
    const auto answer = late.get();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->json, "6");
  }
  fs::remove_all(folder);
}

}  // namespace
