#include "isolation/bubblewrap.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>

#include "base/file.h"
#include "base/text.h"
#include "isolation/tree.h"

namespace cordon::isolation {
namespace {

// Of src/isolation/filter.
constexpr unsigned char kFilter[] = {
#include "isolation/filter.inc"
};

constexpr std::string_view kPlace = "/run/plugin/";
constexpr std::int64_t kProbeNs = 10'000'000'000;
constexpr std::size_t kStatusBytesMax = 4096;
constexpr std::size_t kToldBytesMax = 2000;

std::unexpected<Error> Missing(std::string message, std::string remedy) {
  return Fail(Code::kUnavailable, "native programs cannot be confined here: " + std::move(message), std::move(remedy));
}

Result<UniqueFd> InMemory(const char* name, std::span<const std::uint8_t> bytes) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
  for (std::size_t at = 0; file && at < bytes.size();) {
    const ssize_t n = ::pwrite(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) file.Reset();
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  if (!file) return Fail(Code::kIo, "cannot make a file in memory: " + ErrnoText(errno));
  return file;
}

std::span<const std::uint8_t> BytesOf(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Options as bwrap reads them from a descriptor: each ends with a NUL. So no value of a variable is on a command line.
class Options {
 public:
  template <typename... Words>
  void Add(const Words&... words) {
    ((text_ += words, text_ += '\0'), ...);
  }
  // Gives the number that the descriptor has in the new process.
  std::string Give(int fd) {
    descriptors_.push_back(fd);
    return std::to_string(STDERR_FILENO + descriptors_.size());
  }
  const std::string& text() const { return text_; }
  std::vector<int>& descriptors() { return descriptors_; }

 private:
  std::string text_;
  std::vector<int> descriptors_;
};

// The machine's own programs and libraries, the same whether /bin is a folder or a link into /usr.
void AddSystem(Options& options) {
  options.Add("--ro-bind", "/usr", "/usr");
  for (const char* name : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(name, error);
    if (!error) {
      options.Add("--symlink", target.string(), name);
    } else if (std::filesystem::is_directory(name, error)) {
      options.Add("--ro-bind", name, name);
    }
  }
}

// Everything that is written somewhere else than in a granted folder is memory, and has a bound.
void AddOwn(Options& options, std::uint64_t bytes_max) {
  const std::string bytes = std::to_string(bytes_max);
  options.Add("--proc", "/proc", "--dev", "/dev");
  options.Add("--size", bytes, "--tmpfs", "/dev/shm", "--size", bytes, "--tmpfs", "/tmp");
  options.Add("--remount-ro", "/dev");
}

std::string ReadAll(int fd, std::size_t bytes_max) {
  std::string text(bytes_max, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace

ConfinedProcess::Outcome ConfinedProcess::Wait() {
  Outcome outcome{process_->Wait(), std::nullopt};
  constexpr std::string_view kKey = "\"exit-code\":";
  const std::string told = ReadAll(status_.get(), kStatusBytesMax);
  const std::size_t at = told.rfind(kKey);
  if (at == told.npos) return outcome;
  const std::size_t digits = told.find_first_not_of(' ', at + kKey.size());
  int status = 0;
  if (digits != told.npos) std::from_chars(told.data() + digits, told.data() + told.size(), status);
  outcome.status = status;
  return outcome;
}

Result<ConfinedProcess> Bubblewrap::Start(const Confined& confined, TreeLimits limits) const {
  CORDON_ASSIGN(const UniqueFd filter, InMemory("filter", kFilter));
  CORDON_ASSIGN(const UniqueFd program, InMemory("program", confined.program));
  int status[2];
  if (::pipe2(status, O_CLOEXEC) != 0) return Fail(Code::kIo, "cannot make a pipe: " + ErrnoText(errno));
  UniqueFd read(status[0]), write(status[1]);
  Options options;
  options.Add("--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent");
  options.Add("--cap-drop", "ALL", "--clearenv", "--hostname", "plugin");
  AddSystem(options);
  AddOwn(options, limits.memory_bytes);
  for (const Bind& bind : confined.binds) {
    options.Add(bind.access == Bind::Access::kWrite ? "--bind-fd" : "--ro-bind-fd", options.Give(bind.fd), bind.inside);
  }
  const std::string place = std::string(kPlace) + confined.name;
  options.Add("--perms", "0555", "--ro-bind-data", options.Give(program.get()), place);
  options.Add("--remount-ro", "/", "--chdir", confined.directory);
  options.Add("--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8", "--setenv", "HOME", "/tmp");
  for (const auto& [name, value] : confined.environment) options.Add("--setenv", name, value);
  options.Add("--json-status-fd", options.Give(write.get()), "--seccomp", options.Give(filter.get()));
  CORDON_ASSIGN(const UniqueFd text, InMemory("options", BytesOf(options.text())));
  if (::lseek(text.get(), 0, SEEK_SET) != 0) return Fail(Code::kIo, "cannot read the options");
  Launch launch;
  launch.program = program_.get();
  launch.arguments = {"bwrap", "--args", options.Give(text.get()), "--", place};
  launch.descriptors = std::move(options.descriptors());
  ConfinedProcess started;
  CORDON_ASSIGN(started.process_, Process::Start(launch, std::move(limits)));
  started.status_ = std::move(read);
  return started;
}

// As a real one is started, with what it must know: another version would fail in the middle of a call.
Status Bubblewrap::Probe(const std::filesystem::path& path) const {
  const UniqueFd folder(::open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC));
  Confined probe;
  probe.program = BytesOf("#!/bin/sh\nexit 0\n");
  probe.binds = {{folder.get(), "/probe", Bind::Access::kRead}};
  CORDON_ASSIGN(ConfinedProcess process, Start(probe, {.deadline_ns = NowNs() + kProbeNs}));
  process.process().CloseInput();
  const ConfinedProcess::Outcome outcome = process.Wait();
  if (outcome.status == 0) return {};
  const std::string told = EscapeShort(ReadAll(process.process().errors(), kToldBytesMax), 300);
  if (told.contains("nknown option")) {
    return Missing(path.string() + " is too old (" + told + ")", "install bubblewrap 0.8.0-2+deb12u1, 0.11 or later");
  }
  return Missing("bubblewrap may not make the namespaces that it needs (" + told + ")",
                 "permit user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
                 "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0");
}

Result<Bubblewrap> Bubblewrap::Find(const std::filesystem::path& path) {
  UniqueFd program(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat seen{};
  if (!program || ::fstat(program.get(), &seen) != 0) {
    return Missing("there is no " + path.string(), "install the package bubblewrap");
  }
  const bool is_safe = S_ISREG(seen.st_mode) && (seen.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
                       (seen.st_uid == 0 || seen.st_uid == ::geteuid()) && (seen.st_mode & S_IXOTH) != 0;
  if (!is_safe) {
    return Missing(path.string() + " is not a program that root alone can write", "install the package bubblewrap");
  }
  if (!CanMeasureTrees()) {
    return Missing("the kernel does not say whose child a process is", "use one with CONFIG_PROC_CHILDREN");
  }
  Bubblewrap found(std::move(program));
  CORDON_TRY(found.Probe(path));
  return found;
}

}  // namespace cordon::isolation
