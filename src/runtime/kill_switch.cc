#include "runtime/kill_switch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>

#include "base/file.h"
#include "base/own_thread.h"

namespace cordon::runtime {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(200);

// What cannot be looked at counts as off: a switch that fails must not let anything run.
bool IsThere(const std::filesystem::path& file) {
  struct stat st{};
  return ::lstat(file.c_str(), &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

std::unexpected<Error> Off(const std::string& why) {
  const bool configured = why.starts_with("plugins.enabled");
  return Fail(Code::kUnavailable, "plugins are switched off: " + why,
              configured ? "write plugins: { enabled: true } there" : "switch them on: cordon plugins enable");
}

}  // namespace

struct KillSwitch::State {
  std::filesystem::path file;
  std::optional<std::string> held;
  std::mutex mutex;                // guards what follows
  std::optional<std::string> off;  // why this process is off
  // Several calls may share one handle.
  std::multimap<std::shared_ptr<CallHandle>, std::shared_ptr<PluginStanding>> running;
  bool watching = false, ending = false;
  std::condition_variable wake;
  OwnThread watcher;

  // Whether the file says off. REQUIRES: the mutex.
  std::optional<std::string> WhyOff() const {
    if (held) return held;
    if (off) return off;
    if (!file.empty() && IsThere(file)) return file.string() + " is there";
    return std::nullopt;
  }
};

KillSwitch::KillSwitch() : state_(std::make_unique<State>()) {}

std::shared_ptr<KillSwitch> KillSwitch::Make(std::filesystem::path file, std::optional<std::string> held) {
  const std::shared_ptr<KillSwitch> made(new KillSwitch());
  made->state_->file = std::move(file);
  made->state_->held = std::move(held);
  return made;
}

KillSwitch::~KillSwitch() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  state_->watcher.Join();
}

Status KillSwitch::Check() {
  const std::lock_guard lock(state_->mutex);
  // A thread that looks has looked a moment ago; without one, the file is asked.
  if (state_->watching) return {};
  if (const auto why = state_->WhyOff()) return Off(*why);
  return {};
}

void KillSwitch::SwitchOff(std::string why) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->off = std::move(why);
  }
  state_->wake.notify_all();  // whoever looks at the file has nothing left to look for
  StopAll();
}

void KillSwitch::SwitchOn() {
  const std::lock_guard lock(state_->mutex);
  state_->off.reset();
}

void KillSwitch::Hold(std::optional<std::string> why) {
  const bool off = why.has_value();
  {
    const std::lock_guard lock(state_->mutex);
    state_->held = std::move(why);
  }
  state_->wake.notify_all();
  if (off) StopAll();
}

void KillSwitch::StopAll() {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [handle, _] : state_->running) handle->Interrupt();
}

Result<KillSwitch::Running> KillSwitch::Enter(std::shared_ptr<CallHandle> handle,
                                              std::shared_ptr<PluginStanding> standing) {
  CORDON_TRY(Check());
  Running running;
  running.handle_ = handle != nullptr ? std::move(handle) : std::make_shared<CallHandle>();
  const std::lock_guard lock(state_->mutex);
  if (state_->held) return Off(*state_->held);
  if (state_->off) return Off(*state_->off);
  running.standing_ = standing;
  state_->running.emplace(running.handle_, std::move(standing));
  running.of_ = shared_from_this();
  if (!state_->watching && !state_->file.empty()) {
    state_->watcher.Join();  // it saw the switch go off, and is done
    // What nobody would stop does not begin.
    if (!state_->watcher.Start([this] { Watch(); })) {
      return Fail(Code::kUnavailable, "there is no thread to watch the switch of plugins by",
                  "raise the limit on threads of this process");
    }
    state_->watching = true;
  }
  return running;
}

void KillSwitch::Watch() {
  std::unique_lock lock(state_->mutex);
  while (!state_->ending) {
    try {
      if (state_->WhyOff()) {
        for (const auto& [handle, _] : state_->running) handle->Interrupt();
        break;
      }
      for (const auto& [handle, standing] : state_->running) {
        if (standing != nullptr && !standing->Check()) handle->Interrupt();
      }
    } catch (const std::bad_alloc&) {  // no memory to say why; the next look may have it
    }
    state_->wake.wait_for(lock, kLookEvery);
  }
  state_->watching = false;
}

KillSwitch::Running::~Running() {
  if (of_ == nullptr) return;
  const std::lock_guard lock(of_->state_->mutex);
  auto& running = of_->state_->running;
  for (auto [at, end] = running.equal_range(handle_); at != end; ++at) {
    if (at->second != standing_) continue;
    running.erase(at);
    break;
  }
}

Status KillSwitch::Running::Judge(Status outcome) const {
  if (outcome || outcome.error().code != Code::kInterrupted) return outcome;
  {
    const std::lock_guard lock(of_->state_->mutex);
    if (const auto why = of_->state_->WhyOff()) return Off(*why);
  }
  if (standing_ == nullptr) return outcome;
  Status stands = standing_->Check();
  return stands ? outcome : stands;
}

Status WriteSwitchFile(const std::filesystem::path& state_folder, std::string_view who) {
  return WriteFileAtomically(state_folder / kSwitchFile, "switched off by " + std::string(who) + "\n",
                             FileMode::kPrivate);
}

Status RemoveSwitchFile(const std::filesystem::path& state_folder) {
  const std::filesystem::path file = state_folder / kSwitchFile;
  if (::unlink(file.c_str()) == 0 || errno == ENOENT) return {};
  return Fail(Code::kIo, "cannot remove " + file.string() + ": " + ErrnoText(errno));
}

}  // namespace cordon::runtime
