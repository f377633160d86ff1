// Asynchronous calls: a callback, a coroutine, an event loop, cancellation.
#include <cordon/host.h>

#include <condition_variable>
#include <deque>
#include <iostream>
#include <mutex>

// [loop]
// An event loop of one thread. Yours is asio, libuv, a UI toolkit: anything that can be handed a function.
class Loop {
 public:
  cordon::Executor executor() {
    return [this](std::move_only_function<void()> work) {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
      ready_.notify_one();
    };
  }
  void Run(int count) {
    for (; count > 0; --count) {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return !work_.empty(); });
      auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      work();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::move_only_function<void()>> work_;
};
// [/loop]

struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

// [coroutine]
Task Sum(cordon::Plugin plugin, Loop& loop) {
  cordon::Result<cordon::Answer> answer = co_await plugin.CallAsync("add", R"({"a": 1, "b": 2})", loop.executor());
  std::cout << (answer ? answer->json : answer.error().message) << "\n";
}
// [/coroutine]

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];
  auto host = cordon::Host::Create();
  Loop loop;
  auto plugin = host->Load(guests / "bench.wasm");
  if (!plugin) return 1;

  // [callback]
  plugin->CallAsync("add", R"({"a": 40, "b": 2})", loop.executor()).Then([](cordon::Result<cordon::Answer> answer) {
    std::cout << (answer ? answer->json : answer.error().message) << "\n";
  });
  loop.Run(1);
  // [/callback]

  // [typed]
  auto add = plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  add->Async(loop.executor(), {}, 20, 22).Then([](cordon::Result<std::int32_t> sum) { std::cout << *sum << "\n"; });
  loop.Run(1);
  // [/typed]

  // [cancel]
  cordon::CallOptions cancellable;
  cancellable.cancel = cordon::CancelToken::Make();
  plugin->CallAsync("spin", "{}", loop.executor(), cancellable).Then([](cordon::Result<cordon::Answer> answer) {
    std::cout << cordon::CodeName(answer.error().code) << "\n";
  });
  cancellable.cancel.Cancel();
  loop.Run(1);
  // [/cancel]
  Sum(*plugin, loop);
  loop.Run(1);
}
