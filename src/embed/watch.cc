// The thread that sees files change.
#include <algorithm>
#include <system_error>

#include "base/signals_blocked.h"
#include "embed/deployment.h"

namespace cordon {
namespace embed {
namespace {

constexpr auto kIntervalMin = std::chrono::milliseconds(10);
constexpr int kTriesUntold = 5;  // of what may be over soon
constexpr int kSkipsMax = 40;    // looks between two tries of it

// Nobody has to mend the plugin for it.
bool MayBeOverSoon(const Result<Reloaded>& outcome) {
  if (outcome) return false;
  const Error& error = outcome.error();
  return error.code == Code::kBusy || error.code == Code::kAuditUnavailable ||
         (error.code == Code::kUnavailable && error.Detail("backend").empty());
}

}  // namespace

std::shared_ptr<Watcher> WatcherOf(Host::State& host) {
  if (host.mark.was_forked()) return host.watcher;
  const std::lock_guard lock(host.mutex);
  return host.watcher;
}

Status Watcher::Start() {
  try {
    const SignalsBlocked blocked(SignalsBlocked::Which::kAllButFaults);
    const std::lock_guard lock(mutex_);
    thread_ = std::thread([self = shared_from_this()] { self->Run(); });
    own_ = thread_.get_id();
  } catch (const std::system_error& fault) {
    return Fail(Code::kUnavailable, std::string("cannot start a thread: ") + fault.what(),
                "raise the limit on threads of this process");
  }
  return {};
}

void Watcher::Stop() {
  if (mark_.was_forked()) {
    if (thread_.joinable()) thread_.detach();
    return;
  }
  std::thread thread;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    thread.swap(thread_);  // whoever comes first waits for it
  }
  wake_.notify_all();
  if (!thread.joinable()) return;
  if (IsOwn()) {
    thread.detach();
  } else {
    thread.join();
  }
}

bool Watcher::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Watcher::Run() {
  const auto interval = std::max<std::chrono::nanoseconds>(options_.interval, kIntervalMin);
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, interval, [this] { return stopping_; })) return;
    }
    const std::shared_ptr<Host::State> host = host_.lock();
    if (host == nullptr || host->down.load()) return;
    // What runs out of memory here is tried again at the next look.
    (void)Guarded([&]() -> Status {
      Look(host);
      return {};
    });
  }
}

Watcher::Sight Watcher::Judge(const FileMarks& tried, FileMarks& last) {
  FileMarks now = tried.Again();
  if (now == tried) {
    last = std::move(now);
    return Sight::kAsBefore;
  }
  const bool is_still = now == last;
  last = std::move(now);
  return is_still ? Sight::kChanged : Sight::kChanging;
}

Watcher::Seen& Watcher::SeenOf(const std::shared_ptr<Deployment::State>& deployment) {
  std::erase_if(seen_, [](const Seen& one) { return one.what.expired(); });
  const auto found = std::ranges::find_if(seen_, [&](const Seen& one) { return one.what.lock() == deployment; });
  if (found != seen_.end()) return *found;
  return seen_.emplace_back(Seen{deployment, {}, 0, 0});
}

void Watcher::Tell(std::string plugin, Result<Reloaded> outcome) const {
  if (!options_.told) return;
  try {
    options_.told({std::move(plugin), std::move(outcome)});
  } catch (...) {  // the program's own fault; the change was taken up or refused all the same
  }
}

void Watcher::Look(const std::shared_ptr<Host::State>& host) {
  LookAtHost(host);
  for (const auto& deployment : DeploymentsOf(*host)) {
    if (stopped()) return;
    LookAt(deployment);
  }
}

void Watcher::LookAtHost(const std::shared_ptr<Host::State>& host) {
  if (grants_.empty() && !host->options.grants_file.empty()) grants_.Add(host->options.grants_file);
  if (Judge(grants_, grants_last_) == Sight::kChanged) {
    grants_ = grants_last_;
    for (const auto& deployment : DeploymentsOf(*host)) {
      bool concerned = false;
      {
        const std::lock_guard lock(deployment->mutex);
        concerned = !deployment->ended && (deployment->refused || deployment->current->plugin->GrantsDiffer());
      }
      if (concerned) TakeUp(deployment);
    }
  }
  FileMarks tried;
  {
    const std::lock_guard lock(host->mutex);
    tried = host->operator_marks;
  }
  const bool is_due = host_skips_ == 1;
  if (host_skips_ > 0) --host_skips_;
  if (Judge(tried, host_last_) != Sight::kChanged && !is_due) return;
  Status taken = TakeUpOperatorFiles(*host);
  if (!taken) {
    const Code code = taken.error().code;
    // Not the fault of the files: they are read again, changed or not.
    host_skips_ = code == Code::kIo || code == Code::kMemory || code == Code::kUnavailable ? kSkipsMax : 0;
    if (is_due) return;  // it was told
    Tell({}, Fail(std::move(taken).error()));
    if (code != Code::kAuditUnavailable) return;
  } else {
    host_skips_ = 0;
    Tell({}, Reloaded());
  }
  for (const auto& deployment : DeploymentsOf(*host)) TakeUp(deployment);
  host->host->EndMisplaced();
}

void Watcher::LookAt(const std::shared_ptr<Deployment::State>& deployment) {
  FileMarks tried;
  {
    const std::lock_guard lock(deployment->mutex);
    if (deployment->ended) return;
    tried = deployment->marks;
  }
  Seen& seen = SeenOf(deployment);
  if (seen.tries > 0) {
    if (--seen.skips <= 0) TakeUp(deployment);
  } else if (Judge(tried, seen.last) == Sight::kChanged) {
    TakeUp(deployment);
  }
}

void Watcher::TakeUp(const std::shared_ptr<Deployment::State>& deployment) {
  std::string name;
  {
    const std::lock_guard lock(deployment->mutex);
    if (deployment->ended) return;
    name = deployment->current->plugin->name();
  }
  Result<Reloaded> outcome = ReloadOne(*deployment, [this] { return stopped(); });
  if (stopped()) return;
  Seen& seen = SeenOf(deployment);
  if (MayBeOverSoon(outcome)) {
    ++seen.tries;
    seen.skips = seen.tries > kTriesUntold ? kSkipsMax : 1 << seen.tries;
    if (seen.tries != kTriesUntold) return;  // it is told once
  } else {
    seen.tries = 0;
  }
  Tell(std::move(name), std::move(outcome));
}

}  // namespace embed

Status Host::Watch(WatchOptions options) {
  return embed::Guarded([&]() -> Status {
    CORDON_TRY(embed::Prepare(*state_, {}));
    auto watcher = std::make_shared<embed::Watcher>(state_, std::move(options));
    const std::lock_guard lock(state_->mutex);
    if (state_->watcher != nullptr) {
      return Fail(Code::kUsage, "the host watches its files already", "call Host::Watch once");
    }
    CORDON_TRY(watcher->Start());
    state_->watcher = std::move(watcher);
    return {};
  });
}

}  // namespace cordon
