#include "groups/group.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <new>
#include <span>
#include <system_error>

#include "base/file.h"

namespace cordon::groups {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "cordon-";
constexpr std::size_t kTextMax = 1 << 16;
constexpr int kRemoveTries = 100;
constexpr useconds_t kRemoveWaitUs = 1000;
constexpr double kPeriodUs = 20'000, kQuotaLeastUs = 1000, kPeriodMostUs = 1'000'000;

bool Put(const fs::path& file, const std::string& text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string TextOf(const fs::path& file) { return ReadFile(file, kTextMax).value_or(std::string()); }

// One process, for as long as the machine runs: its namespace of processes, its number there, when it began.
using Identity = std::array<std::uint64_t, 3>;

// When a process began, in ticks; 0 when there is none.
std::uint64_t BeganAt(std::uint64_t pid) {
  const std::string text = TextOf("/proc/" + std::to_string(pid) + "/stat");
  std::size_t at = text.rfind(')');  // its name may have anything in it
  constexpr int kFieldsBetween = 20;
  for (int i = 0; i < kFieldsBetween && at != text.npos; ++i) at = text.find(' ', at + 1);
  std::uint64_t ticks = 0;
  if (at != text.npos) std::from_chars(text.data() + at + 1, text.data() + text.size(), ticks);
  return ticks;
}

std::uint64_t OwnNamespace() {
  std::error_code error;
  const std::string text = fs::read_symlink("/proc/self/ns/pid", error).string();  // "pid:[4026531836]"
  const std::size_t at = text.find('[');
  std::uint64_t number = 0;
  if (at != text.npos) std::from_chars(text.data() + at + 1, text.data() + text.size(), number);
  return number;
}

// "cordon-4026531836-4242-991-…" as what it says; nothing for other names.
std::optional<Identity> IdentityIn(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  Identity identity{};
  for (std::uint64_t& number : identity) {
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end == name.data() + name.size() || *end != '-') return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(end - name.data()) + 1);
  }
  return identity;
}

std::vector<fs::path> FoldersIn(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (at->is_directory(ignored) && !at->is_symlink(ignored)) found.push_back(at->path());
  }
  return found;
}

// What was ended may still be going: waits a little for each folder. Allocates nothing, as there may be no memory left.
void RemoveSoon(Tree& tree, std::span<const fs::path* const> folders) noexcept {
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const auto is_same = [&](const fs::path* one) { return one->native() == folders[i]->native(); };
    if (folders[i]->empty() || std::ranges::any_of(folders.first(i), is_same)) continue;
    for (int left = kRemoveTries; left > 0 && !tree.Remove(*folders[i]) && errno == EBUSY; --left) {
      ::usleep(kRemoveWaitUs);
    }
  }
}

// With all groups in it; those that still have processes stay.
void RemoveTree(Tree& tree, const fs::path& folder) {
  for (const fs::path& inner : FoldersIn(folder)) RemoveTree(tree, inner);
  (void)tree.Remove(folder);
}

// What hosts left that are no more. Those of other namespaces may be alive for all that can be seen from here.
void Sweep(Tree& tree, const fs::path& parent) {
  const std::uint64_t own = OwnNamespace();
  for (const fs::path& folder : FoldersIn(parent)) {
    const auto whose = IdentityIn(folder.filename().string());
    if (!whose) continue;
    const auto [names, pid, began] = *whose;
    if (names == own && BeganAt(pid) != began) RemoveTree(tree, folder);
  }
}

std::string OwnName() {
  std::uint64_t random = 0;
  const auto pid = static_cast<std::uint64_t>(::getpid());
  const std::uint64_t names = OwnNamespace(), began = BeganAt(pid);
  if (names == 0 || began == 0 || ::getrandom(&random, sizeof random, 0) != sizeof random) return {};
  return std::string(kPrefix) + std::to_string(names) + "-" + std::to_string(pid) + "-" + std::to_string(began) + "-" +
         std::to_string(random);
}

// Whether the administrator gave the groups in this folder to this process: systemd marks what is delegated, and users
// own it.
bool IsDelegated(const fs::path& folder) {
  struct stat st{};
  if (::stat(folder.c_str(), &st) != 0) return false;
  if (::geteuid() != 0 && st.st_uid == ::geteuid()) return true;
  for (const char* mark : {"user.delegate", "trusted.delegate"}) {
    char value = 0;
    if (::getxattr(folder.c_str(), mark, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

bool HasWord(const std::string& text, std::string_view word) {
  return (" " + text + " ").find(" " + std::string(word) + " ") != std::string::npos ||
         (" " + text).find(" " + std::string(word) + "\n") != std::string::npos;
}

// Of version 2: lets the groups in a folder be bound. The kernel refuses it to a folder that has processes of its own.
void Divide(const fs::path& folder) {
  for (const char* controller : {"+memory", "+pids", "+cpu"}) (void)Put(folder / "cgroup.subtree_control", controller);
}

}  // namespace

bool Tree::Add(const fs::path& folder) { return ::mkdir(folder.c_str(), 0755) == 0; }

bool Tree::Remove(const fs::path& folder) { return ::rmdir(folder.c_str()) == 0; }

std::shared_ptr<Home> Home::Make(const Places& places, std::shared_ptr<Tree> tree) {
  const std::string name = OwnName();
  if (places.version == Version::kNone || name.empty()) return nullptr;
  std::shared_ptr<Home> home(new Home(std::move(tree), places.version));
  if (places.version == Version::kOne) return home->MakeFirst(places, name) ? home : nullptr;
  if (home->MakeSecond(places.own, name)) return home;
  const fs::path parent = places.own.parent_path();
  return IsDelegated(parent) && home->MakeSecond(parent, name) ? home : nullptr;
}

bool Home::MakeFirst(const Places& places, const std::string& name) {
  const auto add = [&](const fs::path& parent) {
    if (parent.empty()) return fs::path();
    Sweep(*tree_, parent);
    return tree_->Add(parent / name) ? parent / name : fs::path();
  };
  memory_ = add(places.memory);
  processes_ = add(places.processes);
  processors_ = add(places.processors);
  return !memory_.empty() || !processes_.empty() || !processors_.empty();
}

bool Home::MakeSecond(const fs::path& parent, const std::string& name) {
  Sweep(*tree_, parent);
  const fs::path folder = parent / name;
  if (!tree_->Add(folder)) return false;
  Divide(parent);
  const std::string given = TextOf(folder / "cgroup.controllers");
  if (HasWord(given, "memory")) memory_ = folder;
  if (HasWord(given, "pids")) processes_ = folder;
  if (HasWord(given, "cpu")) processors_ = folder;
  Divide(folder);
  if (!memory_.empty() || !processes_.empty() || !processors_.empty()) return true;
  (void)tree_->Remove(folder);
  return false;
}

Home::~Home() {
  if (mark_.was_forked()) return;
  const fs::path* const folders[] = {&memory_, &processes_, &processors_};
  try {
    for (const fs::path* folder : folders) {
      if (!folder->empty()) RemoveTree(*tree_, *folder);
    }
  } catch (const std::bad_alloc&) {  // the next host sweeps what is left within
  }
  RemoveSoon(*tree_, folders);
}

Group::Group(std::shared_ptr<Home> home, std::shared_ptr<Group> within)
    : home_(std::move(home)), within_(std::move(within)) {}

std::shared_ptr<Group> Group::Make(std::shared_ptr<Home> home, const Bounds& bounds, std::shared_ptr<Group> within) {
  if (home == nullptr) return nullptr;
  const std::string name = std::to_string(++home->made_);
  std::shared_ptr<Group> group(new Group(std::move(home), std::move(within)));
  const Home& at = *group->home_;
  if (at.version_ == Version::kTwo) {
    fs::path parent = !at.memory_.empty() ? at.memory_ : !at.processes_.empty() ? at.processes_ : at.processors_;
    if (group->within_ != nullptr) {
      parent = group->within_->processors_;
      std::call_once(group->within_->divided_, Divide, parent);
    }
    fs::path folder;
    if (!group->Open(parent, name, folder)) return nullptr;
    if (!at.memory_.empty()) group->memory_ = folder;
    if (!at.processes_.empty()) group->processes_ = folder;
    if (!at.processors_.empty()) group->processors_ = folder;
  } else {
    if (bounds.memory_bytes != 0) (void)group->Open(at.memory_, name, group->memory_);
    if (bounds.threads != 0) (void)group->Open(at.processes_, name, group->processes_);
    if (bounds.processors) (void)group->Open(at.processors_, name, group->processors_);
  }
  group->Set(bounds);
  const Bounds& holds = group->holds_;
  return holds.memory_bytes != 0 || holds.threads != 0 || holds.processors ? group : nullptr;
}

bool Group::Open(const fs::path& parent, const std::string& name, fs::path& into) {
  if (parent.empty() || !home_->tree_->Add(parent / name)) return false;
  into = parent / name;
  const bool is_first = home_->version_ == Version::kOne;
  UniqueFd entry(::open((into / (is_first ? "tasks" : "cgroup.procs")).c_str(), O_WRONLY | O_CLOEXEC));
  if (!is_first) folder_.Reset(::open(into.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (entry && (is_first || folder_)) {
    entries_.push_back(std::move(entry));
    return true;
  }
  (void)home_->tree_->Remove(into);
  into.clear();
  return false;
}

void Group::Set(const Bounds& bounds) {
  const bool is_first = home_->version_ == Version::kOne;
  if (bounds.memory_bytes != 0 && !memory_.empty()) {
    const std::string bytes = std::to_string(bounds.memory_bytes);
    if (Put(memory_ / (is_first ? "memory.limit_in_bytes" : "memory.max"), bytes)) {
      holds_.memory_bytes = bounds.memory_bytes;
    }
    // Nor elsewhere; a kernel that accounts no swap has no such file.
    if (is_first) (void)Put(memory_ / "memory.memsw.limit_in_bytes", bytes);
    if (!is_first) (void)Put(memory_ / "memory.swap.max", "0");
  }
  if (bounds.threads != 0 && !processes_.empty() && Put(processes_ / "pids.max", std::to_string(bounds.threads))) {
    holds_.threads = bounds.threads;
  }
  if (bounds.processors && !processors_.empty()) {
    const double period = std::clamp(kQuotaLeastUs / *bounds.processors, kPeriodUs, kPeriodMostUs);
    const double quota = std::max(period * *bounds.processors, kQuotaLeastUs);
    const std::string every = std::to_string(static_cast<std::uint64_t>(period));
    const std::string most = std::to_string(static_cast<std::uint64_t>(quota));
    const bool is_set =
        is_first ? Put(processors_ / "cpu.cfs_period_us", every) && Put(processors_ / "cpu.cfs_quota_us", most)
                 : Put(processors_ / "cpu.max", most + " " + every);
    if (is_set) holds_.processors = bounds.processors;
  }
}

Group::~Group() {
  if (home_->mark_.was_forked()) return;
  entries_.clear();
  folder_.Reset();
  const fs::path* const folders[] = {&memory_, &processes_, &processors_};
  RemoveSoon(*home_->tree_, folders);
}

std::vector<int> Group::entries() const {
  std::vector<int> entries;
  entries.reserve(entries_.size());
  for (const UniqueFd& entry : entries_) entries.push_back(entry.get());
  if (home_->version_ == Version::kOne && within_ != nullptr) {
    const std::vector<int> outer = within_->entries();
    entries.insert(entries.end(), outer.begin(), outer.end());
  }
  return entries;
}

bool Group::LetsIn() const {
  const std::vector<int> files = folder() < 0 ? entries() : std::vector<int>();
  clone_args how{};
  how.exit_signal = SIGCHLD;
  if (folder() >= 0) {
    how.flags = CLONE_INTO_CGROUP;
    how.cgroup = static_cast<std::uint64_t>(folder());
  }
  const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
  if (child < 0) return false;
  if (child == 0) {
    bool in = true;
    for (const int file : files) in = ::write(file, "0", 1) == 1 && in;
    ::_exit(in ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::uint64_t Group::ended_for_memory() const {
  if (memory_.empty()) return 0;
  const bool is_first = home_->version_ == Version::kOne;
  const std::string text = "\n" + TextOf(memory_ / (is_first ? "memory.oom_control" : "memory.events"));
  constexpr std::string_view kKey = "\noom_kill ";
  const std::size_t at = text.find(kKey);
  std::uint64_t count = 0;
  if (at != text.npos) std::from_chars(text.data() + at + kKey.size(), text.data() + text.size(), count);
  return count;
}

}  // namespace cordon::groups
