// A workflow engine whose tasks have types. A type that names an action of a plugin, as
// `examples/graph-analyst#analyze-graph` does, goes to Cordon; every other type goes back to the engine's own pool.
// Both complete on the engine's own thread.
//
//   task_engine build/guests/plugins/graph-analyst < tasks.txt
//
// A line of input is a task: its type, a space, and its input as JSON.
#include <cordon/host.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Work = std::move_only_function<void()>;

// Threads that take work from one line: the engine's own pool, and with one thread its event loop.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) {
        while (true) {
          std::unique_lock lock(mutex_);
          if (!ready_.wait(lock, stop, [this] { return !line_.empty(); })) return;
          Work work = std::move(line_.front());
          line_.pop_front();
          lock.unlock();
          work();
        }
      });
    }
  }
  void Post(Work work) {
    const std::lock_guard lock(mutex_);
    line_.push_back(std::move(work));
    ready_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<Work> line_;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

struct Task {
  int number = 0;
  std::string type, input;
};

class Engine {
 public:
  using Step = std::function<std::string(const std::string& input)>;

  Engine(cordon::Host& host, std::map<std::string, Step> steps) : host_(host), steps_(std::move(steps)) {}

  // [route]
  void Submit(const Task& task) {
    const auto found = host_.FindAction(task.type);
    if (!found) return Complete(task, "failed", found.error().message);  // of a plugin that is not there
    if (!*found) return SubmitOwn(task);                                 // no plugin's: the engine's own
    (*found)
        ->plugin.CallAsync((*found)->action, task.input, [this](Work work) { loop_.Post(std::move(work)); })
        .Then([this, task](cordon::Result<cordon::Answer> answer) {
          if (!answer) return Complete(task, cordon::CodeName(answer.error().code), answer.error().message);
          Complete(task, "done by a plugin", answer->json);
        });
  }
  // [/route]

  // Until `count` tasks have completed.
  void Await(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return completed_ == count; });
  }
  const std::map<int, std::string>& lines() const { return lines_; }

 private:
  void SubmitOwn(const Task& task) {
    const auto step = steps_.find(task.type);
    if (step == steps_.end()) return Complete(task, "failed", "no step of that type");
    pool_.Post([this, task, run = step->second] {
      std::string output = run(task.input);
      loop_.Post([this, task, output = std::move(output)] { Complete(task, "done by the engine", output); });
    });
  }

  void Complete(const Task& task, std::string_view how, const std::string& what) {
    const std::lock_guard lock(mutex_);
    lines_[task.number] = task.type + ": " + std::string(how) + ": " + cordon::EscapeForDisplay(what).substr(0, 100);
    ++completed_;
    changed_.notify_one();
  }

  cordon::Host& host_;
  const std::map<std::string, Step> steps_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int completed_ = 0;
  std::map<int, std::string> lines_;
  Pool loop_{1}, pool_{2};
};

int Run(const char* source) {
  auto host = cordon::Host::Create();
  auto plugin = host ? host->Load(source) : cordon::Fail(host.error());
  if (!plugin) {
    std::cerr << cordon::EscapeForDisplay(plugin.error().message) << "\n" << plugin.error().remedy << "\n";
    return 1;
  }
  Engine engine(*host, {{"text/length", [](const std::string& input) { return std::to_string(input.size()); }}});
  Task task;
  while (std::cin >> task.type && std::getline(std::cin >> std::ws, task.input)) {
    ++task.number;
    engine.Submit(task);
  }
  engine.Await(task.number);
  for (const auto& [_, line] : engine.lines()) std::cout << line << "\n";
  (void)host->Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: task_engine PLUGIN < TASKS\n";
    return 2;
  }
  return Run(argv[1]);
}
