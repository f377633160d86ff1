// cordon-compile: one compilation, in a process that can do nothing else. Started by engine/compile_process.cc.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include "confine/confine.h"
#include "engine/compile_process.h"

namespace {

using namespace cordon;
using namespace cordon::engine;
using confine::Limit;

constexpr int kFailed = 1;

std::uint64_t Number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool SetLimits(char** argv) {
#ifdef CORDON_SANITIZED  // which maps terabytes of its own
  constexpr std::uint64_t space = RLIM_INFINITY;
#else
  const std::uint64_t space = Number(argv[kSpace]);
#endif
  const std::uint64_t cpu = Number(argv[kCpuSeconds]);
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && confine::GiveUpPrivileges() &&
         Limit(RLIMIT_CPU, cpu, cpu + 5) &&  // the soft limit's signal says which one it was
         Limit(RLIMIT_AS, space) && Limit(RLIMIT_FSIZE, Number(argv[kOutput]) + sizeof(CompileAnswer)) &&
         Limit(RLIMIT_NOFILE, 16);
}

// What is not granted is left out: limits of this process hold besides.
void EnterGroups(std::uint64_t count) {
  const int end = kFirstGroupFd + static_cast<int>(std::min<std::uint64_t>(count, kGroupsMax));
  for (int fd = kFirstGroupFd; fd < end; ++fd) {
    (void)!::write(fd, "0", 1);
    ::close(fd);
  }
}

// Not of processes: its members are its init, which ignores the signals of limits, or a second process. What would act
// on another process is refused by the filter.
constexpr int kNamespaces = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

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
  if (Number(argv[kUnstoppable]) != 0) options.stops = EngineOptions::Stops::kNone;
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
  const int namespaces = confine::LeaveNamespaces(kNamespaces);
  const bool no_new_privs = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  const int landlock = confine::ForbidPaths();
  const bool filter = confine::AllowOnly({.calls = confine::BasicCalls()}) == 0;
  std::string list;
  for (const std::string_view name : confine::NamesOf(namespaces)) {
    list += (list.empty() ? "\"" : ",\"") + std::string(name) + "\"";
  }
  const std::string text = R"({"schema":"cordon.compile/1","namespaces":[)" + list + R"(],"no_new_privs":)" +
                           (no_new_privs ? "true" : "false") + R"(,"landlock":)" + std::to_string(landlock) +
                           R"(,"seccomp":)" + (filter ? "true" : "false") + "}\n";
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
  EnterGroups(Number(argv[kGroups]));
  EndWhenShortOfMemory();
  const int namespaces = confine::LeaveNamespaces(kNamespaces);
  if (!SetLimits(argv) || ::fstat(kWasmFd, &file) != 0 || file.st_size <= 0) return kFailed;
  const auto size = static_cast<std::size_t>(file.st_size);
  const void* wasm = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, kWasmFd, 0);
  if (wasm == MAP_FAILED) return kFailed;
  if ((namespaces & CLONE_NEWNS) != 0) confine::EmptyRoot();
  confine::ForbidPaths();
  if (confine::AllowOnly({.calls = confine::BasicCalls()}) != 0) return kFailed;
  // Not by return: what runs at the end of a process is not needed, and could be refused.
  ::_exit(Compile(argv, {static_cast<const std::uint8_t*>(wasm), size}));
}
