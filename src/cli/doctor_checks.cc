#include "cli/doctor_checks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "audit/audit_log.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "cli/security_floor.h"
#include "engine/compile_process.h"
#include "engine/engine.h"
#include "formats/json.h"
#include "isolation/bubblewrap.h"
#include "policy/grants_file.h"
#include "runtime/kill_switch.h"
#include "worker/keeper_protocol.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;
using Grade = Finding::Grade;

// Three numbers; what is not one counts as zero, so that nonsense is old.
std::array<unsigned, 3> Numbers(std::string_view text) {
  std::array<unsigned, 3> out{};
  for (unsigned& number : out) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc()) break;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  return out;
}

Finding Pass(std::string category, std::string check, std::string message) {
  return {Grade::kPass, std::move(category), std::move(check), std::move(message), ""};
}

std::string FirstLine(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  char text[128];
  const ssize_t n = fd ? ::read(fd.get(), text, sizeof text) : -1;
  std::string line(text, static_cast<std::size_t>(n > 0 ? n : 0));
  return line.substr(0, line.find('\n'));
}

Finding CheckKernel() {
  utsname names{};
  ::uname(&names);
  const std::string release = names.release;
  if (Numbers(release) >= std::array<unsigned, 3>{5, 13, 0}) return Pass("host", "kernel", "Linux " + release);
  return {Grade::kWarn, "host", "kernel", "Linux " + release + " is older than 5.13",
          "update the kernel: the compiler's process is confined less on this one"};
}

Finding CheckNamespaces() {
  const std::string most = FirstLine("/proc/sys/user/max_user_namespaces");
  const bool off = most == "0" || FirstLine("/proc/sys/kernel/unprivileged_userns_clone") == "0";
  if (!off) return Pass("host", "user-namespaces", "may be made");
  return {Grade::kWarn, "host", "user-namespaces", "may not be made by this user",
          "allow them (sysctl user.max_user_namespaces): without, the compiler keeps the host's namespaces"};
}

Finding CheckSeccomp() {
  if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0) return Pass("host", "seccomp", "is there");
  return {Grade::kFail, "host", "seccomp", "is not in this kernel", "use a kernel with CONFIG_SECCOMP_FILTER"};
}

Finding CheckSealing() {
  const UniqueFd fd(::memfd_create("cordon-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  void* page = MAP_FAILED;
  if (fd && ::ftruncate(fd.get(), 4096) == 0 && ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0) {
    page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  }
  if (page != MAP_FAILED) {
    ::munmap(page, 4096);
    return Pass("host", "sealed-code", "code can run from sealed memory");
  }
  return {Grade::kFail, "host", "sealed-code", "code cannot run from sealed memory",
          "look at vm.memfd_noexec and at the rules of SELinux for execmem"};
}

}  // namespace

std::string_view GradeName(Grade grade) {
  constexpr std::array<std::string_view, 3> kNames = {"pass", "warn", "fail"};
  return kNames[static_cast<std::size_t>(grade)];
}

Finding CheckEngineFloor(std::string_view engine_version, std::string_view mitigated, std::string_view floor) {
  const std::size_t digit = engine_version.find_first_of("0123456789");
  const std::string_view number = digit == std::string_view::npos ? "" : engine_version.substr(digit);
  const std::string shown = engine_version.empty() ? "an engine without a version" : std::string(engine_version);
  if (Numbers(number) >= Numbers(floor)) return Pass("engine", "security-floor", shown);
  if (Numbers(number) >= Numbers(mitigated)) {
    return {Grade::kWarn, "engine", "security-floor",
            shown + " is below " + std::string(floor) + ", with mitigations in place of what it lacks",
            "see them: cordon version; take a build with the newer engine as soon as there is one"};
  }
  return {Grade::kFail, "engine", "security-floor",
          shown + " is below " + std::string(mitigated) + ", and has holes that are known",
          "run no plugins with it: take a newer build of cordon"};
}

Finding CheckCacheKey(const std::array<std::uint8_t, 32>& one, const std::array<std::uint8_t, 32>& other) {
  if (one != other && one != std::array<std::uint8_t, 32>{}) {
    return Pass("cache", "key", "compiled code is found by engine, settings and processor too");
  }
  return {Grade::kFail, "cache", "key", "the key of the code cache does not tell engines apart",
          "run with --no-cache, and take another build of cordon"};
}

Finding CheckTrail(const Result<audit::Verification>& verification) {
  if (!verification && verification.error().code == Code::kNotFound) {
    return Pass("audit", "chain", "there is no log yet");
  }
  if (!verification) {
    return {Grade::kFail, "audit", "chain", verification.error().message, verification.error().remedy};
  }
  if (verification->bad) {
    const audit::BadRecord& bad = *verification->bad;
    return {Grade::kFail, "audit", "chain", "line " + std::to_string(bad.line) + " of " + bad.file + ": " + bad.why,
            "keep the files as they are, and compare them with a copy: cordon trail verify"};
  }
  return Pass("audit", "chain",
              std::to_string(verification->records) + " records, " + std::to_string(verification->checkpoints) +
                  " checkpoints: whole");
}

Finding CheckAccess(std::string category, std::string check, const fs::path& path, const Access& access,
                    Access::Type expected, Secrecy secrecy) {
  const auto fail = [&](const std::string& why, std::string hint) {
    return Finding{Grade::kFail, category, check, path.string() + " " + why, std::move(hint)};
  };
  if (access.type == Access::Type::kAbsent) return Pass(category, check, path.string() + " is not there yet");
  if (access.type == Access::Type::kLink) return fail("is a symbolic link", "put the real thing in its place");
  if (access.type != expected) return fail("is not what it should be", "move it away");
  if (access.owner != access.user) return fail("belongs to another user", "move it away, or give it to this user");
  const std::uint32_t closed = secrecy == Secrecy::kSecret ? 077 : 022;
  if ((access.mode & closed) != 0) {
    return fail(secrecy == Secrecy::kSecret ? "can be read by other users" : "can be written by other users",
                "chmod " + std::string(expected == Access::Type::kFolder ? "700 " : "600 ") + path.string() +
                    ", and find out who did");
  }
  return Pass(category, check, path.string());
}

Finding CheckMemory(std::uint64_t memory, std::uint64_t addresses, std::uint64_t ceiling) {
  if (memory < 2 * ceiling) {
    return {Grade::kWarn, "host", "memory",
            FormatBytes({memory}) + " of memory, with plugins allowed " + FormatBytes({ceiling}) + " each",
            "lower plugins.limits.memory in config.yaml"};
  }
  if (addresses < (64ull << 30)) {
    return {Grade::kWarn, "host", "memory", "the process may use " + FormatBytes({addresses}) + " of addresses only",
            "raise `ulimit -v`: with little, memory is checked in software, which is slower"};
  }
  return Pass("host", "memory", FormatBytes({memory}));
}

Finding CheckLandlock(int abi) {
  if (abi >= 1) return Pass("host", "landlock", "ABI " + std::to_string(abi));
  return {Grade::kWarn, "host", "landlock", "is not in this kernel",
          "use a kernel with Landlock: without, no plugin may run a program, and seccomp alone holds the compiler"};
}

Finding CheckGroups(const groups::Bounds& holds) {
  std::string missing;
  const auto miss = [&](std::string_view what) { missing += (missing.empty() ? "" : ", ") + std::string(what); };
  if (holds.memory_bytes == 0) miss("memory");
  if (holds.threads == 0) miss("threads");
  if (!holds.processors) miss("processors");
  if (missing.empty()) return Pass("host", "control-groups", "memory, threads and processors of workers are bound");
  return {Grade::kWarn, "host", "control-groups",
          "no control group bounds " + missing + " here: workers are held by their own limits, and by their host",
          "delegate one: for a service of systemd Delegate=yes and DelegateSubgroup=host"};
}

// Its backend is tried, which runs no plugin.
Finding CheckNative(manifest::Config::Native native, const fs::path& bubblewrap) {
  if (native == manifest::Config::Native::kRefuse) return Pass("host", "native", "native plugins are refused");
  const auto found = isolation::Bubblewrap::Find(bubblewrap);
  if (found) return Pass("host", "native", bubblewrap.string() + " confines native plugins");
  return {Grade::kWarn, "host", "native", found.error().message, found.error().remedy};
}

// What `cordon-worker --json` says of the confinement that this system permits.
Finding CheckConfinement(std::string_view text) {
  const auto parsed = json::Parse(text, "cordon-worker --json");
  const Json said = parsed && parsed->is_object() ? *parsed : Json::object();
  const auto is = [&](const char* key) { return said.contains(key) && said[key] == true; };
  if (!said.contains("schema") || said["schema"] != "cordon.worker/1") {
    return {Grade::kFail, "engine", "worker", "cordon-worker does not say how it is confined here",
            "install the cordon-worker that came with this build"};
  }
  std::string missing;
  const auto miss = [&](const std::string& what) { missing += (missing.empty() ? "" : ", ") + what; };
  const Json namespaces = said.contains("namespaces") ? said["namespaces"] : Json::array();
  for (const char* name : {"user", "pid", "net", "mount", "ipc", "uts"}) {
    if (std::ranges::find(namespaces, Json(name)) == namespaces.end()) miss(std::string(name) + " namespace");
  }
  if (!is("empty_root")) miss("root of its own");
  if (!said.contains("landlock") || said["landlock"] == 0) miss("Landlock");
  if (!is("seccomp")) {
    return {Grade::kFail, "engine", "worker", "workers have no filter of system calls here: none is started",
            "use a kernel with CONFIG_SECCOMP_FILTER"};
  }
  if (missing.empty() && !is("sockets")) {
    return {Grade::kWarn, "engine", "worker", "plugins that may use sockets do not run in workers here",
            "use Linux 5.14 or later, and mount /proc"};
  }
  if (missing.empty()) return Pass("engine", "worker", "workers are confined in every way");
  return {Grade::kWarn, "engine", "worker", "workers have no " + missing + " here, so level paranoid runs nothing",
          "allow user namespaces (sysctl user.max_user_namespaces) and use a kernel with Landlock"};
}

namespace {

// What a program of ours writes to its standard output, within a second or so.
std::string OutputOf(const fs::path& program, const char* argument) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return {};
  const UniqueFd in(pipe[0]);
  UniqueFd out(pipe[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  std::string name = program.string(), word = argument;
  char* argv[] = {name.data(), word.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  out.Reset();
  if (failed != 0) return {};
  std::string text(4096, '\0');
  std::size_t size = 0;
  pollfd ready = {in.get(), POLLIN, 0};
  while (size < text.size() && ::poll(&ready, 1, 5000) > 0) {
    const ssize_t n = ::read(in.get(), text.data() + size, text.size() - size);
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  text.resize(size);
  return text;
}

Finding CheckWorker() {
  const auto worker = engine::FindProgram(worker::kProgramName, {});
  if (!worker) return {Grade::kFail, "engine", "worker", worker.error().message, worker.error().remedy};
  return CheckConfinement(OutputOf(*worker, "--json"));
}

}  // namespace

Access AccessOf(const fs::path& path) {
  Access access;
  access.user = ::geteuid();
  struct stat st{};
  if (::lstat(path.c_str(), &st) != 0) return access;
  access.type = S_ISDIR(st.st_mode)   ? Access::Type::kFolder
                : S_ISREG(st.st_mode) ? Access::Type::kFile
                : S_ISLNK(st.st_mode) ? Access::Type::kLink
                                      : Access::Type::kOther;
  access.mode = st.st_mode & 07777;
  access.owner = st.st_uid;
  return access;
}

groups::Bounds BoundsToBeHad() {
  constexpr groups::Bounds kAll{.memory_bytes = 1 << 30, .threads = 64, .processors = 1};
  const auto group = groups::Group::Make(groups::Home::Make(), kAll);
  return group != nullptr && group->LetsIn() ? group->holds() : groups::Bounds();
}

std::vector<Finding> CheckHost(const manifest::Config& config) {
  rlimit addresses{};
  ::getrlimit(RLIMIT_AS, &addresses);
  const auto memory =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  constexpr unsigned kVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersion);
  return {CheckNative(config.native, isolation::kBubblewrap),
          CheckKernel(),
          CheckNamespaces(),
          CheckLandlock(static_cast<int>(abi)),
          CheckSeccomp(),
          CheckSealing(),
          CheckGroups(BoundsToBeHad()),
          CheckMemory(memory, addresses.rlim_cur, config.limits.memory.count)};
}

std::vector<Finding> CheckState(const fs::path& folder) {
  const auto access = [&](std::string category, std::string check, std::string_view file, Secrecy secrecy) {
    const fs::path path = folder / file;
    return CheckAccess(std::move(category), std::move(check), path, AccessOf(path), Access::Type::kFile, secrecy);
  };
  std::vector<Finding> out;
  out.push_back(CheckAccess("state", "folder", folder, AccessOf(folder), Access::Type::kFolder, Secrecy::kSecret));
  out.push_back(access("state", "grants", policy::kGrantsFile, Secrecy::kTrusted));
  if (AccessOf(folder / runtime::kSwitchFile).type == Access::Type::kAbsent) {
    out.push_back(Pass("state", "switch", "plugins are on"));
  } else {
    out.push_back({Grade::kWarn, "state", "switch", "plugins are switched off", "cordon plugins enable"});
  }
  out.push_back(access("audit", "log", audit::kAuditFile, Secrecy::kTrusted));
  out.push_back(access("audit", "key", audit::kKeyFile, Secrecy::kSecret));
  out.push_back(CheckTrail(audit::Verify(folder)));
  return out;
}

std::vector<Finding> CheckCache(const manifest::Config& config) {
  if (config.cache.directory.empty()) {
    return {{Grade::kWarn, "cache", "folder", "there is no home to keep compiled code in", "set HOME"}};
  }
  const fs::path folder = config.cache.directory / "code", key = folder / "secret";
  return {CheckAccess("cache", "folder", folder, AccessOf(folder), Access::Type::kFolder, Secrecy::kTrusted),
          CheckAccess("cache", "secret", key, AccessOf(key), Access::Type::kFile, Secrecy::kSecret)};
}

std::vector<Finding> CheckEngine() {
  std::vector<Finding> out = {CheckEngineFloor(engine::EngineVersion(), kMitigatedFloor, kSecurityFloor)};
  engine::EngineOptions options;
  options.max_instances = 1;
  options.address_space = engine::EngineOptions::AddressSpace::kSmall;
  const auto one = engine::Engine::Create(options);
  options.fuel = true;
  const auto other = engine::Engine::Create(options);
  if (one && other) {
    out.push_back(CheckCacheKey((*one)->Fingerprint(), (*other)->Fingerprint()));
  } else {
    const Error& error = one ? other.error() : one.error();
    out.push_back({Grade::kFail, "engine", "start", error.message, error.remedy});
  }
  out.push_back(CheckWorker());
  if (const auto compiler = engine::FindCompiler({}); compiler) {
    out.push_back(Pass("engine", "compiler", compiler->string()));
  } else {
    out.push_back({Grade::kFail, "engine", "compiler", compiler.error().message, compiler.error().remedy});
  }
  return out;
}

}  // namespace cordon::cli
