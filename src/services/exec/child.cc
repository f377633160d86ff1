#include "services/exec/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace cordon::services {
namespace {

constexpr int kSignals = 64;
constexpr std::uint64_t kMaskBytes = 8;  // as the kernel counts signals
constexpr std::uint64_t kProcessesMax = 128;
constexpr std::uint64_t kFilesMax = 256;
constexpr std::uint64_t kFileBytesMax = 1ull << 30;
constexpr std::uint64_t kAddressesMax = 16ull << 30;
constexpr int kReapRounds = 5000;

// Straight to the kernel: a library between could take a lock.
template <typename... Words>
long Raw(long call, Words... words) {
  return ::syscall(call, words...);
}

[[noreturn]] void End(int status) {
  while (true) Raw(SYS_exit_group, status);
}

void Report(const ChildPlan& plan, ChildReport::What what, int number) {
  const ChildReport report{what, number};
  while (Raw(SYS_write, plan.report, &report, sizeof report) < 0 && errno == EINTR) {}
}

// A handler of the host's would be called in this process.
void ResetSignals() {
  struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    std::uint64_t mask;
  } action{};
  static_assert(SIG_DFL == nullptr);
  for (int signal = 1; signal <= kSignals; ++signal) Raw(SYS_rt_sigaction, signal, &action, nullptr, kMaskBytes);
  constexpr std::uint64_t kNone = 0;
  Raw(SYS_rt_sigprocmask, SIG_SETMASK, &kNone, nullptr, kMaskBytes);
}

bool Put(const char* path, const char* text) {
  const long fd = Raw(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return false;
  const auto size = static_cast<long>(std::strlen(text));
  const bool written = Raw(SYS_write, fd, text, size) == size;
  Raw(SYS_close, fd);
  return written;
}

// The namespace of users knows the one that there is, as who he is.
bool MapUser(const ChildPlan& plan) {
  return Put("/proc/self/setgroups", "deny") && Put("/proc/self/uid_map", plan.uid_map) &&
         Put("/proc/self/gid_map", plan.gid_map);
}

void Limit(unsigned what, std::uint64_t value) {
  rlimit limit{};
  if (Raw(SYS_prlimit64, 0, what, nullptr, &limit) != 0) return;
  limit = {std::min<rlim_t>(value, limit.rlim_max), std::min<rlim_t>(value, limit.rlim_max)};
  Raw(SYS_prlimit64, 0, what, &limit, nullptr);
}

void SetLimits(const ChildPlan& plan) {
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_CPU, plan.cpu_seconds);
  Limit(RLIMIT_NOFILE, kFilesMax);
  Limit(RLIMIT_FSIZE, kFileBytesMax);
  Limit(RLIMIT_AS, kAddressesMax);
  // Outside a namespace of users this counts every process of the user, also those that are no business of ours.
  if (plan.place == ChildPlan::Place::kUserNamespace) Limit(RLIMIT_NPROC, kProcessesMax);
}

// The process that becomes the program.
[[noreturn]] void Become(const ChildPlan& plan) {
  ResetSignals();
  Raw(SYS_setsid);
  bool good = Raw(SYS_dup3, plan.in, 0, 0) == 0 && Raw(SYS_dup3, plan.out, 1, 0) == 1 &&
              Raw(SYS_dup3, plan.err, 2, 0) == 2 && Raw(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
  good = good && (plan.directory >= 0 ? Raw(SYS_fchdir, plan.directory) : Raw(SYS_chdir, "/")) == 0;
  SetLimits(plan);
  // A user that is 0 here gains nothing by executing.
  Raw(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
  good = good && Raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
         Raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && Raw(SYS_landlock_restrict_self, plan.rules, 0) == 0;
  if (good) Raw(SYS_execveat, plan.program, "", plan.arguments, plan.environment, AT_EMPTY_PATH);
  Report(plan, ChildReport::What::kNotStarted, errno);
  End(127);
}

// Everything of the host but the two descriptors that are needed.
void CloseOthers(const ChildPlan& plan) {
  const auto low = static_cast<unsigned>(std::min(plan.control, plan.report));
  const auto high = static_cast<unsigned>(std::max(plan.control, plan.report));
  Raw(SYS_close_range, 0, low - 1, 0);
  if (low + 1 < high) Raw(SYS_close_range, low + 1, high - 1, 0);
  Raw(SYS_close_range, high + 1, ~0u, 0);
}

// Ends the children that this process has now; more may become its own by that.
void KillChildren(pid_t program) {
  Raw(SYS_kill, -program, SIGKILL);
  Raw(SYS_kill, program, SIGKILL);
  const long fd = Raw(SYS_openat, AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  char text[4096];
  pid_t pid = 0;
  for (long n = 0; (n = Raw(SYS_read, fd, text, sizeof text)) > 0;) {
    for (long i = 0; i < n; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
        continue;
      }
      if (pid > 1) Raw(SYS_kill, pid, SIGKILL);
      pid = 0;
    }
  }
  Raw(SYS_close, fd);
}

// False: there are no children any more.
bool Reap(pid_t program, int& status) {
  while (true) {
    int one = 0;
    const long pid = Raw(SYS_wait4, -1, &one, WNOHANG | __WALL, nullptr);
    if (pid == program) status = one;
    if (pid == 0 || (pid < 0 && errno == EINTR)) return true;
    if (pid < 0) return false;
  }
}

// Without a namespace: all that was started comes to this process when its parent ends.
[[noreturn]] void ReapAll(const ChildPlan& plan, pid_t program) {
  const long ended = Raw(SYS_pidfd_open, program, 0);
  pollfd waits[2] = {{plan.control, POLLIN, 0}, {static_cast<int>(ended), POLLIN, 0}};
  while (ended >= 0 && Raw(SYS_poll, waits, 2, -1) < 0 && errno == EINTR) {}
  int status = 0;
  bool told = false;
  for (int round = 0; round < kReapRounds; ++round) {
    // Before it is killed for the sake of the others.
    const bool left = Reap(program, status);
    if (!told && (waits[1].revents & POLLIN) != 0) {
      Report(plan, ChildReport::What::kEnded, status);
      told = true;
    }
    if (!left) break;
    KillChildren(program);
    constexpr timespec kMillisecond = {0, 1'000'000};
    Raw(SYS_nanosleep, &kMillisecond, nullptr);
  }
  End(0);
}

// The init of the namespace: when it ends, the kernel ends the rest.
[[noreturn]] void WaitFor(const ChildPlan& plan, pid_t program) {
  while (true) {
    int status = 0;
    const long pid = Raw(SYS_wait4, -1, &status, __WALL, nullptr);
    if (pid < 0 && errno == EINTR) continue;
    if (pid == program) Report(plan, ChildReport::What::kEnded, status);
    if (pid == program || pid < 0) End(0);
  }
}

}  // namespace

void RunChild(const ChildPlan& plan) {
  Raw(SYS_close, plan.control_end);
  // A subreaper that died could not end the others any more: it watches `control` alone.
  if (plan.place != ChildPlan::Place::kSubreaper) Raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  pollfd host = {plan.control, POLLIN, 0};
  if (Raw(SYS_poll, &host, 1, 0) != 0) End(0);  // it is gone already
  ResetSignals();
  Raw(SYS_setsid);
  if (plan.place == ChildPlan::Place::kUserNamespace && !MapUser(plan)) {
    Report(plan, ChildReport::What::kNoNamespace, errno);
    End(0);
  }
  if (plan.place == ChildPlan::Place::kSubreaper && Raw(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    Report(plan, ChildReport::What::kNotStarted, errno);
    End(0);
  }
  const long program = Raw(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (program == 0) Become(plan);
  if (program < 0) {
    Report(plan, ChildReport::What::kNotStarted, errno);
    End(0);
  }
  CloseOthers(plan);
  if (plan.place == ChildPlan::Place::kSubreaper) ReapAll(plan, static_cast<pid_t>(program));
  WaitFor(plan, static_cast<pid_t>(program));
}

}  // namespace cordon::services
