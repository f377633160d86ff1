#include "engine/compile_process.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/file.h"
#include "base/unique_fd.h"
#include "engine/code_cache.h"

namespace cordon::engine {
namespace {

namespace fs = std::filesystem;

Error CannotStart(const std::string& why) {
  return Error(Code::kUnavailable, "the compiler cannot be started: " + why, "look at the limits of this process");
}

Error LimitHit(std::string_view limit, const std::string& what) {
  return Error(Code::kCompileLimit, "compiling " + what + ", and was stopped",
               "use a smaller plugin; one that needs this much to compile is suspect")
      .With("limit", std::string(limit));
}

// The child of one compilation. Killed and reaped on destruction.
class Child {
 public:
  static Result<Child> Start(const CompileRequest& request, int wasm_fd, int answer_fd) {
    // High numbers first: a descriptor of the child must not be overwritten by another's dup2.
    const UniqueFd wasm(::fcntl(wasm_fd, F_DUPFD_CLOEXEC, 10)), answer(::fcntl(answer_fd, F_DUPFD_CLOEXEC, 10));
    // EINVAL: the limit is below the number that is asked for.
    if (!wasm || !answer) return Fail(CannotStart(ErrnoText(errno == EINVAL ? EMFILE : errno)));
    std::vector<UniqueFd> groups;
    for (const int fd : request.groups) {
      groups.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstGroupFd + kGroupsMax));
      if (!groups.back()) return Fail(CannotStart(ErrnoText(errno == EINVAL ? EMFILE : errno)));
    }
    std::vector<std::string> words = Words(request);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    char* environment[] = {nullptr};

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (int stream = 0; stream <= 2; ++stream) {
      ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
    }
    ::posix_spawn_file_actions_adddup2(&actions, wasm.get(), kWasmFd);
    ::posix_spawn_file_actions_adddup2(&actions, answer.get(), kAnswerFd);
    int next = kFirstGroupFd;
    for (const UniqueFd& group : groups) ::posix_spawn_file_actions_adddup2(&actions, group.get(), next++);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, next);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    // A group of its own: Ctrl-C at a terminal is for the host, which then stops the compiler in order.
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    Child child;
    const int failed =
        ::posix_spawn(&child.pid_, request.program.c_str(), &actions, &attributes, argv.data(), environment);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
      child.pid_ = -1;
      return Fail(CannotStart(request.program.string() + ": " + ErrnoText(failed)));
    }
    // By descriptor from here on: a host that reaps every child of its own may free the number at any time.
    child.handle_.Reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
    if (!child.handle_) return Fail(CannotStart("pidfd_open: " + ErrnoText(errno)));
    return child;
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), handle_(std::move(other.handle_)) {}
  ~Child() {
    if (pid_ < 0) return;
    if (handle_) {
      ::syscall(SYS_pidfd_send_signal, handle_.get(), SIGKILL, nullptr, 0);
    } else {
      ::kill(pid_, SIGKILL);
    }
    Reap();
  }

  // Whether it has ended within this time.
  bool Ended(std::chrono::milliseconds wait) const {
    pollfd ready = {handle_.get(), POLLIN, 0};
    return ::poll(&ready, 1, static_cast<int>(wait.count())) > 0;
  }
  // The signal that ended it, or 0; unknown when the host has reaped it first.
  int Reap() {
    siginfo_t info{};
    const auto by = handle_ ? static_cast<idtype_t>(3 /* P_PIDFD */) : P_PID;
    const id_t id = handle_ ? static_cast<id_t>(handle_.get()) : static_cast<id_t>(pid_);
    int done = 0;
    do {
      done = ::waitid(by, id, &info, WEXITED);
    } while (done != 0 && errno == EINTR);
    pid_ = -1;
    return done == 0 && info.si_code != CLD_EXITED ? info.si_status : 0;
  }

 private:
  Child() = default;
  static std::vector<std::string> Words(const CompileRequest& request) {
    const EngineOptions& options = request.options;
    const CompileLimits& limits = request.limits;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.cpu).count();
    const bool small = options.address_space == EngineOptions::AddressSpace::kSmall;
    const bool checked = options.traps == EngineOptions::Traps::kChecks;
    const bool copied = options.data == EngineOptions::Segments::kCopied;
    const bool unstoppable = options.stops == EngineOptions::Stops::kNone;
    std::vector<std::string> words = {kCompilerName};
    for (const std::uint64_t number :
         {std::uint64_t{options.fuel}, std::uint64_t{options.debug}, std::uint64_t{small}, std::uint64_t{checked},
          std::uint64_t{copied}, std::uint64_t{unstoppable}, options.max_memory_bytes,
          std::uint64_t{options.max_instances}, std::uint64_t{options.max_table_elements},
          std::uint64_t{options.stack_bytes}, static_cast<std::uint64_t>(seconds), limits.memory_bytes,
          limits.output_bytes, std::uint64_t{request.groups.size()}}) {
      words.push_back(std::to_string(number));
    }
    return words;
  }
  pid_t pid_ = -1;
  UniqueFd handle_;
};

// What the child wrote; it has ended, so nobody changes it.
Result<Precompiled> ReadAnswer(int fd, const CompileRequest& request, int signal) {
  struct stat stat{};
  CompileAnswer answer;
  const bool complete = ::fstat(fd, &stat) == 0 && ::pread(fd, &answer, sizeof answer, 0) == sizeof answer &&
                        (answer.done == 1 || answer.done == 2) && answer.payload_bytes <= request.limits.output_bytes &&
                        stat.st_size == static_cast<off_t>(sizeof answer + answer.payload_bytes);
  if (!complete) {
    if (signal == SIGXCPU)
      return Fail(LimitHit("cpu", "took more CPU time than " + FormatDuration(request.limits.cpu)));
    if (signal == SIGXFSZ) return Fail(LimitHit("output", "gave more code than the limit"));
    return Fail(LimitHit(
        "memory", "needed more memory than the limit, or the compiler failed (signal " + std::to_string(signal) + ")"));
  }
  std::vector<std::uint8_t> payload(answer.payload_bytes);
  std::size_t at = 0;
  while (at < payload.size()) {
    const ssize_t n = ::pread(fd, payload.data() + at, payload.size() - at, static_cast<off_t>(sizeof answer + at));
    if (n <= 0) return Fail(Code::kInternal, "the compiler's answer cannot be read");
    at += static_cast<std::size_t>(n);
  }
  if (answer.done == 2) {
    const Code code =
        answer.code <= static_cast<std::uint32_t>(kLastCode) ? static_cast<Code>(answer.code) : Code::kInternal;
    return Fail(code, std::string(payload.begin(), payload.end()));
  }
  Precompiled made;
  std::memcpy(made.fingerprint.data(), answer.fingerprint, made.fingerprint.size());
  made.code = std::move(payload);
  return made;
}

}  // namespace

Result<Precompiled> CompileApart(const CompileRequest& request) {
  CORDON_ASSIGN(const UniqueFd wasm, Sealed(request.wasm));
  const UniqueFd answer(::memfd_create("cordon-answer", MFD_CLOEXEC));
  if (!answer) return Fail(CannotStart(ErrnoText(errno)));
  CORDON_ASSIGN(Child child, Child::Start(request, wasm.get(), answer.get()));
  const MonotonicTime start = std::chrono::steady_clock::now();
  while (!child.Ended(std::chrono::milliseconds(10))) {
    if (request.cancelled && request.cancelled()) return Fail(Code::kInterrupted, "compiling was interrupted");
    const Duration elapsed = std::chrono::steady_clock::now() - start;
    if (elapsed > request.limits.wall) {
      return Fail(LimitHit("wall", "took longer than " + FormatDuration(request.limits.wall)));
    }
    if (request.waiting) request.waiting(elapsed);
  }
  const int signal = child.Reap();
  return ReadAnswer(answer.get(), request, signal);
}

Result<fs::path> FindCompiler(const fs::path& chosen) { return FindProgram(kCompilerName, chosen); }

Result<fs::path> FindProgram(std::string_view name, const fs::path& chosen) {
  std::vector<fs::path> places;
  if (!chosen.empty()) {
    places.push_back(chosen);
  } else {
    std::vector<fs::path> folders;
    std::error_code error;
    if (fs::path self = fs::read_symlink("/proc/self/exe", error); !error) {
      folders.push_back(self.parent_path());
    } else if (const auto* started = reinterpret_cast<const char*>(::getauxval(AT_EXECFN)); started != nullptr) {
      if (fs::path path = fs::canonical(started, error); !error) folders.push_back(path.parent_path());  // no procfs
    }
    Dl_info library{};
    if (::dladdr(reinterpret_cast<const void*>(&FindCompiler), &library) != 0 && library.dli_fname != nullptr) {
      if (fs::path path = fs::canonical(library.dli_fname, error); !error) folders.push_back(path.parent_path());
    }
    for (const fs::path& folder : folders) {
      places.push_back(folder / name);
      places.push_back(folder / "../libexec/cordon" / name);
      places.push_back(folder / "../../libexec/cordon" / name);
    }
#ifdef CORDON_LIBEXEC_DIR
    places.push_back(fs::path(CORDON_LIBEXEC_DIR) / name);
#endif
  }
  std::string looked;
  for (const fs::path& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return place;
    looked += (looked.empty() ? "" : ", ") + place.lexically_normal().string();
  }
  return Fail(Code::kUnavailable, "there is no " + std::string(name) + " at " + looked,
              name == kCompilerName ? "install it beside the library, name it, or choose to compile in this process"
                                    : "install it beside the library, or name it");
}

}  // namespace cordon::engine
