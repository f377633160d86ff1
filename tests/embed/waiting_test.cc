// Calls that wait for the host: what a service answers later, and what waiting costs.
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>

#include "shop.h"

namespace {

using cordon::Code;
using shop::CodeOf;
using namespace std::chrono_literals;

// Keeps the questions that guests ask, until the test answers them.
class Questions {
 public:
  void Ask(cordon::Reply<void> reply) {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
    changed_.notify_all();
  }
  bool Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return replies_.size() >= count; });
  }
  std::vector<cordon::Reply<void>> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(replies_, {});
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<cordon::Reply<void>> replies_;
};

using Article = std::expected<shop::Article, std::string>;

struct Waiting {
  std::shared_ptr<Questions> questions = std::make_shared<Questions>();
  cordon::Result<cordon::Host> host = cordon::Fail(Code::kInternal, "not made");
  cordon::Result<cordon::Plugin> plugin = cordon::Fail(Code::kInternal, "not loaded");
};

// The shop, whose `wait` is answered when the test likes.
Waiting Load(cordon::HostOptions options = {}) {
  Waiting made;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  made.host = cordon::Host::Create(std::move(options));
  EXPECT_TRUE(made.host);
  cordon::Service prices("acme:shop/prices@1.0.0");
  prices
      .AsyncFunction("price-of", cordon::Needs("prices"),
                     [](cordon::Reply<std::optional<std::uint32_t>> reply, const std::string& article) {
                       if (article == "broken") throw std::runtime_error("out of paper");
                       if (article == "secret") return std::move(reply).Fail({Code::kDenied, "not for you"});
                       if (article != "lost") std::move(reply).Give(static_cast<std::uint32_t>(article.size()));
                     })
      .AsyncFunction("describe", cordon::Needs("catalogue").PerTarget(),
                     [](cordon::Reply<Article> reply, std::string article) {
                       std::thread([reply = std::move(reply), article]() mutable {
                         const bool asks = article != "careless";
                         if (asks && !reply.call().Allow(article)) {
                           return std::move(reply).Give(std::unexpected("not for you"));
                         }
                         std::move(reply).Give(shop::Article{article, 80, shop::Currency::usd});
                       }).detach();
                     })
      .AsyncFunction("total", cordon::Needs("prices"),
                     [](cordon::Reply<std::uint64_t> reply, const std::vector<std::uint32_t>& amounts) {
                       std::move(reply).Give(amounts.size());
                     })
      .AsyncFunction("wait", cordon::Needs("prices"),
                     [questions = made.questions](cordon::Reply<void> reply) { questions->Ask(std::move(reply)); })
      .Function("fail", cordon::Needs("prices"), [](const cordon::ServiceCall&) {});
  EXPECT_TRUE(made.host->Register(std::move(prices)));
  cordon::LoadOptions load;
  load.grants = {"host:prices", "host:catalogue:shoes", "host:catalogue:careless"};
  made.plugin = made.host->Load(shop::Guest(), load);
  EXPECT_TRUE(made.plugin) << made.plugin.error().message;
  return made;
}

std::size_t Threads() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST(Waiting, AnswersComeAtOnceOrLaterAndFromAnyThread) {
  auto made = Load();
  EXPECT_EQ(made.plugin->Call("price", R"({"article": "shoes"})")->json, "5");
  EXPECT_EQ(made.plugin->Call("total", R"({"amounts": [1, 2, 3]})")->json, "3");
  EXPECT_EQ(made.plugin->Call("describe", R"({"article": "shoes"})")->json,
            R"({"ok":{"name":"shoes","amount":80,"currency":"usd"}})");
}

TEST(Waiting, ManyCallsWaitAtOnceWithoutAThreadForEach) {
  const std::size_t many = shop::kInWorkers ? 8 : 400;
  cordon::HostOptions options;
  options.threads = 2;
  options.max_instances = 500;
  auto made = Load(std::move(options));
  std::vector<std::future<cordon::Result<cordon::Answer>>> calls;
  for (std::size_t i = 0; i < many; ++i) calls.push_back(made.plugin->Submit("blocked", "{}"));
  ASSERT_TRUE(made.questions->Await(many)) << made.questions->count();
  if (!shop::kInWorkers) {
    EXPECT_LT(Threads(), 40u);
  }
  for (auto& reply : made.questions->Take()) std::move(reply).Give();
  for (auto& call : calls) {
    const auto answer = call.get();
    EXPECT_TRUE(answer) << answer.error().message;
  }
}

TEST(Waiting, AGuestThatComputesLetsTheOthersOfItsThreadGoOn) {
  cordon::HostOptions options;
  options.threads = 1;
  auto made = Load(std::move(options));
  cordon::CallOptions short_time;
  short_time.timeout = 20s;
  short_time.cancel = cordon::CancelToken::Make();
  auto spinning = made.plugin->Submit("spin", "{}", short_time);
  auto greeting = made.plugin->Submit("greet", R"({"name": "Ada"})");
  ASSERT_EQ(greeting.wait_for(15s), std::future_status::ready);
  EXPECT_EQ(spinning.wait_for(0s), std::future_status::timeout);
  EXPECT_EQ(greeting.get()->json, R"("hello, Ada")");
  short_time.cancel.Cancel();
  EXPECT_EQ(CodeOf(spinning.get()), Code::kInterrupted);
}

TEST(Waiting, ADeadlineEndsACallThatWaitsAndALateAnswerIsNobodys) {
  auto made = Load();
  cordon::CallOptions brief;
  brief.timeout = 100ms;
  EXPECT_EQ(CodeOf(made.plugin->Submit("blocked", "{}", brief).get()), Code::kTimeout);
  ASSERT_TRUE(made.questions->Await(1));
  for (auto& reply : made.questions->Take()) std::move(reply).Give();
  // And of a call that keeps its caller's thread.
  EXPECT_EQ(CodeOf(made.plugin->Call("blocked", "{}", brief)), Code::kTimeout);
  EXPECT_EQ(made.plugin->Call("price", R"({"article": "hat"})")->json, "3");
}

TEST(Waiting, CancellingEndsACallThatWaits) {
  auto made = Load();
  cordon::CallOptions options;
  options.cancel = cordon::CancelToken::Make();
  auto call = made.plugin->Submit("blocked", "{}", options);
  ASSERT_TRUE(made.questions->Await(1));
  options.cancel.Cancel();
  EXPECT_EQ(CodeOf(call.get()), Code::kInterrupted);
}

TEST(Waiting, ShutdownEndsWhatWaitsAndAnswersOutliveTheHost) {
  auto made = Load();
  std::vector<std::future<cordon::Result<cordon::Answer>>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(made.plugin->Submit("blocked", "{}"));
  ASSERT_TRUE(made.questions->Await(6));
  EXPECT_TRUE(made.host->Shutdown());
  for (auto& call : calls) EXPECT_EQ(CodeOf(call.get()), Code::kInterrupted);
  auto replies = made.questions->Take();
  made.plugin = cordon::Fail(Code::kInternal, "let go");
  made.host = cordon::Fail(Code::kInternal, "let go");
  for (auto& reply : replies) std::move(reply).Give();
}

TEST(Waiting, AnAnswerThatIsLetGoEndsTheGuestsCall) {
  if (shop::kSanitized && !shop::kSanitizedThreads) {
    GTEST_SKIP() << "AddressSanitizer knows no stack but a thread's, and this service throws on another";
  }
  auto made = Load();
  const auto lost = made.plugin->Call("price", R"({"article": "lost"})");
  ASSERT_EQ(CodeOf(lost), Code::kService);
  EXPECT_NE(lost.error().message.find("without an answer"), std::string::npos) << lost.error().message;
  EXPECT_EQ(CodeOf(made.plugin->Call("price", R"({"article": "broken"})")), Code::kService);
  const auto refused = made.plugin->Call("price", R"({"article": "secret"})");
  ASSERT_EQ(CodeOf(refused), Code::kDenied);
  EXPECT_NE(refused.error().message.find("not for you"), std::string::npos) << refused.error().message;
}

TEST(Waiting, WhatIsGrantedPerTargetIsAskedForBeforeItIsAnswered) {
  auto made = Load();
  EXPECT_EQ(made.plugin->Call("describe", R"({"article": "gold"})")->json, R"({"err":"not for you"})");
  EXPECT_EQ(CodeOf(made.plugin->Call("describe", R"({"article": "careless"})")), Code::kDenied);
}

TEST(Waiting, AFullQueueSaysWhenToComeAgain) {
  cordon::HostOptions options;
  options.threads = 1;
  options.max_instances = 1;
  options.queue_max = 2;
  auto made = Load(std::move(options));
  std::vector<std::future<cordon::Result<cordon::Answer>>> calls;
  calls.push_back(made.plugin->Submit("blocked", "{}"));
  ASSERT_TRUE(made.questions->Await(1));
  for (int i = 0; i < 2; ++i) calls.push_back(made.plugin->Submit("add", R"({"a": 1, "b": 2})"));
  const auto refused = made.plugin->Submit("add", R"({"a": 1, "b": 2})").get();
  ASSERT_EQ(CodeOf(refused), Code::kBusy);
  EXPECT_FALSE(refused.error().Detail("retry-after").empty());
  for (auto& reply : made.questions->Take()) std::move(reply).Give();
  for (auto& call : calls) EXPECT_TRUE(call.get());
}

TEST(Waiting, APluginThatFillsTheQueueMakesWayForAnother) {
  cordon::HostOptions options;
  options.threads = 1;
  options.max_instances = 1;
  options.queue_max = 4;
  auto made = Load(std::move(options));
  cordon::LoadOptions load;
  load.grants = {"host:prices", "host:catalogue:shoes"};
  const auto other = made.host->Load(shop::Guest(), load);
  ASSERT_TRUE(other);
  std::vector<std::future<cordon::Result<cordon::Answer>>> greedy;
  greedy.push_back(made.plugin->Submit("blocked", "{}"));
  ASSERT_TRUE(made.questions->Await(1));
  for (int i = 0; i < 4; ++i) greedy.push_back(made.plugin->Submit("add", R"({"a": 1, "b": 2})"));
  auto modest = other->Submit("add", R"({"a": 40, "b": 2})");
  for (auto& reply : made.questions->Take()) std::move(reply).Give();
  EXPECT_EQ(modest.get()->json, "42");
  int refused = 0;
  for (auto& call : greedy) refused += call.get() ? 0 : 1;
  EXPECT_EQ(refused, 1);
}

}  // namespace
