#include "cli/progress.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/text.h"

namespace cordon::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kQuietFor = std::chrono::milliseconds(300);
constexpr auto kEvery = std::chrono::milliseconds(100);

}  // namespace

struct Progress::State {
  Show show;
  std::string what;
  Clock::time_point start = Clock::now();
  std::mutex mutex;
  std::condition_variable changed;
  std::string stage;
  bool ended = false;
  std::thread thread;

  void Run() {
    std::unique_lock lock(mutex);
    if (changed.wait_for(lock, kQuietFor, [this] { return ended; })) return;
    while (!ended) {
      const std::chrono::duration<double> passed = Clock::now() - start;
      char seconds[32];
      std::snprintf(seconds, sizeof seconds, "%.1f s", passed.count());
      (void)WriteAll(STDERR_FILENO, "\r\x1b[K" + stage + " " + what + " … " + seconds);
      changed.wait_for(lock, kEvery, [this] { return ended; });
    }
    (void)WriteAll(STDERR_FILENO, "\r\x1b[K");
  }
};

Progress::Progress(Show show, std::string what) : state_(std::make_unique<State>()) {
  state_->show = show;
  state_->what = EscapeShort(what, 60);
  if (show == Show::kLine) state_->thread = std::thread([raw = state_.get()] { raw->Run(); });
}

Progress::~Progress() { End(); }

void Progress::Stage(std::string_view stage) {
  const std::lock_guard lock(state_->mutex);
  if (state_->stage == stage) return;  // told again while it goes on
  state_->stage = stage;
  if (state_->show == Show::kPlain) {
    (void)WriteAll(STDERR_FILENO, "cordon: " + state_->stage + " " + state_->what + "\n");
  }
}

void Progress::End() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace cordon::cli
