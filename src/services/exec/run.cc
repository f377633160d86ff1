#include "services/exec/run.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <optional>

#include "base/file.h"
#include "base/signals_blocked.h"
#include "services/exec/child.h"

namespace cordon::services {
namespace {

using Place = ChildPlan::Place;

constexpr std::int64_t kMillisecondNs = 1'000'000;
constexpr std::int64_t kEndGraceNs = 5'000 * kMillisecondNs;  // for the kernel to end what was killed
constexpr int kStoppedPollMs = 50;
constexpr std::uint64_t kCpuSecondsMax = 24 * 3600;

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

int PollTimeout(std::int64_t until_ns) {
  const std::int64_t left = (until_ns - NowNs() + kMillisecondNs - 1) / kMillisecondNs;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

std::unexpected<Error> CannotStart(std::string_view what, int error) {
  return Fail(Code::kIo, "cannot " + std::string(what) + ": " + ErrnoText(error));
}

// Above the three that the program gets.
UniqueFd Above2(UniqueFd fd) {
  if (fd.get() > STDERR_FILENO || !fd) return fd;
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return CannotStart("make a pipe", errno);
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  pipe.read = Above2(std::move(pipe.read));
  pipe.write = Above2(std::move(pipe.write));
  if (!pipe.read || !pipe.write) return CannotStart("make a pipe", errno);
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

// A file in memory needs nobody to write while the program runs.
Result<UniqueFd> InputOf(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) {
    UniqueFd nothing = Above2(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    if (!nothing) return CannotStart("open /dev/null", errno);
    return nothing;
  }
  UniqueFd file = Above2(UniqueFd(::memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
  if (!file) return CannotStart("make a file in memory", errno);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::pwrite(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return CannotStart("keep the input", errno);
    at += static_cast<std::size_t>(n);
  }
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return CannotStart("seal the input", errno);
  }
  return file;
}

// What the program writes to one of its streams.
class Output {
 public:
  Output(UniqueFd fd, std::size_t bytes_max, std::string& text, bool& truncated)
      : fd_(std::move(fd)), bytes_max_(bytes_max), text_(text), truncated_(truncated) {}

  int fd() const { return fd_.get(); }

  // All that is there now. At the limit the pipe is closed, as `head` does.
  void Read() {
    std::array<char, 64 << 10> block;
    while (fd_) {
      const ssize_t n = ::read(fd_.get(), block.data(), block.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return fd_.Reset();
      const std::size_t take = std::min(static_cast<std::size_t>(n), bytes_max_ - text_.size());
      text_.append(block.data(), take);
      if (take == static_cast<std::size_t>(n)) continue;
      truncated_ = true;
      fd_.Reset();
    }
  }

 private:
  UniqueFd fd_;
  std::size_t bytes_max_;
  std::string& text_;
  bool& truncated_;
};

std::uint64_t FlagsOf(Place place) {
  switch (place) {
    case Place::kUserNamespace: return CLONE_NEWUSER | CLONE_NEWPID;
    case Place::kNamespace: return CLONE_NEWPID;
    case Place::kSubreaper: break;
  }
  return 0;
}

// One process above the program, and what it is told and tells.
class Run {
 public:
  Run(const RunRequest& request, Place place) : request_(request), place_(place) {}

  // Nothing: this kernel does not let us have such a namespace.
  Result<std::optional<RunOutcome>> Go() {
    CORDON_ASSIGN(in_, InputOf(request_.input));
    CORDON_ASSIGN(out_, MakePipe());
    CORDON_ASSIGN(err_, MakePipe());
    CORDON_ASSIGN(control_, MakePipe());
    CORDON_ASSIGN(report_, MakePipe());
    const int error = Start();
    const bool namespaced = place_ != Place::kSubreaper;
    if (error != 0 && namespaced && error != ENOMEM && error != EAGAIN) return std::nullopt;
    if (error != 0) return CannotStart("start a process", error);
    Watch();
    if (report_seen_ && last_.what == ChildReport::What::kNoNamespace) return std::nullopt;
    if (report_seen_ && last_.what == ChildReport::What::kNotStarted) {
      return CannotStart("start " + request_.program->pin.path.string(), last_.number);
    }
    Settle();
    return std::move(outcome_);
  }

 private:
  int Start();
  void Watch();
  void EndAll();
  void ReadReports();
  void Settle();

  const RunRequest& request_;
  Place place_;
  UniqueFd in_;
  Pipe out_, err_, control_, report_;
  UniqueFd process_;
  RunOutcome outcome_;
  ChildReport last_;
  bool report_seen_ = false;
  bool timed_out_ = false;
};

// errno, or 0.
int Run::Start() {
  std::vector<char*> arguments;
  for (const std::string& one : request_.arguments) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin";
  char language[] = "LANG=C.UTF-8";
  char* const environment[] = {path, language, nullptr};
  const std::string uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  const std::string uid_map = uid + " " + uid + " 1", gid_map = gid + " " + gid + " 1";
  const std::int64_t left_s = std::max<std::int64_t>(request_.deadline_ns - NowNs(), 0) / 1'000'000'000;
  ChildPlan plan;
  plan.program = request_.program->fd.get();
  plan.directory = request_.directory;
  plan.rules = request_.rules;
  plan.in = in_.get();
  plan.out = out_.write.get();
  plan.err = err_.write.get();
  plan.control = control_.read.get();
  plan.control_end = control_.write.get();
  plan.report = report_.write.get();
  plan.arguments = arguments.data();
  plan.environment = environment;
  plan.place = place_;
  plan.uid_map = uid_map.c_str();
  plan.gid_map = gid_map.c_str();
  plan.cpu_seconds = std::min(static_cast<std::uint64_t>(left_s) + 1, kCpuSecondsMax);
  int process = -1;
  clone_args how{};
  // Without a signal at its end: neither a handler nor a wait of the embedding program takes it for one of its own.
  how.flags = CLONE_PIDFD | FlagsOf(place_);
  how.pidfd = reinterpret_cast<std::uint64_t>(&process);
  // They wait while there is a copy of this process that would take them with the handlers of this one.
  const SignalsBlocked blocked;
  const long pid = ::syscall(SYS_clone3, &how, sizeof how);
  if (pid == 0) RunChild(plan);
  if (pid < 0) return errno;
  process_ = UniqueFd(process);
  in_.Reset();
  out_.write.Reset();
  err_.write.Reset();
  control_.read.Reset();
  report_.write.Reset();
  return 0;
}

void Run::ReadReports() {
  while (::read(report_.read.get(), &last_, sizeof last_) == static_cast<ssize_t>(sizeof last_)) report_seen_ = true;
}

// Ends everything, and waits until it has.
void Run::EndAll() {
  if (place_ == Place::kSubreaper) {
    control_.write.Reset();
  } else {
    ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
  }
  const std::int64_t until = NowNs() + kEndGraceNs;
  pollfd wait = {process_.get(), POLLIN, 0};
  while (::poll(&wait, 1, PollTimeout(until)) < 0 && errno == EINTR) {}
  if (wait.revents == 0) ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
  siginfo_t end{};
  // WNOHANG: what hangs in the kernel past the grace is left to it.
  ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &end, WEXITED | __WALL | WNOHANG);
}

void Run::Watch() {
  Output out(std::move(out_.read), request_.output_bytes_max, outcome_.out, outcome_.out_truncated);
  Output err(std::move(err_.read), request_.output_bytes_max, outcome_.err, outcome_.err_truncated);
  while (true) {
    int timeout = PollTimeout(request_.deadline_ns);
    timed_out_ = timeout == 0 || (request_.stopped && request_.stopped());
    if (timed_out_) break;
    if (request_.stopped) timeout = std::min(timeout, kStoppedPollMs);
    // A descriptor below 0 is passed over.
    std::array<pollfd, 4> waits = {
        {{out.fd(), POLLIN, 0}, {err.fd(), POLLIN, 0}, {report_.read.get(), POLLIN, 0}, {process_.get(), POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), timeout) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (waits[0].revents != 0) out.Read();
    if (waits[1].revents != 0) err.Read();
    if (waits[2].revents != 0 || waits[3].revents != 0) break;
  }
  ReadReports();
  EndAll();
  ReadReports();
  out.Read();
  err.Read();
}

void Run::Settle() {
  outcome_.in_namespace = place_ != Place::kSubreaper;
  const bool ended = report_seen_ && last_.what == ChildReport::What::kEnded;
  if (timed_out_ || !ended) {
    outcome_.ended = timed_out_ ? RunOutcome::Ended::kTimedOut : RunOutcome::Ended::kSignalled;
    outcome_.number = SIGKILL;
  } else if (WIFSIGNALED(last_.number)) {
    outcome_.ended = RunOutcome::Ended::kSignalled;
    outcome_.number = static_cast<std::uint32_t>(WTERMSIG(last_.number));
  } else {
    outcome_.number = static_cast<std::uint32_t>(WEXITSTATUS(last_.number));
  }
}

}  // namespace

Result<RunOutcome> RunProgram(const RunRequest& request) {
  constexpr std::array<Place, 3> kPlaces = {Place::kUserNamespace, Place::kNamespace, Place::kSubreaper};
  for (const Place place : kPlaces) {
    if (request.tree == RunRequest::Tree::kSubreaper && place != Place::kSubreaper) continue;
    CORDON_ASSIGN(std::optional<RunOutcome> outcome, Run(request, place).Go());
    if (outcome) return std::move(*outcome);
  }
  return CannotStart("start a process", EPERM);
}

}  // namespace cordon::services
