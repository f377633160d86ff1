#include "runtime/native.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/file.h"
#include "base/text.h"
#include "runtime/native_session.h"
#include "runtime/plugin.h"
#include "services/fledge.h"

namespace cordon::runtime {
namespace {

constexpr std::size_t kOutgoingBytesMax = 1 << 20;  // of answers that the program does not read: then it is not heard
constexpr std::size_t kChunkBytes = 4096;           // what a pipe that is ready takes without waiting
constexpr std::size_t kToldBytesMax = 300;
constexpr int kBrokenPipeStatus = 141;
constexpr int kStoppedMs = 100;

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

int TimeoutUntil(std::int64_t deadline_ns) {
  return static_cast<int>(std::clamp<std::int64_t>((deadline_ns - NowNs()) / 1'000'000 + 1, 0, 1'000'000));
}

Error Ended(int status, std::string message) {
  return Error(Code::kExit, std::move(message)).With("status", std::to_string(status));
}

// A write to what nobody reads is an error here, and no signal to the embedding program.
ssize_t WriteQuietly(int fd, std::string_view text) {
  sigset_t pipe, before, waiting;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::sigpending(&waiting);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const ssize_t written = ::write(fd, text.data(), text.size());
  const int error = errno;
  if (written < 0 && error == EPIPE && ::sigismember(&waiting, SIGPIPE) == 0) {
    const timespec now{};
    ::sigtimedwait(&pipe, nullptr, &now);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

// Where one of its streams leads: on, or into the report, up to a limit.
class Sink {
 public:
  Sink(int fd, std::uint64_t bytes_max, std::int64_t deadline_ns, const std::function<bool()>& stopped,
       std::string& kept, std::uint64_t& dropped)
      : fd_(fd),
        is_terminal_(fd >= 0 && ::isatty(fd) == 1),
        left_(bytes_max),
        deadline_ns_(deadline_ns),
        stopped_(stopped),
        kept_(kept),
        dropped_(dropped) {}

  Status Put(std::string_view text) {
    const std::string_view fits = text.substr(0, std::min<std::uint64_t>(text.size(), left_));
    dropped_ += text.size() - fits.size();
    left_ -= fits.size();
    if (fd_ < 0) return kept_ += fits, Status();
    if (!is_terminal_) return Pass(fits);
    return Pass(Escape(fits, Lines::kKeep));
  }

 private:
  Status Pass(std::string_view text) const {
    while (!text.empty()) {
      pollfd ready = {fd_, POLLOUT, 0};
      const int found = ::poll(&ready, 1, std::min(TimeoutUntil(deadline_ns_), kStoppedMs));
      if (stopped_ && stopped_()) return Fail(Code::kInterrupted, "the call was interrupted");
      if (found == 0 && NowNs() < deadline_ns_) continue;
      if (found == 0) return Fail(Code::kTimeout, "the call ran past its deadline while nobody read its output");
      if (found < 0 && errno == EINTR) continue;
      const ssize_t written = WriteQuietly(fd_, text.substr(0, kChunkBytes));
      if (written >= 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EPIPE) {
        return Fail(Ended(kBrokenPipeStatus, "nobody reads what the plugin writes"));
      } else if (errno != EINTR && errno != EAGAIN) {
        return Fail(Code::kIo, "the output cannot be written: " + ErrnoText(errno));
      }
    }
    return {};
  }

  int fd_;
  bool is_terminal_;
  std::uint64_t left_;
  std::int64_t deadline_ns_;
  const std::function<bool()>& stopped_;
  std::string& kept_;
  std::uint64_t& dropped_;
};

// The talk with one program, until it has closed both of its streams.
class Talk {
 public:
  Talk(isolation::Process& process, NativeSession& session, Sink& errors)
      : process_(process), session_(session), errors_(errors) {}

  Status Run() {
    CORDON_ASSIGN(outgoing_, session_.Init());
    while (out_ >= 0 || err_ >= 0) CORDON_TRY(Step());
    return {};
  }

 private:
  Status Step() {
    const bool hears = outgoing_.size() < kOutgoingBytesMax;
    // A descriptor below 0 is passed over.
    std::array<pollfd, 3> waits = {
        {{hears ? out_ : -1, POLLIN, 0}, {err_, POLLIN, 0}, {outgoing_.empty() ? -1 : process_.input(), POLLOUT, 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0) {
      if (errno == EINTR) return {};
      return Fail(Code::kIo, "cannot wait for the plugin: " + ErrnoText(errno));
    }
    if (waits[2].revents != 0) Write();
    if (waits[1].revents != 0) CORDON_TRY(ReadErrors());
    if (waits[0].revents != 0) CORDON_TRY(ReadMessages());
    return {};
  }

  void Write() {
    const ssize_t written = WriteQuietly(process_.input(), outgoing_);
    if (written >= 0) {
      outgoing_.erase(0, static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      outgoing_.clear();
      process_.CloseInput();
    }
  }

  // Nothing at the end, which is remembered; an empty text when there is nothing now.
  static std::optional<std::string> Read(int& fd) {
    std::string block(64 << 10, '\0');
    const ssize_t got = ::read(fd, block.data(), block.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return std::string();
    if (got <= 0) return fd = -1, std::nullopt;
    block.resize(static_cast<std::size_t>(got));
    return block;
  }

  Status ReadErrors() {
    const auto text = Read(err_);
    return text ? errors_.Put(*text) : Status();
  }

  Status ReadMessages() {
    const auto text = Read(out_);
    if (!text) {
      // Without its last line's end, it is a line all the same.
      const std::string rest = std::move(incoming_);
      incoming_.clear();
      if (!rest.empty()) CORDON_TRY(Take(rest));
      process_.CloseInput();
      outgoing_.clear();
      return {};
    }
    incoming_ += *text;
    std::size_t begin = 0;
    for (std::size_t end; (end = incoming_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      CORDON_TRY(Take(std::string_view(incoming_).substr(begin, end - begin)));
    }
    incoming_.erase(0, begin);
    return incoming_.size() > kNativeLineBytesMax ? TooLong() : Status();
  }

  Status Take(std::string_view line) {
    if (line.size() > kNativeLineBytesMax) return TooLong();
    CORDON_ASSIGN(const std::string answer, session_.Take(line));
    if (process_.input() >= 0) outgoing_ += answer;
    return {};
  }

  static Status TooLong() {
    return Fail(Code::kLimit, "the plugin wrote a line of more than 1 MiB", "report this to the plugin's author");
  }

  isolation::Process& process_;
  NativeSession& session_;
  Sink& errors_;
  int out_ = process_.output(), err_ = process_.errors();
  std::string incoming_, outgoing_;
};

isolation::Confined ConfinedOf(const engine::InstanceOptions& options, std::span<const std::uint8_t> program) {
  isolation::Confined confined;
  confined.program = program;
  if (!options.arguments.empty()) confined.name = options.arguments.front();
  confined.environment = options.environment;
  confined.environment.emplace_back("FLEDGE_PLUGIN_DIR", "/run/plugin");
  for (const engine::Preopen& folder : options.preopens) {
    using Access = isolation::Bind::Access;
    confined.binds.push_back({folder.dir_fd, folder.guest_path, folder.writable ? Access::kWrite : Access::kRead});
    if (folder.guest_path == services::kFledgeProject) confined.directory = services::kFledgeProject;
    if (folder.guest_path == services::kFledgeOwn) confined.environment.back().second = services::kFledgeOwn;
  }
  return confined;
}

// What the end of its process means.
Status Judge(const isolation::ConfinedProcess::Outcome& outcome, const engine::CallLimits& limits) {
  using Why = isolation::Ending::Why;
  const bool is_cpu = limits.cpu && outcome.status == 128 + SIGXCPU;
  switch (is_cpu ? Why::kCpu : outcome.ending.why) {
    case Why::kItself: break;
    case Why::kDeadline: return Fail(Code::kTimeout, "the call ran past its deadline");
    case Why::kMemory: return Fail(Code::kMemory, "the plugin's processes use more memory than limits.memory allows");
    case Why::kProcesses:
      return Fail(Code::kLimit, "the plugin has more than " + std::to_string(kNativeProcessesMax) + " processes");
    case Why::kCpu: return Fail(Code::kCpu, "the plugin used more CPU time than limits.cpu allows");
    case Why::kStopped:
    case Why::kAsked: return Fail(Code::kInterrupted, "the call was interrupted");
  }
  if (!outcome.status) return Fail(Code::kUnavailable, "bubblewrap did not start the plugin");
  if (*outcome.status == 0) return {};
  return Fail(Ended(*outcome.status, "the plugin ended itself with status " + std::to_string(*outcome.status)));
}

}  // namespace

Status NativeProgram::Run(const NativeCall& call, const std::shared_ptr<HostChannel>& channel,
                          CallReport& report) const {
  const engine::InstanceOptions& options = *call.options;
  const std::int64_t began = NowNs(), deadline = began + call.limits.wall.count();
  CORDON_ASSIGN(isolation::ConfinedProcess confined,
                backend_.Start(ConfinedOf(options, bytes_), {.memory_bytes = options.limits.memory_bytes,
                                                             .processes = kNativeProcessesMax,
                                                             .cpu = call.limits.cpu,
                                                             .deadline_ns = deadline,
                                                             .stopped = call.stopped}));
  const engine::Streams streams = options.streams.value_or(engine::Streams{});
  const std::uint64_t bytes_max = options.limits.stdout_bytes;
  Sink out(streams.stdout_fd, bytes_max, deadline, call.stopped, report.stdout_text, report.usage.stdout_dropped_bytes);
  Sink err(streams.stderr_fd, bytes_max, deadline, call.stopped, report.stderr_text, report.usage.stderr_dropped_bytes);
  NativeSession session(call, deadline, channel, [&out](std::string_view text) { return out.Put(text); });
  Status talked = Talk(confined.process(), session, err).Run();
  confined.process().CloseInput();
  if (!talked) confined.process().End();
  const isolation::ConfinedProcess::Outcome outcome = confined.Wait();
  report.usage.wall = Duration(NowNs() - began);
  report.usage.cpu = outcome.ending.cpu;
  report.usage.memory_peak_bytes = outcome.ending.memory_peak_bytes;
  report.usage.host_calls = session.host_calls();
  // What ended it from outside says more than what its message then came to.
  const bool by_itself =
      outcome.ending.why == isolation::Ending::Why::kItself || outcome.ending.why == isolation::Ending::Why::kAsked;
  if (!talked && by_itself) return talked;
  Status judged = Judge(outcome, call.limits);
  if (!judged && judged.error().code == Code::kUnavailable) {
    judged.error().details.emplace_back("stderr", EscapeShort(report.stderr_text, kToldBytesMax));
  }
  return judged;
}

}  // namespace cordon::runtime
