// What is in service for long, and the thread that sees it change; the files of this room share it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/file_marks.h"
#include "base/fork_mark.h"
#include "cordon/deployment.h"
#include "embed/state.h"
#include "services/tally.h"

namespace cordon {

struct Deployment::State {
  std::shared_ptr<Host::State> host;
  std::filesystem::path source;
  LoadOptions options;
  std::shared_ptr<services::Tally> tally;  // of its grants: what is counted goes on with a new version

  std::mutex reloading;                                    // held by whoever loads a version; guards `before`
  std::vector<std::weak_ptr<const Plugin::State>> before;  // versions with calls to end

  mutable std::mutex mutex;  // guards what follows
  std::shared_ptr<const Plugin::State> current;
  FileMarks marks;       // of the last try
  bool refused = false;  // the last try
  bool ended = false;
};

namespace embed {

// What a load may be stopped by.
using Stopped = std::function<bool()>;

// Of the operator's files.
struct OperatorFiles {
  runtime::Rules rules;
  std::optional<std::string> held;  // why plugins are off
  FileMarks marks;
};
// Adds to `marks` what it looks at, on failure too.
Result<OperatorFiles> ReadOperatorFiles(const HostOptions& options, FileMarks& marks);

// As Deployment::Reload.
Result<Reloaded> ReloadOne(Deployment::State& deployment, const Stopped& stopped);
// Reads the operator's files and has what is loaded keep to them; the last good ones stay on an error.
Status TakeUpOperatorFiles(Host::State& host);
// All that live, in the order in which they were made.
std::vector<std::shared_ptr<Deployment::State>> DeploymentsOf(Host::State& host);

// Looks at the files of one host. Its thread keeps it, and not the host.
class Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(std::weak_ptr<Host::State> host, WatchOptions options)
      : host_(std::move(host)), options_(std::move(options)) {}
  // E_UNAVAILABLE when there is no thread to be had.
  Status Start();
  // Joins the thread, unless it is the one that calls.
  void Stop();
  bool IsOwn() const { return std::this_thread::get_id() == own_; }

 private:
  // What two looks in a row have to agree on. The marks are those of files when they were last tried.
  enum class Sight : std::uint8_t { kAsBefore, kChanging, kChanged };
  struct Seen {
    std::weak_ptr<const void> what;
    FileMarks last;
    int tries = 0;  // of what may be over soon: no instance free, plugins switched off, no audit
    int skips = 0;  // looks until the next one
  };
  void Run();
  void Look(const std::shared_ptr<Host::State>& host);
  void LookAtHost(const std::shared_ptr<Host::State>& host);
  void LookAt(const std::shared_ptr<Deployment::State>& deployment);
  void TakeUp(const std::shared_ptr<Deployment::State>& deployment);
  static Sight Judge(const FileMarks& tried, FileMarks& last);
  Seen& SeenOf(const std::shared_ptr<Deployment::State>& deployment);
  void Tell(std::string plugin, Result<Reloaded> outcome) const;
  bool stopped() const;

  const std::weak_ptr<Host::State> host_;
  const WatchOptions options_;
  const ForkMark mark_;
  mutable std::mutex mutex_;  // guards stopping_, thread_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
  std::thread::id own_;  // set before anybody has the watcher
  FileMarks host_last_, grants_, grants_last_;
  int host_skips_ = 0;  // looks until the operator's files are read again; 0: not before they change
  std::vector<Seen> seen_;
};

// Null while nothing is watched. In a child of fork too, where a lock may be held for ever.
std::shared_ptr<Watcher> WatcherOf(Host::State& host);

}  // namespace embed
}  // namespace cordon
