#include "services/exec/confine.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace cordon::services {
namespace {

// As in linux/landlock.h, of which the system's may be older than its kernel.
constexpr std::uint64_t kExecute = 1u << 0;
constexpr std::uint64_t kWriteFile = 1u << 1;
constexpr std::uint64_t kReadFile = 1u << 2;
constexpr std::uint64_t kReadFolder = 1u << 3;
constexpr std::uint64_t kRemoveFolder = 1u << 4;
constexpr std::uint64_t kRemoveFile = 1u << 5;
constexpr std::uint64_t kMakeFolder = 1u << 7;
constexpr std::uint64_t kMakeFile = 1u << 8;
constexpr std::uint64_t kRefer = 1u << 13;
constexpr std::uint64_t kTruncate = 1u << 14;
constexpr std::uint64_t kRead = kReadFile | kReadFolder;
// Neither links nor devices, pipes or sockets: no tool of the host shall stumble over one.
constexpr std::uint64_t kWrite =
    kRead | kWriteFile | kRemoveFolder | kRemoveFile | kMakeFolder | kMakeFile | kRefer | kTruncate;

constexpr const char* kReadable[] = {"/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/opt"};
constexpr const char* kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

struct Handled {
  std::uint64_t files, net, scoped;
};

class Rules {
 public:
  // What the kernel knows of all that can be ruled.
  static Result<Rules> Make() {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
      return Fail(Code::kUnavailable, "this kernel has no Landlock, and without it no program is run for a plugin",
                  "use Linux 5.13 or newer with landlock among its security modules");
    }
    Rules rules;
    Handled handled{(1u << 13) - 1, 0, 0};
    std::size_t size = sizeof handled.files;
    if (version >= 2) handled.files |= kRefer;
    if (version >= 3) handled.files |= kTruncate;
    if (version >= 5) handled.files |= 1u << 15;  // ioctl of devices
    if (version >= 6) {
      handled.scoped = 3;  // abstract sockets and signals of others
      size = sizeof handled;
    }
    rules.files_ = handled.files;
    rules.fd_ = UniqueFd(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size, 0)));
    if (!rules.fd_) return Fail(Code::kUnavailable, "cannot make Landlock rules: " + ErrnoText(errno));
    return rules;
  }

  Status Allow(int fd, std::uint64_t access) const {
    landlock_path_beneath_attr rule{};
    rule.allowed_access = access & files_;
    rule.parent_fd = fd;
    if (::syscall(SYS_landlock_add_rule, fd_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return {};
    return Fail(Code::kUnavailable, "cannot add a Landlock rule: " + ErrnoText(errno));
  }

  // What is not there needs no rule.
  Status Allow(const char* path, std::uint64_t access) const {
    const UniqueFd fd(::open(path, O_PATH | O_CLOEXEC));
    return fd ? Allow(fd.get(), access) : Status();
  }

  UniqueFd Take() { return std::move(fd_); }

 private:
  UniqueFd fd_;
  std::uint64_t files_ = 0;
};

}  // namespace

Result<UniqueFd> MakeRules(std::span<const Program* const> programs, std::span<const ExecFolder> folders) {
  CORDON_ASSIGN(Rules rules, Rules::Make());
  for (const char* path : kReadable) CORDON_TRY(rules.Allow(path, kRead));
  for (const char* path : kDevices) CORDON_TRY(rules.Allow(path, kReadFile | kWriteFile));
  for (const Program* program : programs) {
    CORDON_TRY(rules.Allow(program->fd.get(), kExecute | kReadFile));
    if (!program->loader.empty()) CORDON_TRY(rules.Allow(program->loader.c_str(), kExecute | kReadFile));
  }
  for (const ExecFolder& folder : folders) {
    CORDON_TRY(rules.Allow(folder.fd.get(), folder.access == policy::Access::kWrite ? kWrite : kRead));
  }
  return rules.Take();
}

}  // namespace cordon::services
