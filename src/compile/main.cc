// cordon-compile: one compilation, in a process that can do nothing else. Started by engine/compile_process.cc.
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/compile_process.h"

namespace {

using namespace cordon;
using namespace cordon::engine;

constexpr int kFailed = 1;

std::uint64_t Number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Never above what the host itself may have.
bool Limit(__rlimit_resource_t what, std::uint64_t soft, std::uint64_t hard) {
  rlimit limit{};
  if (::getrlimit(what, &limit) != 0) return false;
  limit = {std::min<rlim_t>(soft, limit.rlim_max), std::min<rlim_t>(hard, limit.rlim_max)};
  return ::setrlimit(what, &limit) == 0;
}
bool Limit(__rlimit_resource_t what, std::uint64_t value) { return Limit(what, value, value); }

bool SetLimits(char** argv) {
  const std::uint64_t cpu = Number(argv[kCpuSeconds]);
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_DUMPABLE, 0) == 0 &&
         Limit(RLIMIT_CPU, cpu, cpu + 5) &&  // the soft limit's signal says which one it was
         Limit(RLIMIT_AS, Number(argv[kSpace])) && Limit(RLIMIT_FSIZE, Number(argv[kOutput]) + sizeof(CompileAnswer)) &&
         Limit(RLIMIT_NOFILE, 16) && Limit(RLIMIT_CORE, 0) && Limit(RLIMIT_MEMLOCK, 0);
}

struct Namespace {
  std::string_view name;
  int flag;
};
// Not of processes: its members are its init, which ignores the signals of limits, or a second process. What would act
// on another process is refused by the filter below.
constexpr Namespace kNamespaces[] = {
    {"user", CLONE_NEWUSER}, {"net", CLONE_NEWNET}, {"mount", CLONE_NEWNS},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS},
};

// Leaves the host's namespaces, those that the kernel lets it; the flags of these. The filter holds in any case.
int LeaveNamespaces() {
  int all = 0, left = 0;
  for (const Namespace& one : kNamespaces) all |= one.flag;
  if (::unshare(all) == 0) return all;
  for (const Namespace& one : kNamespaces) {
    if (::unshare(one.flag) == 0) left |= one.flag;
  }
  return left;
}

// From here on it opens no file, and has no way to another process; what the kernel knows of that. The version, or 0.
int ForbidPaths() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return 0;
  // As in linux/landlock.h, of which the system's may be older than its kernel.
  struct Rules {
    std::uint64_t files, net, scoped;
  } rules = {(1u << 13) - 1, 0, 0};
  std::size_t size = sizeof rules.files;
  if (version >= 2) rules.files |= 1u << 13;  // links to other folders
  if (version >= 3) rules.files |= 1u << 14;  // truncation
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
  const bool held = ::syscall(SYS_landlock_restrict_self, fd, 0) == 0;
  ::close(fd);
  return held ? static_cast<int>(version) : 0;
}

// What a compiler needs once its libraries are loaded: memory, threads, the answer. Everything else fails with EPERM.
bool Confine() {
  constexpr int kAllowed[] = {
      SCMP_SYS(read),
      SCMP_SYS(write),
      SCMP_SYS(pwrite64),
      SCMP_SYS(pread64),
      SCMP_SYS(close),
      SCMP_SYS(fstat),
      SCMP_SYS(lseek),
      SCMP_SYS(ftruncate),
      SCMP_SYS(mmap),
      SCMP_SYS(munmap),
      SCMP_SYS(mprotect),
      SCMP_SYS(mremap),
      SCMP_SYS(madvise),
      SCMP_SYS(brk),
      SCMP_SYS(futex),
      SCMP_SYS(set_robust_list),
      SCMP_SYS(rseq),
      SCMP_SYS(sched_yield),
      SCMP_SYS(sched_getaffinity),
      SCMP_SYS(clock_gettime),
      SCMP_SYS(clock_nanosleep),
      SCMP_SYS(nanosleep),
      SCMP_SYS(getrandom),
      SCMP_SYS(gettid),
      SCMP_SYS(getpid),

      SCMP_SYS(rt_sigaction),
      SCMP_SYS(rt_sigprocmask),
      SCMP_SYS(rt_sigreturn),
      SCMP_SYS(sigaltstack),
      SCMP_SYS(getrlimit),
      SCMP_SYS(exit),
      SCMP_SYS(exit_group),
      SCMP_SYS(restart_syscall),
  };
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool good = true;
  for (const int call : kAllowed) good = good && ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  // Its own threads alone may be signalled: for abort.
  good = good && ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                    SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()), 0)) == 0;
  // Threads, never processes; glibc falls back to clone, whose flags a filter can read.
  constexpr std::uint64_t kThread = 0x00010000 /* CLONE_THREAD */;
  good = good && ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
         ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, kThread, kThread)) == 0 &&
         ::seccomp_load(filter) == 0;
  ::seccomp_release(filter);
  return good;
}

bool Put(const void* bytes, std::size_t size) {
  const auto* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t n = ::write(kAnswerFd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

int Answer(CompileAnswer answer, const void* payload, std::size_t size) {
  answer.payload_bytes = size;
  return Put(&answer, sizeof answer) && Put(payload, size) ? 0 : kFailed;
}

int Compile(char** argv, std::span<const std::uint8_t> wasm) {
  EngineOptions options;
  options.compiling = EngineOptions::Compiling::kParallel;
  options.fuel = Number(argv[kFuel]) != 0;
  options.debug = Number(argv[kDebug]) != 0;
  if (Number(argv[kSmall]) != 0) options.address_space = EngineOptions::AddressSpace::kSmall;
  if (Number(argv[kChecked]) != 0) options.traps = EngineOptions::Traps::kChecks;
  if (Number(argv[kCopied]) != 0) options.data = EngineOptions::Segments::kCopied;
  options.max_memory_bytes = Number(argv[kMemory]);
  options.max_instances = static_cast<std::uint32_t>(Number(argv[kInstances]));
  options.max_table_elements = static_cast<std::uint32_t>(Number(argv[kTables]));
  options.stack_bytes = static_cast<std::uint32_t>(Number(argv[kStack]));
  const Result<Precompiled> made = Precompile(options, wasm);
  CompileAnswer answer;
  if (!made) {
    answer.done = 2;
    answer.code = static_cast<std::uint32_t>(made.error().code);
    return Answer(answer, made.error().message.data(), made.error().message.size());
  }
  answer.done = 1;
  std::memcpy(answer.fingerprint, made->fingerprint.data(), sizeof answer.fingerprint);
  return Answer(answer, made->code.data(), made->code.size());
}

// Does to itself what it does before it compiles, and says how much of that this system permits.
int Report() {
  const int namespaces = LeaveNamespaces();
  const bool no_new_privs = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  const int landlock = ForbidPaths();
  const bool filter = Confine();
  std::string list;
  for (const Namespace& one : kNamespaces) {
    if ((namespaces & one.flag) != 0) list += (list.empty() ? "\"" : ",\"") + std::string(one.name) + "\"";
  }
  const std::string text = R"({"schema":"cordon.compile/1","namespaces":[)" + list +
                           R"(],"no_new_privs":)" + (no_new_privs ? "true" : "false") + R"(,"landlock":)" +
                           std::to_string(landlock) + R"(,"seccomp":)" + (filter ? "true" : "false") + "}\n";
  const bool written = ::write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(written && filter ? 0 : kFailed);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == std::string_view("--json")) return Report();
  if (argc != kArgumentEnd) {
    constexpr std::string_view kText =
        "cordon-compile is started by Cordon, with a plugin on descriptor 3; --json says how it is confined here\n";
    return ::write(STDERR_FILENO, kText.data(), kText.size()) < 0 ? kFailed : 2;
  }
  struct stat file{};
  EndWhenShortOfMemory();
  LeaveNamespaces();
  if (!SetLimits(argv) || ::fstat(kWasmFd, &file) != 0 || file.st_size <= 0) return kFailed;
  const auto size = static_cast<std::size_t>(file.st_size);
  const void* wasm = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, kWasmFd, 0);
  if (wasm == MAP_FAILED) return kFailed;
  ForbidPaths();
  if (!Confine()) return kFailed;
  // Not by return: what runs at the end of a process is not needed, and could be refused.
  ::_exit(Compile(argv, {static_cast<const std::uint8_t*>(wasm), size}));
}
