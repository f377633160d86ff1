// cordon-worker: the keeper, which makes workers by copying itself, and each worker. Started by worker/keeper.cc.
//
// The keeper runs no guest and reads nothing but its host's requests. When the host is gone its socket ends, and so
// does it; the workers end with it.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "confine/confine.h"
#include "serve/serve.h"
#include "worker/frames.h"

namespace {

using namespace cordon;
using namespace cordon::worker;

constexpr int kFailed = 1;
constexpr int kAnyNumber = 256;  // above all descriptors that are in use
constexpr std::uint64_t kAll = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

// A copy of this process in namespaces of its own, and in the control group of `folder` unless that is -1; 0 in the
// copy. C libraries keep the thread's number where `fork` has the kernel write it, so it is written here too.
pid_t Copy(std::uint64_t namespaces, int& pidfd, int folder = -1) {
  int* thread_number = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &thread_number, 0, 0, 0) != 0) thread_number = nullptr;
  clone_args arguments{};
  arguments.flags = namespaces | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (folder >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(folder);
  }
  if (thread_number != nullptr) {
    arguments.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    arguments.child_tid = reinterpret_cast<std::uintptr_t>(thread_number);
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

// The namespaces that this system lets a worker have: all, or those that need no user namespace of its own, or none.
std::uint64_t Available() {
  for (const std::uint64_t wanted : {kAll, kAll & ~std::uint64_t{CLONE_NEWUSER}}) {
    int pidfd = -1;
    const pid_t pid = Copy(wanted, pidfd);
    if (pid == 0) ::_exit(0);
    if (pid > 0) {
      ::close(pidfd);
      return wanted;
    }
  }
  return 0;
}

struct Received {
  SpawnRequest request;
  std::vector<UniqueFd> fds;
};

enum class Came : std::uint8_t { kRequest, kTooMany, kEnd };

Came Receive(Received& into) {
  iovec data = {&into.request, sizeof into.request};
  alignas(cmsghdr) char space[CMSG_SPACE((3 + kCodesMax + kFoldersMax + kGroupsMax) * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  ssize_t n = 0;
  do {
    n = ::recvmsg(kKeeperFd, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n != sizeof into.request) return Came::kEnd;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (head == nullptr || head->cmsg_type != SCM_RIGHTS) return Came::kTooMany;
  const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < count; ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
    into.fds.emplace_back(fd);
  }
  const SpawnRequest& request = into.request;
  const bool whole =
      (message.msg_flags & MSG_CTRUNC) == 0 && count == 3 + request.codes + request.folders + request.groups;
  return whole ? Came::kRequest : Came::kTooMany;
}

bool Answer(const SpawnAnswer& answer, int pidfd) {
  iovec data = {const_cast<SpawnAnswer*>(&answer), sizeof answer};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (pidfd >= 0) {
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &pidfd, sizeof pidfd);
  }
  return ::sendmsg(kKeeperFd, &message, MSG_NOSIGNAL) == sizeof answer;
}

// Before anything else takes memory. A thread moves itself at once; whoever moves another waits.
bool Enter(Received& received) {
  bool entered = true;
  for (std::uint32_t i = 0; i < received.request.groups; ++i) {
    entered = ::write(received.fds.back().get(), "0", 1) == 1 && entered;
    received.fds.pop_back();
  }
  return entered;
}

[[noreturn]] void BeWorker(Received& received, Surroundings around) {
  ::signal(SIGCHLD, SIG_DFL);
  // Higher numbers first, so that none is overwritten before it is moved.
  std::vector<int> high;
  const int free = kDoorFd + static_cast<int>(received.fds.size());
  high.reserve(received.fds.size());
  for (const UniqueFd& fd : received.fds) high.push_back(::fcntl(fd.get(), F_DUPFD, free));
  for (std::size_t i = 0; i < high.size(); ++i) {
    const int number = kDoorFd + static_cast<int>(i);
    if (high[i] < 0 || ::dup2(high[i], number) != number) ::_exit(kFailed);
    (void)received.fds[i].Release();
  }
  ::syscall(SYS_close_range, kDoorFd + static_cast<unsigned>(high.size()), ~0u, 0);
  Serve(received.request, around);
}

int Keep() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::signal(SIGCHLD, SIG_IGN);  // nobody waits for workers here: the host has their pidfds
  // The host's own limit is for the host: a worker has one of its own.
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) confine::Limit(RLIMIT_NOFILE, files.rlim_max);
  const std::uint64_t namespaces = Available();
  while (true) {
    Received received;
    const Came came = Receive(received);
    if (came == Came::kEnd) return 0;
    if (came == Came::kTooMany) {
      if (!Answer({EMFILE}, -1)) return 0;
      continue;
    }
    int pidfd = -1;
    Surroundings around{static_cast<int>(namespaces), false};
    pid_t pid = -1;
    if (received.request.groups == 1 && received.request.entry == SpawnRequest::Entry::kFolder) {
      pid = Copy(namespaces, pidfd, received.fds.back().get());
      around.in_groups = pid >= 0;
      received.fds.pop_back();
      received.request.groups = 0;
    }
    if (pid < 0) pid = Copy(namespaces, pidfd);
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (received.request.groups > 0) around.in_groups = Enter(received);
      BeWorker(received, around);
    }
    const UniqueFd held(pid > 0 ? pidfd : -1);
    if (Answer({pid > 0 ? 0 : errno}, held.get())) continue;
    // Its descriptor may be too much to send; with this process all workers would go.
    const int why = errno;
    if (!held || why == EPIPE) return 0;
    ::syscall(SYS_pidfd_send_signal, held.get(), SIGKILL, nullptr, 0);
    if (!Answer({why}, -1)) return 0;
  }
}

// Does to itself what a worker does, and says how much of that this system permits.
int Report() {
  const std::uint64_t namespaces = Available();
  int pidfd = -1;
  const pid_t pid = Copy(namespaces, pidfd);
  if (pid < 0) return kFailed;
  if (pid > 0) {
    siginfo_t info{};
    ::waitid(static_cast<idtype_t>(3 /* P_PIDFD */), static_cast<id_t>(pidfd), &info, WEXITED);
    return info.si_status;
  }
  const UniqueFd memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  const bool given_up = confine::GiveUpPrivileges();
  const bool root = (namespaces & CLONE_NEWNS) != 0 && confine::EmptyRoot();
  const int landlock = confine::ForbidPaths();
  std::vector<int> calls(confine::BasicCalls().begin(), confine::BasicCalls().end());
  calls.insert(calls.end(), confine::FileCalls().begin(), confine::FileCalls().end());
  const bool sockets = memory &&
                       confine::AllowOnly({.calls = calls, .door = kDoorFd, .sockets_from = kAnyNumber}) > 0 &&
                       confine::EndHandOver();
  const bool filter = sockets || confine::AllowOnly({.calls = calls, .door = kDoorFd}) == 0;
  std::string list;
  for (const std::string_view name : confine::NamesOf(static_cast<int>(namespaces))) {
    list += (list.empty() ? "\"" : ",\"") + std::string(name) + "\"";
  }
  const auto word = [](bool value) { return value ? "true" : "false"; };
  const std::string text = R"({"schema":"cordon.worker/1","namespaces":[)" + list + R"(],"no_new_privs":)" +
                           word(given_up) + R"(,"empty_root":)" + word(root) + R"(,"landlock":)" +
                           std::to_string(landlock) + R"(,"seccomp":)" + word(filter) + R"(,"sockets":)" +
                           word(sockets) + "}\n";
  const bool written = ::write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(written && filter ? 0 : kFailed);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == std::string_view("--json")) return Report();
  int type = 0;
  socklen_t size = sizeof type;
  if (argc != 1 || ::getsockopt(kKeeperFd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    constexpr std::string_view kText =
        "cordon-worker is started by Cordon, with a socket on descriptor 3; --json says how it is confined here\n";
    return ::write(STDERR_FILENO, kText.data(), kText.size()) < 0 ? kFailed : 2;
  }
  return Keep();
}
