#include "isolation/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <span>

#include "base/file.h"
#include "base/signals_blocked.h"
#include "isolation/tree.h"

namespace cordon::isolation {
namespace {

constexpr int kWatchMs = 20;
constexpr int kEndGraceMs = 5'000;  // for the kernel to end what was killed
constexpr int kSignals = 64;
constexpr std::uint64_t kMaskBytes = 8;  // as the kernel counts signals
constexpr std::uint64_t kFilesMax = 256, kFileBytesMax = 1ull << 30;
constexpr std::uint64_t kMemoryOfBackend = 16 << 20;  // beside the program's own
constexpr std::uint32_t kProcessesOfBackend = 2;

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::unexpected<Error> CannotStart(std::string_view what) {
  return Fail(Code::kIo, "cannot " + std::string(what) + ": " + ErrnoText(errno));
}

struct Pipe {
  UniqueFd read, write;
};
Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return CannotStart("make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// What a new process does before it is another program: nothing here allocates, locks or calls what could, since other
// threads may have held any lock when it was made.
struct Child {
  int program = -1;
  std::span<const int> groups;
  char* const* arguments = nullptr;
  std::span<const int> descriptors;  // from 0 on; above all the places where they go
  std::array<std::pair<int, rlimit>, 5> limits{};

  template <typename... Words>
  static long Raw(long call, Words... words) {
    return ::syscall(call, words...);
  }

  [[noreturn]] void Run() const {
    struct {
      void (*handler)(int);
      unsigned long flags;
      void (*restorer)();
      std::uint64_t mask;
    } action{};
    for (int signal = 1; signal <= kSignals; ++signal) Raw(SYS_rt_sigaction, signal, &action, nullptr, kMaskBytes);
    constexpr std::uint64_t kNone = 0;
    Raw(SYS_rt_sigprocmask, SIG_SETMASK, &kNone, nullptr, kMaskBytes);
    for (const int group : groups) Raw(SYS_write, group, "0", 1);
    for (const auto& [resource, limit] : limits) Raw(SYS_prlimit64, 0, resource, &limit, nullptr);
    unsigned next = 0;
    for (const int fd : descriptors) Raw(SYS_dup3, fd, next++, 0);
    Raw(SYS_close_range, next, ~0u, CLOSE_RANGE_CLOEXEC);
    char* const environment[] = {nullptr};
    Raw(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    while (true) Raw(SYS_exit_group, 127);
  }
};

rlimit Same(std::uint64_t value) { return {value, value}; }

}  // namespace

Result<std::unique_ptr<Process>> Process::Start(const Launch& launch, TreeLimits limits) {
  std::unique_ptr<Process> made(new Process);
  CORDON_ASSIGN(Pipe in, MakePipe());
  CORDON_ASSIGN(Pipe out, MakePipe());
  CORDON_ASSIGN(Pipe err, MakePipe());
  std::vector<int> sources = {in.read.get(), out.write.get(), err.write.get()};
  sources.insert(sources.end(), launch.descriptors.begin(), launch.descriptors.end());
  // Copies above all places, so that no place is taken before its source was read.
  std::vector<UniqueFd> kept;
  std::vector<int> given;
  for (const int fd : sources) {
    kept.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(sources.size())));
    if (!kept.back()) return CannotStart("hand over a descriptor");
    given.push_back(kept.back().get());
  }
  kept.emplace_back(::fcntl(launch.program, F_DUPFD_CLOEXEC, static_cast<int>(sources.size())));
  if (!kept.back()) return CannotStart("open the program");
  std::vector<char*> arguments;
  for (const std::string& one : launch.arguments) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  const auto seconds = [](Duration time) {
    return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(time).count()) + 1;
  };
  limits.processes += kProcessesOfBackend;
  // One more than is counted as too many: whoever looks shall see it.
  made->group_ = groups::Group::Make(groups::Home::Make(), {.threads = limits.processes + 1});
  const std::vector<int> groups = made->group_ != nullptr ? made->group_->entries() : std::vector<int>();
  const Child child{.program = kept.back().get(),
                    .groups = groups,
                    .arguments = arguments.data(),
                    .descriptors = given,
                    .limits = {{{RLIMIT_CORE, Same(0)},
                                {RLIMIT_NOFILE, Same(kFilesMax)},
                                {RLIMIT_FSIZE, Same(kFileBytesMax)},
                                {RLIMIT_DATA, Same(limits.memory_bytes + kMemoryOfBackend)},
                                {RLIMIT_CPU, Same(limits.cpu ? seconds(*limits.cpu) : RLIM_INFINITY)}}}};
  int process = -1;
  clone_args how{};
  // Without a signal at its end: neither a handler nor a wait of the embedding program takes it for one of its own.
  how.flags = CLONE_PIDFD;
  how.pidfd = reinterpret_cast<std::uint64_t>(&process);
  long pid = 0;
  {
    const SignalsBlocked blocked;
    pid = ::syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0) child.Run();
  }
  if (pid < 0) return CannotStart("start a process");
  made->pid_ = static_cast<pid_t>(pid);
  made->process_ = UniqueFd(process);
  made->in_ = std::move(in.write);
  made->out_ = std::move(out.read);
  made->err_ = std::move(err.read);
  for (const int fd : {made->in_.get(), made->out_.get(), made->err_.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  made->limits_ = std::move(limits);
  made->watcher_ = std::jthread([self = made.get()](const std::stop_token& stop) { self->Watch(stop); });
  return made;
}

Process::~Process() { End(); }

void Process::Kill(Ending::Why why) {
  ending_.why = why;
  const auto send = [this](int signal) { ::syscall(SYS_pidfd_send_signal, process_.get(), signal, nullptr, 0); };
  // The backend asks the kernel to end its first process with it, but may not have come to that yet. Held, it starts no
  // other.
  send(SIGSTOP);
  for (const pid_t pid : DescendantsOf(pid_, limits_.processes + 1)) ::kill(pid, SIGKILL);
  send(SIGKILL);
}

// Its own thread: whoever talks with the program may wait for something else.
void Process::Watch(const std::stop_token& stop) {
  while (true) {
    pollfd end = {process_.get(), POLLIN, 0};
    if (::poll(&end, 1, kWatchMs) > 0) return;
    if (stop.stop_requested()) return Kill(Ending::Why::kAsked);
    if (NowNs() >= limits_.deadline_ns) return Kill(Ending::Why::kDeadline);
    if (limits_.stopped && limits_.stopped()) return Kill(Ending::Why::kStopped);
    const TreeUse use = MeasureTree(pid_, limits_.processes + 1);
    ending_.memory_peak_bytes = std::max(ending_.memory_peak_bytes, use.memory_bytes);
    ending_.cpu = std::max(ending_.cpu, use.cpu);
    if (use.processes > limits_.processes) return Kill(Ending::Why::kProcesses);
    if (use.memory_bytes > limits_.memory_bytes + kMemoryOfBackend) return Kill(Ending::Why::kMemory);
    if (limits_.cpu && use.cpu > *limits_.cpu) return Kill(Ending::Why::kCpu);
  }
}

void Process::End() {
  watcher_.request_stop();
  Wait();
}

Ending Process::Wait() {
  if (is_over_ || !process_) return ending_;
  is_over_ = true;
  if (watcher_.joinable()) watcher_.join();
  pollfd end = {process_.get(), POLLIN, 0};
  while (::poll(&end, 1, kEndGraceMs) < 0 && errno == EINTR) {}
  siginfo_t info{};
  // WNOHANG: what hangs in the kernel past the grace is left to it.
  ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &info, WEXITED | __WALL | WNOHANG);
  ending_.status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
  return ending_;
}

}  // namespace cordon::isolation
