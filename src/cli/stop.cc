#include "cli/stop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/unique_fd.h"

namespace cordon::cli {
namespace {

constexpr int kGraceMs = 2000;

// Those of the three that whoever started us did not ask to be ignored.
sigset_t Wanted() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action{};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

struct Stop::State {
  UniqueFd signals, end;
  std::function<void()> before_exit;
  std::mutex exit_mutex;  // held while the process may not exit
  std::mutex call_mutex;  // guards call
  std::shared_ptr<runtime::CallHandle> call;
  std::thread thread;

  // Whether a signal came within `timeout_ms` (-1: for ever); false also when there is nothing more to wait for.
  bool Wait(int timeout_ms) {
    pollfd fds[] = {{signals.get(), POLLIN, 0}, {end.get(), POLLIN, 0}};
    while (::poll(fds, 2, timeout_ms) < 0) {}
    if ((fds[0].revents & POLLIN) == 0) return false;
    signalfd_siginfo info{};
    return ::read(signals.get(), &info, sizeof info) == sizeof info;
  }

  void Run() {
    if (!Wait(-1)) return;
    std::shared_ptr<runtime::CallHandle> running;
    {
      const std::lock_guard lock(call_mutex);
      running = call;
    }
    if (running != nullptr) {
      running->Interrupt();
      // The main thread reports and ends us; if it cannot, we do it.
      pollfd ended{end.get(), POLLIN, 0};
      if (!Wait(kGraceMs) && ::poll(&ended, 1, 0) > 0) return;
    }
    const std::lock_guard lock(exit_mutex);
    before_exit();
    ::_exit(kInterruptedExit);
  }
};

std::unique_ptr<Stop> Stop::Begin(std::function<void()> before_exit) {
  auto state = std::make_unique<State>();
  const sigset_t wanted = Wanted();
  ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  state->signals.Reset(::signalfd(-1, &wanted, SFD_CLOEXEC));
  state->end.Reset(::eventfd(0, EFD_CLOEXEC));
  state->before_exit = std::move(before_exit);
  state->thread = std::thread([raw = state.get()] { raw->Run(); });
  return std::unique_ptr<Stop>(new Stop(std::move(state)));
}

Stop::Stop(std::unique_ptr<State> state) : state_(std::move(state)) {}

Stop::~Stop() {
  const std::uint64_t one = 1;
  (void)!::write(state_->end.get(), &one, sizeof one);
  state_->thread.join();
}

void Stop::Interrupts(std::shared_ptr<runtime::CallHandle> call) {
  const std::lock_guard lock(state_->call_mutex);
  state_->call = std::move(call);
}

std::unique_lock<std::mutex> Stop::Protect() { return std::unique_lock(state_->exit_mutex); }

}  // namespace cordon::cli
