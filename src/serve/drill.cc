#include "serve/drill.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "base/message_codec.h"
#include "base/wire.h"
#include "worker/frames.h"

namespace cordon::worker {
namespace {

struct Attempt {
  const char* name;
  long call;
  long arguments[6];
};

long Pointer(const void* at) { return reinterpret_cast<long>(at); }

std::vector<Attempt> Attempts() {
  static char* const argv[] = {const_cast<char*>("/bin/sh"), nullptr};
  static char buffer[64];
  static iovec local = {buffer, sizeof buffer}, remote = {reinterpret_cast<void*>(0x400000), sizeof buffer};
  const long parent = ::syscall(SYS_getppid);
  return {
      {"open-passwd", SYS_openat, {AT_FDCWD, Pointer("/etc/passwd"), O_RDONLY}},
      {"open-own-memory", SYS_openat, {AT_FDCWD, Pointer("/proc/self/mem"), O_RDWR}},
      {"open-device", SYS_openat, {AT_FDCWD, Pointer("/dev/mem"), O_RDONLY}},
      {"proc-descriptor", SYS_openat, {AT_FDCWD, Pointer("/proc/self/fd/3"), O_RDONLY}},
      {"proc-root", SYS_openat, {AT_FDCWD, Pointer("/proc/self/root/etc/passwd"), O_RDONLY}},
      {"dev-descriptor", SYS_openat, {AT_FDCWD, Pointer("/dev/fd/3"), O_RDONLY}},
      {"sys", SYS_openat, {AT_FDCWD, Pointer("/sys/kernel"), O_RDONLY | O_DIRECTORY}},
      {"control-groups", SYS_openat, {AT_FDCWD, Pointer("/sys/fs/cgroup/pids/tasks"), O_WRONLY}},
      {"make-file", SYS_openat, {AT_FDCWD, Pointer("/tmp/drill"), O_RDWR | O_CREAT, 0600}},
      {"socket-internet", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
      {"socket-unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
      {"socket-packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
      {"connect", SYS_connect, {3, Pointer(buffer), 16}},
      {"signal-parent", SYS_kill, {parent, 0}},
      {"signal-all", SYS_kill, {-1, SIGKILL}},
      {"signal-first", SYS_tgkill, {parent, parent, SIGKILL}},
      {"trace", SYS_ptrace, {PTRACE_ATTACH, parent, 0, 0}},
      {"read-host-memory", SYS_process_vm_readv, {parent, Pointer(&local), 1, Pointer(&remote), 1, 0}},
      {"take-host-descriptor", SYS_pidfd_getfd, {3, 0, 0}},
      {"open-process", SYS_pidfd_open, {parent, 0}},
      {"execute", SYS_execve, {Pointer("/bin/sh"), Pointer(static_cast<const void*>(argv)), 0}},
      {"execute-descriptor", SYS_execveat, {3, Pointer(""), Pointer(static_cast<const void*>(argv)), 0, AT_EMPTY_PATH}},
      {"fork", SYS_fork, {}},
      {"clone", SYS_clone, {SIGCHLD, 0, 0, 0, 0}},
      {"clone3", SYS_clone3, {Pointer(buffer), 64}},
      {"unshare", SYS_unshare, {CLONE_NEWUSER}},
      {"enter-namespace", SYS_setns, {3, 0}},
      {"mount", SYS_mount, {Pointer("none"), Pointer("/"), Pointer("tmpfs"), 0, 0}},
      {"new-mount", SYS_fsopen, {Pointer("tmpfs"), 0}},
      {"change-root", SYS_chroot, {Pointer("/")}},
      {"load-module", SYS_init_module, {Pointer(buffer), 0, Pointer("")}},
      {"load-module-file", SYS_finit_module, {3, Pointer(""), 0}},
      {"program-kernel", SYS_bpf, {0, Pointer(buffer), 64}},
      {"rings", SYS_io_uring_setup, {8, Pointer(buffer)}},
      {"user-faults", SYS_userfaultfd, {0}},
      {"watch-events", SYS_perf_event_open, {Pointer(buffer), 0, -1, -1, 0}},
      {"keys", SYS_keyctl, {0, 0, 0, 0, 0}},
      {"by-handle", SYS_open_by_handle_at, {3, Pointer(buffer), O_RDONLY}},
      {"make-node", SYS_mknodat, {AT_FDCWD, Pointer("/drill"), 0020666, 0x0101}},
      {"become-root", SYS_setuid, {0}},
      {"capabilities", SYS_capset, {Pointer(buffer), Pointer(buffer)}},
      {"be-dumpable", SYS_prctl, {4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0}},
      {"raise-limits", SYS_prlimit64, {0, 7, Pointer(buffer), 0}},
      {"uncounted-memory", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0}},
      {"uncounted-stack", SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0}},
      {"shared-memory", SYS_shmget, {0, 4096, 01666}},
      {"queues", SYS_mq_open, {Pointer("drill"), O_RDWR | O_CREAT, 0600, 0}},
      {"clock", SYS_settimeofday, {Pointer(buffer), 0}},
      {"host-name", SYS_sethostname, {Pointer("drill"), 5}},
      {"reboot", SYS_reboot, {0, 0, 0, 0}},
      {"send-descriptors", SYS_sendmsg, {3, Pointer(buffer), 0}},
  };
}

std::string Verdict(long result) {
  return result < 0 ? std::string("refused: ") + ::strerrorname_np(errno) : std::string("got in");
}

}  // namespace

void AskForMore(HostChannel& host) {
  // By the one way that there is: a service under a name that the plugin never imported.
  std::vector<std::uint8_t> payload;
  wire::Writer(payload).String("drill");
  (void)host.Send({~0ull, "wasi:keyvalue/store@0.2.0-draft", "open", payload, 0});
}

void AskForEver(Link& link, Answers answers) {
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(1);
  std::vector<std::uint8_t> payload;
  wire::Writer(payload).U32(0);
  out.Raw(*EncodeRequest({1, "acme:shop/prices@1.0.0", "total", payload, 0}));
  if (answers == Answers::kTaken) {
    std::thread([&link] {
      while (link.Receive([](std::uint16_t) { return kFrameBytesMax; }, {})) {}
    }).detach();
  }
  const std::span<const std::uint8_t> piece(asked);
  while (true) (void)link.Send(kAsk, Link::Pieces(&piece, 1), {});
}

void Dribble() {
  // The ring to the host, as link.cc lays it out: its count of bytes, and the bytes.
  constexpr off_t kWritten = 128, kBytes = 4096 + kRingBytes;
  const FrameHead head = {16u << 20, kOutput, 0};
  std::uint32_t written = 0;
  if (::pread(kMemoryFd, &written, sizeof written, kWritten) != sizeof written ||
      ::pwrite(kMemoryFd, &head, sizeof head, kBytes + written % kRingBytes) != sizeof head) {
    ::_exit(1);
  }
  written += sizeof head - 1;
  while (true) {
    ++written;
    if (::pwrite(kMemoryFd, &written, sizeof written, kWritten) != sizeof written) ::_exit(1);
  }
}

std::string MisuseSockets(std::string_view what, HostChannel& host) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(9);
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const long to = Pointer(&peer);
  if (what == "raw") return Verdict(::syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP));
  if (what == "found") {
    // As if the name that was granted led to whom the attacker likes.
    std::vector<std::uint8_t> payload;
    wire::Writer out(payload);
    out.String("db.example.test");
    out.Count(1);
    out.String("203.0.113.1");
    (void)host.Send({1, "cordon:host/sockets", "found", payload, 0});
  }
  const long stream = ::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
  const long datagrams = ::syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);
  if (stream < 0 || datagrams < 0) return "no sockets\n";
  char text[] = "drill";
  if (what == "connect") return Verdict(::syscall(SYS_connect, stream, to, sizeof peer));
  if (what == "bind") return Verdict(::syscall(SYS_bind, stream, to, sizeof peer));
  if (what == "listen") return Verdict(::syscall(SYS_listen, stream, 1));
  if (what == "datagram") return Verdict(::syscall(SYS_sendto, datagrams, text, 5, 0, to, sizeof peer));
  iovec data = {text, 5};
  mmsghdr message{};
  message.msg_hdr.msg_name = &peer;
  message.msg_hdr.msg_namelen = sizeof peer;
  message.msg_hdr.msg_iov = &data;
  message.msg_hdr.msg_iovlen = 1;
  int zero = 0;
  const std::string asked = "db.example.test";
  std::vector<std::uint8_t> name;
  wire::Writer(name).String(asked);
  const Attempt attempts[] = {
      {"send-message", SYS_sendmsg, {datagrams, Pointer(&message.msg_hdr), 0}},
      {"send-messages", SYS_sendmmsg, {datagrams, Pointer(&message), 1, 0}},
      {"source-route", SYS_setsockopt, {datagrams, IPPROTO_IP, IP_OPTIONS, Pointer(text), 4}},
      {"interface", SYS_setsockopt, {datagrams, SOL_SOCKET, SO_BINDTODEVICE, Pointer("lo"), 2}},
      {"block-host", SYS_fcntl, {stream, F_SETFL, 0}},
      {"block-host-too", SYS_fcntl, {stream, F_SETFL | 1L << 32, 0}},
      {"block-host-by-ioctl", SYS_ioctl, {stream, 0x5421 /* FIONBIO */, Pointer(&zero)}},
      {"pair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, Pointer(text)}},
      {"bad-address", SYS_connect, {stream, 1, sizeof peer}},
      {"short-address", SYS_connect, {stream, to, 1}},
      {"other-family", SYS_connect, {stream, Pointer(text), 6}},
      {"not-a-socket", SYS_connect, {3, to, sizeof peer}},
      {"stdin", SYS_listen, {0, 1}},
      {"wait-at-the-end", SYS_setsockopt, {stream, SOL_SOCKET, SO_LINGER, Pointer(&message), 8}},
  };
  std::string report;
  for (const Attempt& attempt : attempts) {
    const long* a = attempt.arguments;
    const long result = ::syscall(attempt.call, a[0], a[1], a[2], a[3], a[4], a[5]);
    report += std::string(attempt.name) + " " + Verdict(result) + "\n";
  }
  // The one socket that messages were ever sent by, and a socket in its place.
  (void)::syscall(SYS_close, 3);
  (void)::syscall(SYS_dup, datagrams);
  report += "in-place-of-the-door " + Verdict(::syscall(SYS_sendmsg, 3, Pointer(&message.msg_hdr), 0)) + "\n";
  const HostReply reply = host.Send({1, "cordon:worker/way", "resolve", name, 0});
  report += std::string("name ") + (reply.outcome == HostReply::Outcome::kTrap ? "refused: trap" : "got in") + "\n";
  int made = 2;
  while (made < 1000 && ::syscall(SYS_socket, AF_INET6, SOCK_DGRAM, 0) >= 0) ++made;
  return report + "sockets " + std::to_string(made) + "\n";
}

void EatMemory() {
  constexpr std::size_t kBlock = 1 << 20;
  while (true) {
    void* block = ::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) std::abort();
    std::memset(block, 1, kBlock);
  }
}

int StartThreads() {
  constexpr int kEnough = 5000;
  constexpr std::size_t kStack = 64 << 10;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStack);
  const auto sleep = [](void*) -> void* {
    std::this_thread::sleep_for(std::chrono::hours(1));
    return nullptr;
  };
  int started = 0;
  for (pthread_t thread{}; started < kEnough; ++started) {
    if (::pthread_create(&thread, &attributes, sleep, nullptr) != 0) break;
  }
  return started;
}

std::string Attack(std::span<const int> folders) {
  std::string report;
  for (const Attempt& attempt : Attempts()) {
    const long* a = attempt.arguments;
    const long result = ::syscall(attempt.call, a[0], a[1], a[2], a[3], a[4], a[5]);
    report += std::string(attempt.name) + " " + Verdict(result) + "\n";
  }
  for (const int folder : folders) {
    for (const char* path : {"../../../../../../etc/passwd", "..", "/etc/passwd"}) {
      report += std::string("folder ") + path + " " + Verdict(::openat(folder, path, O_RDONLY)) + "\n";
    }
    report += "folder write " + Verdict(::openat(folder, "drill", O_RDWR | O_CREAT, 0600)) + "\n";
  }
  return report;
}

}  // namespace cordon::worker
