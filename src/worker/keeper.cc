#include "worker/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/units.h"

namespace cordon::worker {
namespace {

constexpr auto kPidFd = static_cast<idtype_t>(3);  // P_PIDFD

Error CannotStart(const std::string& why) {
  return Error(Code::kUnavailable, "a worker cannot be started: " + why,
               "look at the limits of this process; cordon doctor says what this system permits");
}

// Whoever asks needs another keeper.
Error Gone(Error error) { return std::move(error).With("keeper", "gone"); }

// The number of a process in this one's namespace, as /proc says; -1 when it does not.
int NumberOf(int handle) {
  const Result<std::string> text = ReadFile("/proc/self/fdinfo/" + std::to_string(handle), 4096);
  if (!text) return -1;
  const std::size_t at = text->find("\nPid:\t");
  int number = -1;
  if (at != std::string::npos) std::from_chars(text->data() + at + 6, text->data() + text->size(), number);
  return number;
}

}  // namespace

bool Await(int fd, Duration most) {
  const MonotonicTime end = std::chrono::steady_clock::now() + most;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd ready = {fd, POLLIN, 0};
    const int n = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

Process::Process(UniqueFd handle) : handle_(std::move(handle)), number_(NumberOf(handle_.get())) {
  if (number_ <= 0) return;
  statm_.Reset(::open(("/proc/" + std::to_string(number_) + "/statm").c_str(), O_RDONLY | O_CLOEXEC));
  if (Ended()) statm_.Reset();  // the number may be another's by then
}

void Process::Kill() const {
  if (handle_) ::syscall(SYS_pidfd_send_signal, handle_.get(), SIGKILL, nullptr, 0);
}

void Process::Pause() const { ::syscall(SYS_pidfd_send_signal, handle_.get(), SIGSTOP, nullptr, 0); }
void Process::Resume() const { ::syscall(SYS_pidfd_send_signal, handle_.get(), SIGCONT, nullptr, 0); }

bool Process::Ended() const {
  pollfd ready = {handle_.get(), POLLIN, 0};
  return !handle_ || ::poll(&ready, 1, 0) > 0;
}

std::optional<Duration> Process::CpuTime() const {
  clockid_t clock{};
  timespec time{};
  if (number_ <= 0 || ::clock_getcpuclockid(number_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::optional<std::uint64_t> Process::OwnBytes() const {
  char text[128];
  const ssize_t n = statm_ ? ::pread(statm_.get(), text, sizeof text, 0) : -1;
  if (n <= 0) return std::nullopt;
  std::uint64_t pages[3] = {};  // all, those in memory, those of them that are shared
  const char* at = text;
  for (std::uint64_t& count : pages) {
    const auto [end, error] = std::from_chars(at, text + n, count);
    if (error != std::errc() || end == text + n) return std::nullopt;
    at = end + 1;
  }
  if (pages[1] < pages[2]) return 0;
  return (pages[1] - pages[2]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<std::shared_ptr<Keeper>> Keeper::Start(const std::filesystem::path& program) {
  std::shared_ptr<Keeper> keeper(new Keeper);
  keeper->program_ = program;
  CORDON_TRY(keeper->Launch());
  return keeper;
}

Keeper::~Keeper() {
  if (!mark_.was_forked()) End();
}

void Keeper::End() {
  socket_.Reset();
  if (!handle_) return;
  // It ends by itself when its socket does; a stopped one does not.
  if (!Await(handle_.get(), std::chrono::seconds(1))) {
    ::syscall(SYS_pidfd_send_signal, handle_.get(), SIGKILL, nullptr, 0);
  }
  siginfo_t info{};
  while (::waitid(kPidFd, static_cast<id_t>(handle_.get()), &info, WEXITED) != 0 && errno == EINTR) {}
  handle_.Reset();
}

Status Keeper::Launch() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return Fail(CannotStart(ErrnoText(errno)));
  socket_.Reset(pair[0]);
  const UniqueFd theirs(pair[1]);
  // A high number first: dup2 of a descriptor onto itself would leave it closed on exec.
  const UniqueFd high(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 10));
  if (!high) return Fail(CannotStart(ErrnoText(errno == EINVAL ? EMFILE : errno)));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (int stream = 0; stream <= 2; ++stream) {
    ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
  }
  ::posix_spawn_file_actions_adddup2(&actions, high.get(), kKeeperFd);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, kKeeperFd + 1);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  // A group of its own: Ctrl-C at a terminal is for the host, which then stops its workers in order.
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string name = kProgramName;
  char* argv[] = {name.data(), nullptr};
  char* environment[] = {nullptr};
  const int failed = ::posix_spawn(&pid_, program_.c_str(), &actions, &attributes, argv, environment);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Fail(CannotStart(program_.string() + ": " + ErrnoText(failed)));
  handle_.Reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!handle_) {
    const int why = errno;
    ::kill(pid_, SIGKILL);  // a child of ours that nobody has waited for: its number is its own
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    return Fail(CannotStart("pidfd_open: " + ErrnoText(why)));
  }
  return {};
}

Result<Process> Keeper::Ask(const SpawnRequest& request, std::span<const int> fds) {
  iovec data = {const_cast<SpawnRequest*>(&request), sizeof request};
  std::vector<char> space(CMSG_SPACE(fds.size_bytes()));
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
  ssize_t n = 0;
  do {
    n = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n != sizeof request) {
    // Too much in flight, or no memory for it, is said of this request; anything else of the socket.
    const bool is_short = n < 0 && (errno == ETOOMANYREFS || errno == ENOMEM || errno == ENOBUFS);
    Error error = CannotStart("its keeper was not reached: " + ErrnoText(errno));
    return Fail(is_short ? std::move(error) : Gone(std::move(error)));
  }
  SpawnAnswer answer;
  alignas(cmsghdr) char place[CMSG_SPACE(sizeof(int))];
  iovec into = {&answer, sizeof answer};
  message = {};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = place;
  message.msg_controllen = sizeof place;
  // A keeper that was stopped keeps nobody waiting for ever.
  if (!Await(socket_.get(), std::chrono::seconds(10))) return Fail(Gone(CannotStart("its keeper does not answer")));
  do {
    n = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n != sizeof answer) return Fail(Gone(CannotStart("its keeper is gone")));
  int handle = -1;
  if (const cmsghdr* given = CMSG_FIRSTHDR(&message); given != nullptr && given->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&handle, CMSG_DATA(given), sizeof handle);
  }
  UniqueFd held(handle);
  if (answer.error != 0 || !held) return Fail(CannotStart(ErrnoText(answer.error != 0 ? answer.error : EMFILE)));
  return Process(std::move(held));
}

Result<Process> Keeper::Spawn(const SpawnRequest& request, std::span<const int> fds) {
  if (mark_.was_forked()) {
    return Fail(Code::kUnavailable, "this process was forked after its workers were made: they are not its own",
                "make a new Host in this process");
  }
  const std::lock_guard lock(mutex_);
  Result<Process> made = Ask(request, fds);
  // With the keeper go all its workers: one that says what is missing is kept.
  if (made || (handle_ && made.error().Detail("keeper") != "gone")) return made;
  End();
  CORDON_TRY(Launch());
  return Ask(request, fds);
}

}  // namespace cordon::worker
