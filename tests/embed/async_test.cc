// Calls with a callback and with co_await.
#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <mutex>

#include "shop.h"

namespace {

using cordon::Code;
using shop::CodeOf;

// An event loop of one thread, as an embedder has.
class Loop {
 public:
  cordon::Executor executor() {
    return [this](std::move_only_function<void()> work) {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
      ready_.notify_one();
    };
  }
  // Runs work until `done`, at most 30 seconds.
  template <typename Done>
  bool RunUntil(Done done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      std::unique_lock lock(mutex_);
      if (!ready_.wait_until(lock, end, [&] { return !work_.empty(); })) return false;
      auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      work();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::move_only_function<void()>> work_;
};

// The smallest coroutine type: starts at once, and nobody waits for it.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

TEST(Async, ACallbackRunsOnTheCallersExecutor) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  Loop loop;
  std::optional<cordon::Result<cordon::Answer>> answer;
  std::thread::id ran_on;
  loaded.plugin->CallAsync("greet", R"({"name": "Ada"})", loop.executor()).Then([&](auto result) {
    ran_on = std::this_thread::get_id();
    answer.emplace(std::move(result));
  });
  ASSERT_TRUE(loop.RunUntil([&] { return answer.has_value(); }));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  ASSERT_TRUE(*answer) << answer->error().message;
  EXPECT_EQ((*answer)->json, R"("hello, Ada")");
}

TEST(Async, CoroutinesAwaitCallsAndTypedCalls) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  const auto add = loaded.plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  ASSERT_TRUE(add);
  Loop loop;
  bool done = false;
  std::string greeting;
  std::int32_t sum = 0;
  const auto work = [&]() -> Detached {
    cordon::Result<cordon::Answer> answer =
        co_await loaded.plugin->CallAsync("greet", R"({"name": "Ada"})", loop.executor());
    greeting = answer ? answer->json : answer.error().message;
    for (int i = 0; i < 10; ++i) sum = (co_await add->Async(loop.executor(), {}, sum, i)).value_or(-1000);
    done = true;
  };
  work();
  ASSERT_TRUE(loop.RunUntil([&] { return done; }));
  EXPECT_EQ(greeting, R"("hello, Ada")");
  EXPECT_EQ(sum, 45);
}

TEST(Async, ErrorsComeTheSameWay) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  Loop loop;
  std::vector<Code> codes;
  const auto keep = [&](cordon::Result<cordon::Answer> result) { codes.push_back(CodeOf(result)); };
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(20);
  loaded.plugin->CallAsync("nothing", "{}", loop.executor()).Then(keep);
  ASSERT_TRUE(loop.RunUntil([&] { return codes.size() == 1; }));
  loaded.plugin->CallAsync("spin", "{}", loop.executor(), brief).Then(keep);
  ASSERT_TRUE(loop.RunUntil([&] { return codes.size() == 2; }));
  loaded.plugin->CallAsync("trap", "{}", loop.executor()).Then(keep);
  ASSERT_TRUE(loop.RunUntil([&] { return codes.size() == 3; }));
  EXPECT_EQ(codes, (std::vector{Code::kNotFound, Code::kTimeout, Code::kTrap}));
}

TEST(Async, CancellingEndsWhatRunsAndWhatWaits) {
  cordon::HostOptions options;
  options.threads = 1;
  auto loaded = shop::Load(std::move(options));
  ASSERT_TRUE(loaded.plugin);
  Loop loop;
  cordon::CallOptions call;
  call.cancel = cordon::CancelToken::Make();
  std::vector<Code> codes;
  for (int i = 0; i < 3; ++i) {
    loaded.plugin->CallAsync("spin", "{}", loop.executor(), call).Then([&](auto result) {
      codes.push_back(CodeOf(result));
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  call.cancel.Cancel();
  ASSERT_TRUE(loop.RunUntil([&] { return codes.size() == 3; }));
  EXPECT_EQ(codes, std::vector(3, Code::kInterrupted));
}

TEST(Async, AFullQueueIsBusy) {
  cordon::HostOptions options;
  options.threads = 1;
  options.max_instances = 1;
  options.queue_max = 2;
  auto loaded = shop::Load(std::move(options));
  ASSERT_TRUE(loaded.plugin);
  cordon::CallOptions call;
  call.timeout = std::chrono::milliseconds(300);
  std::mutex mutex;
  std::vector<Code> codes;
  for (int i = 0; i < 10; ++i) {
    loaded.plugin->CallAsync("spin", "{}", nullptr, call).Then([&](auto result) {
      const std::lock_guard lock(mutex);
      codes.push_back(CodeOf(result));
    });
  }
  ASSERT_TRUE(loaded.host->Shutdown());
  EXPECT_EQ(codes.size(), 10u) << "each completes exactly once";
  EXPECT_GE(std::ranges::count(codes, Code::kBusy), 7);
}

TEST(attack_21, TenThousandCallsAtOnceFillABoundedQueue) {
  cordon::HostOptions options;
  options.threads = 2;
  options.queue_max = 64;
  auto loaded = shop::Load(std::move(options));
  ASSERT_TRUE(loaded.plugin);
  cordon::CallOptions call;
  call.timeout = std::chrono::milliseconds(200);
  constexpr int kThreads = 4, kEach = 2500;
  std::atomic<int> busy{0}, ended{0}, others{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) {
        loaded.plugin->CallAsync("spin", "{}", nullptr, call).Then([&](auto result) {
          const Code code = CodeOf(result);
          const bool stopped = code == Code::kTimeout || code == Code::kUnavailable || code == Code::kInterrupted;
          ++(code == Code::kBusy ? busy : stopped ? ended : others);
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // What runs and waits is at most two and sixty-four at any time, whatever was asked for.
  ASSERT_TRUE(loaded.host->Shutdown());
  EXPECT_EQ(busy + ended + others, kThreads * kEach) << "each completes exactly once";
  EXPECT_EQ(others, 0);
  EXPECT_GT(busy, kThreads * kEach / 2);
  EXPECT_GE(ended, 2);
}

TEST(Async, ShutdownCompletesEverything) {
  cordon::HostOptions options;
  options.threads = 2;
  auto loaded = shop::Load(std::move(options));
  ASSERT_TRUE(loaded.plugin);
  std::atomic<int> completed = 0;
  for (int i = 0; i < 20; ++i) {
    loaded.plugin->CallAsync("spin", "{}", nullptr).Then([&](auto result) {
      EXPECT_FALSE(result);
      ++completed;
    });
  }
  ASSERT_TRUE(loaded.host->Shutdown());
  EXPECT_EQ(completed, 20);
  bool refused = false;
  loaded.plugin->CallAsync("spin", "{}", nullptr).Then([&](auto result) {
    refused = CodeOf(result) == Code::kUnavailable;
  });
  EXPECT_TRUE(refused) << "later ones are refused at once";
}

TEST(Async, AnExecutorThatThrowsLosesNothing) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  std::atomic<bool> done = false;
  loaded.plugin
      ->CallAsync("greet", R"({"name": "x"})",
                  [](std::move_only_function<void()>) { throw std::runtime_error("full"); })
      .Then([&](auto result) {
        EXPECT_TRUE(result);
        done = true;
      });
  for (int i = 0; i < 3000 && !done; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(done);
}

TEST(Async, AHostMayGoInItsOwnCompletion) {
  auto loaded = std::make_unique<shop::Loaded>(shop::Load());
  ASSERT_TRUE(loaded->plugin);
  std::atomic<bool> done = false;
  auto call = loaded->plugin->CallAsync("greet", R"({"name": "x"})", nullptr);
  cordon::Host* host = &*loaded->host;
  std::move(call).Then([&, loaded = std::move(loaded), host](auto) mutable {
    EXPECT_EQ(CodeOf(host->Shutdown()), Code::kUsage);
    loaded.reset();
    done = true;
  });
  for (int i = 0; i < 3000 && !done; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(done);
}

}  // namespace
