#include "confine/confine.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>

namespace cordon::confine {
namespace {

constexpr Namespace kNamespaces[] = {
    {"user", CLONE_NEWUSER}, {"net", CLONE_NEWNET}, {"mount", CLONE_NEWNS},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"pid", CLONE_NEWPID},
};

// Rights of Landlock, as in linux/landlock.h, of which the system's may be older than its kernel.
constexpr std::uint64_t kWriteFile = 1u << 1, kReadFile = 1u << 2, kReadDir = 1u << 3, kRemoveDir = 1u << 4,
                        kRemoveFile = 1u << 5, kMakeDir = 1u << 7, kMakeRegular = 1u << 8, kMakeLink = 1u << 12,
                        kRefer = 1u << 13, kTruncate = 1u << 14;

}  // namespace

std::span<const Namespace> Namespaces() { return kNamespaces; }

int LeaveNamespaces(int wanted) {
  if (::unshare(wanted) == 0) return wanted;
  int left = 0;
  for (const Namespace& one : kNamespaces) {
    if ((wanted & one.flag) != 0 && ::unshare(one.flag) == 0) left |= one.flag;
  }
  return left;
}

std::vector<std::string_view> NamesOf(int flags) {
  std::vector<std::string_view> names;
  for (const Namespace& one : kNamespaces) {
    if ((flags & one.flag) != 0) names.push_back(one.name);
  }
  return names;
}

bool GiveUpPrivileges() {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_DUMPABLE, 0) == 0 && Limit(RLIMIT_CORE, 0) &&
         Limit(RLIMIT_MEMLOCK, 0);
}

bool Limit(__rlimit_resource_t what, std::uint64_t soft, std::uint64_t hard) {
  rlimit limit{};
  if (::getrlimit(what, &limit) != 0) return false;
  limit = {std::min<rlim_t>(soft, limit.rlim_max), std::min<rlim_t>(hard, limit.rlim_max)};
  return ::setrlimit(what, &limit) == 0;
}

int ForbidPaths(std::span<const Folder> folders) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return 0;
  struct Rules {
    std::uint64_t files, net, scoped;
  } rules = {(1u << 13) - 1, 0, 0};
  std::size_t size = sizeof rules.files;
  if (version >= 2) rules.files |= kRefer;  // links to other folders
  if (version >= 3) rules.files |= kTruncate;
  if (version >= 4) {
    rules.net = 3;  // TCP: bind, connect
    size = sizeof rules.files + sizeof rules.net;
  }
  if (version >= 5) rules.files |= 1u << 15;  // ioctl of devices
  if (version >= 6) {
    rules.scoped = 3;  // abstract sockets, signals
    size = sizeof rules;
  }
  const auto fd = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, size, 0));
  if (fd < 0) return 0;
  bool held = true;
  for (const Folder& folder : folders) {
    std::uint64_t rights = kReadFile | kReadDir;
    if (folder.writable) {
      rights |= kWriteFile | kRemoveDir | kRemoveFile | kMakeDir | kMakeRegular | kMakeLink | kRefer | kTruncate;
    }
    struct [[gnu::packed]] Beneath {
      std::uint64_t allowed;
      std::int32_t parent;
    } beneath = {rights & rules.files, folder.fd};
    static_assert(sizeof(Beneath) == 12);
    held = held && ::syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
  }
  held = held && ::syscall(SYS_landlock_restrict_self, fd, 0) == 0;
  ::close(fd);
  return held ? static_cast<int>(version) : 0;
}

bool EmptyRoot() {
  // Any folder will do to mount on; this one is on every system.
  constexpr char kPlace[] = "/proc";
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (::mount("none", kPlace, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=2,mode=0555") != 0) {
    return false;
  }
  // The new root over the old, which is then what lies beneath, and goes.
  return ::chdir(kPlace) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 && ::umount2(".", MNT_DETACH) == 0 &&
         ::chdir("/") == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) ==
             0;
}

std::span<const int> BasicCalls() {
  static constexpr int kCalls[] = {
      SCMP_SYS(read),
      SCMP_SYS(write),
      SCMP_SYS(pwrite64),
      SCMP_SYS(pread64),
      SCMP_SYS(close),
      SCMP_SYS(fstat),
      SCMP_SYS(lseek),
      SCMP_SYS(ftruncate),
      SCMP_SYS(munmap),
      SCMP_SYS(mprotect),
      SCMP_SYS(mremap),
      SCMP_SYS(madvise),
      SCMP_SYS(brk),
      SCMP_SYS(futex),
      SCMP_SYS(set_robust_list),
      SCMP_SYS(rseq),
      SCMP_SYS(sched_yield),
      SCMP_SYS(clock_gettime),
      SCMP_SYS(sched_getaffinity),
      SCMP_SYS(nanosleep),
      SCMP_SYS(clock_nanosleep),
      SCMP_SYS(getrandom),
      SCMP_SYS(gettid),
      SCMP_SYS(getpid),
      SCMP_SYS(rt_sigaction),
      SCMP_SYS(rt_sigreturn),
      SCMP_SYS(rt_sigprocmask),
      SCMP_SYS(sigaltstack),
      SCMP_SYS(getrlimit),
      SCMP_SYS(exit),
      SCMP_SYS(exit_group),
      SCMP_SYS(restart_syscall),
  };
  return kCalls;
}

std::span<const int> FileCalls() {
  static constexpr int kCalls[] = {
      SCMP_SYS(openat),    SCMP_SYS(openat2),    SCMP_SYS(newfstatat),   SCMP_SYS(statx),
      SCMP_SYS(readv),     SCMP_SYS(writev),     SCMP_SYS(preadv),       SCMP_SYS(pwritev),
      SCMP_SYS(preadv2),   SCMP_SYS(pwritev2),   SCMP_SYS(getdents64),   SCMP_SYS(mkdirat),
      SCMP_SYS(unlinkat),  SCMP_SYS(renameat),   SCMP_SYS(renameat2),    SCMP_SYS(linkat),
      SCMP_SYS(symlinkat), SCMP_SYS(readlinkat), SCMP_SYS(utimensat),    SCMP_SYS(fallocate),
      SCMP_SYS(fsync),     SCMP_SYS(fdatasync),  SCMP_SYS(fadvise64),    SCMP_SYS(fcntl),
      SCMP_SYS(dup),       SCMP_SYS(poll),       SCMP_SYS(ppoll),        SCMP_SYS(epoll_create1),
      SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),  SCMP_SYS(epoll_pwait2),
      SCMP_SYS(eventfd2),  SCMP_SYS(fstatfs),    SCMP_SYS(clock_getres),
  };
  return kCalls;
}

namespace {

using OwnFilter = std::unique_ptr<void, decltype(&::seccomp_release)>;
using Comparisons = std::initializer_list<scmp_arg_cmp>;

bool Add(const OwnFilter& filter, std::uint32_t action, int call, Comparisons comparisons = {}) {
  return ::seccomp_rule_add_array(filter.get(), action, call, static_cast<unsigned>(comparisons.size()),
                                  comparisons.begin()) == 0;
}

// The kernel reads 32 bits of what is an int, whatever lies above them.
scmp_arg_cmp Is(unsigned argument, std::uint32_t value, std::uint32_t mask = ~0u) {
  return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value);
}

// The options that WASI has. Others could choose a route, or let whoever closes a socket wait.
constexpr std::pair<int, int> kSocketOptions[] = {
    {SOL_SOCKET, SO_REUSEADDR},        {SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_RCVBUF},           {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},      {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_IP, IP_TTL},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
};

bool LetSockets(const OwnFilter& filter, const Filter& what) {
  const auto first = static_cast<scmp_datum_t>(what.sockets_from);
  bool good = true;
  for (const int call : {SCMP_SYS(socket), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(listen)}) {
    good = good && Add(filter, SCMP_ACT_NOTIFY, call);
  }
  good = good && Add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(sendto), {SCMP_A4(SCMP_CMP_NE, 0, 0)}) &&
         Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), {SCMP_A4(SCMP_CMP_EQ, 0, 0)}) &&
         Add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(close), {SCMP_A0(SCMP_CMP_GE, first, 0)}) &&
         Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(close), {SCMP_A0(SCMP_CMP_LT, first, 0)}) &&
         // To hand over the listener, and then never again: EndHandOver.
         Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg)) && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(seccomp)) &&
         // A socket of IPv6 is made so, and stays so.
         Add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setsockopt), {Is(1, IPPROTO_IPV6), Is(2, IPV6_V6ONLY)});
  for (const int call : {SCMP_SYS(recvfrom), SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(getsockname),
                         SCMP_SYS(getpeername), SCMP_SYS(getsockopt)}) {
    good = good && Add(filter, SCMP_ACT_ALLOW, call);
  }
  for (const auto& [level, name] : kSocketOptions) {
    good = good && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt),
                       {Is(1, static_cast<std::uint32_t>(level)), Is(2, static_cast<std::uint32_t>(name))});
  }
  // The other process does on a socket what it was asked, and must never wait for it.
  for (const std::uint32_t command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL}) {
    good = good && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {Is(1, command)});
  }
  return good && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {Is(1, F_SETFL), Is(2, O_NONBLOCK, O_NONBLOCK)});
}

// Of libseccomp 2.5 the filter, and the kernel's own call: a worker that stands still and goes on is not to ask again
// for what was done (Linux 5.19; before that it does).
int LoadWithListener(const OwnFilter& filter) {
  constexpr unsigned kWaitKillable = 1u << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
  const int file = ::memfd_create("filter", MFD_CLOEXEC);
  std::array<sock_filter, BPF_MAXINSNS> steps;
  ssize_t size = -1;
  if (file >= 0 && ::seccomp_export_bpf(filter.get(), file) == 0) size = ::pread(file, steps.data(), sizeof steps, 0);
  ::close(file);
  if (size <= 0) return -1;
  const sock_fprog program = {static_cast<unsigned short>(static_cast<std::size_t>(size) / sizeof(sock_filter)),
                              steps.data()};
  for (const unsigned flags : {kWaitKillable, 0u}) {
    const long listener =
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
    if (listener >= 0 || errno != EINVAL) return static_cast<int>(listener);
  }
  return -1;
}

}  // namespace

int AllowOnly(const Filter& what) {
  const OwnFilter filter(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), &::seccomp_release);
  if (filter == nullptr) return -1;
  const bool has_sockets = what.sockets_from > 0;
  bool good = true;
  for (const int call : what.calls) {
    if (has_sockets && (call == SCMP_SYS(close) || call == SCMP_SYS(fcntl))) continue;
    good = good && Add(filter, SCMP_ACT_ALLOW, call);
  }
  // Its own threads alone may be signalled: for abort.
  good = good && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
                     {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()), 0)});
  // Threads, never processes; glibc falls back to clone, whose flags a filter can read.
  constexpr std::uint64_t kThread = 0x00010000 /* CLONE_THREAD */;
  good = good && Add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3)) &&
         Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), {SCMP_A0(SCMP_CMP_MASKED_EQ, kThread, kThread)});
  // RLIMIT_DATA counts neither shared memory nor stacks that grow: there is no more than before this.
  constexpr std::uint64_t kUncounted = MAP_SHARED | MAP_GROWSDOWN;
  good = good && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), {SCMP_A3(SCMP_CMP_MASKED_EQ, kUncounted, 0)});
  // Names of threads.
  good = good && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl),
                     {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(PR_SET_NAME), 0)});
  if (what.door >= 0) {
    good = good && Add(filter, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg),
                       {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(what.door), 0)});
  }
  if (has_sockets) good = good && LetSockets(filter, what);
  if (!good) return -1;
  if (has_sockets) return LoadWithListener(filter);
  return ::seccomp_load(filter.get()) == 0 ? 0 : -1;
}

bool EndHandOver() {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),  // as far as the filter before it does
  };
  const sock_fprog program = {static_cast<unsigned short>(std::size(steps)), steps};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

}  // namespace cordon::confine
