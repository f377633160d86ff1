// The workers of one plugin, as the code of that plugin (engine::Remote): a call takes an idle worker or makes one, and
// whoever is given a result cannot tell. A worker that failed, was stopped or broke the rules is ended, and the next
// call goes to another.
//
// A worker that ran anything for one tenant runs nothing for another. Where all workers are busy, tenants take turns,
// and none of several may have every worker.
//
// Thread-safe. A call is driven by the thread that made it: what the guest asks is answered on it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/message_codec.h"
#include "engine/network.h"
#include "engine/remote.h"
#include "groups/group.h"
#include "worker/errands.h"
#include "worker/frames.h"
#include "worker/keeper.h"
#include "worker/link.h"
#include "worker/turns.h"

namespace cordon::worker {

struct FolderFd {
  int fd = -1;  // as in the InstanceOptions of calls; duplicated
  bool writable = false;
};

// Why a worker was ended before its pool was.
enum class Retirement : std::uint8_t {
  kTrap,     // what it ran failed
  kStopped,  // its call was stopped, by a limit or by whoever made it
  kLost,     // it ended by itself, was killed, or broke the rules
  kCalls,    // it has answered enough
  kAge,
  kMemory,  // it has grown
  kIdle,    // more wait for calls than are kept
  kTenant,  // to make way for another tenant's
  kKept,    // with the instance that was kept in it
};
inline constexpr std::size_t kRetirements = 9;
std::string_view RetirementName(Retirement why);  // "trap", "calls"

struct PoolOptions {
  std::shared_ptr<Keeper> keeper;  // REQUIRED
  SetUp set_up;
  std::vector<UniqueFd> codes;  // sealed memfds: the main one, then the libraries in the order of `set_up`
  std::vector<FolderFd> folders;
  std::shared_ptr<engine::Ways> ways;           // null: no way to the network
  std::uint32_t workers_max = 4;                // at once; one more call waits
  std::uint32_t waiting_max = 256;              // calls that wait for a worker; one more is E_BUSY
  Duration wait_max = std::chrono::seconds(1);  // for a worker; then E_BUSY
  std::uint32_t idle_max = 2;                   // kept for the next call, of all tenants together
  std::uint64_t calls_max = 100'000;            // then a worker is replaced
  Duration age_max = std::chrono::minutes(10);  // too
  std::uint64_t growth_max = 64ull << 20;       // of its own memory since it was made, as the kernel counts: too
  std::uint64_t output_bytes = 8ull << 20;      // of one result
  std::uint64_t stream_bytes = 64u << 10;       // kept of stdout, and of stderr
  std::uint64_t data_bytes = 0;                 // memory of one worker beside its code; 0: as much as there is
  std::uint64_t files = 256;
  std::uint32_t sockets = 0;        // of one worker at once; 0: none, and no way to make one
  std::optional<double> cpu_max{};  // processors that all workers together may keep busy
  // Bounds them from outside, too. Null: not to be had, and limits of processes have to do.
  std::shared_ptr<groups::Home> groups{};
  std::uint64_t resident_bytes = 0;  // memory of one worker that is in use; 0: as much as there is
  // kAll: a worker that is not confined in every way there is, is none. kBasic: the filter of system calls, and
  // Landlock when there are folders.
  enum class Demand : std::uint8_t { kBasic, kAll } demand = Demand::kBasic;
  // Told when a worker did what no worker of ours does. Called by the thread of the call.
  std::function<void(std::string_view what)> on_broken{};
  // Told why a worker was ended, once for each.
  std::function<void(Retirement why)> on_retired{};
};

class Pool final : public engine::Remote, public std::enable_shared_from_this<Pool> {
 public:
  // Makes one worker, which shows that the code can be linked. E_LINK, E_MEMORY and E_INSTANCES as Linked::Link;
  // E_UNAVAILABLE when the system does not give what is demanded, naming it.
  static Result<std::shared_ptr<Pool>> Start(PoolOptions options);
  ~Pool() override;

  Result<std::uint32_t> Find(const engine::FunctionId& id) override;
  Status CallOnce(const engine::RemoteCall& call, std::uint32_t function, engine::Pieces input,
                  engine::ResultSink& sink, const engine::CallTraces& traces) override;
  Result<std::unique_ptr<engine::RemoteInstance>> Create(const engine::RemoteCall& call) override;

 private:
  struct Wire;
  struct Worker;
  class Unanswered;
  class LateAnswer;
  class Lease;
  class Conversation;
  class KeptInstance;

  explicit Pool(PoolOptions options);
  Result<std::unique_ptr<Worker>> Make();
  Status Meets(const Confined& confined) const;
  Status OpenGate(Worker& worker) const;
  struct Waiter;
  // `tenant` null: for nobody, since nothing of the guest runs.
  Result<std::unique_ptr<Worker>> Take(const std::string* tenant, Duration most);
  Status AwaitStart(Duration most);
  Result<std::unique_ptr<Worker>> MakeCounted(const std::string& tenant, Duration most);
  static bool Settles(const Worker& worker);
  void Put(std::unique_ptr<Worker> worker);
  void Retire(std::unique_ptr<Worker> worker, Retirement why);
  std::optional<Retirement> Old(const Worker& worker, Duration took) const;
  Status LineUp(Waiter& waiter);
  Status Await(Waiter& waiter, Duration most);
  // With why; ended without the lock.
  using Ended = std::vector<std::pair<std::unique_ptr<Worker>, Retirement>>;
  void End(Ended ended);
  void TellBroken(Worker& worker, const std::string& what);
  // REQUIRES: locked, of these.
  bool Grant(Waiter& waiter, Ended& ended);
  void Serve(const std::string* warm, Ended& ended);
  bool MayHaveOneMore(const std::string& tenant) const;
  void CountBusy(const std::string& tenant, int by);
  void CountLost();
  Error Busy(Duration waited) const;
  void Bury();
  std::shared_ptr<groups::Group> TakeGroup();
  // How a question is answered: by this thread, by another one, or later.
  enum class Way : std::uint8_t { kHere, kAside, kLater };
  Way WayOf(const OwnedRequest& request) const;
  bool MayAsk(const OwnedRequest& request) const;
  Result<std::uint32_t> FunctionIn(Worker& worker, std::uint32_t function, Duration most,
                                   engine::Interrupter::Brake* brake);

  PoolOptions options_;
  const std::shared_ptr<Errands> errands_ = std::make_shared<Errands>();
  std::vector<int> folder_fds_;                                           // as calls name them
  std::map<std::pair<std::string, std::string>, Way, std::less<>> ways_;  // of imports that are not answered here
  std::set<std::pair<std::string, std::string>, std::less<>> linked_;     // all that a guest can ask
  UniqueFd set_up_;
  std::shared_ptr<groups::Group> all_;  // of all workers together; null: nothing is to be bound
  ForkMark mark_;
  mutable std::mutex mutex_;                   // guards what follows
  std::vector<std::unique_ptr<Worker>> idle_;  // the warmest last
  Turns<Waiter> waiting_;
  std::map<std::string, std::uint32_t> busy_;  // workers by tenant; none has nothing
  std::optional<std::string> first_;           // the first tenant
  bool several_ = false;                       // there was another
  // Of a worker that was ended: its pidfd, and its group, which another gets when it is gone.
  struct Dying {
    UniqueFd handle;
    std::shared_ptr<groups::Group> group;
  };
  std::vector<Dying> dying_;
  std::vector<std::shared_ptr<groups::Group>> spare_groups_;
  bool has_groups_ = true;  // until a worker was not let in
  std::vector<engine::FunctionId> functions_;
  std::uint32_t live_ = 0;
  std::uint32_t lost_ = 0;  // workers, in a row
  MonotonicTime lost_last_{}, next_start_{};
  std::atomic<std::uint64_t> talks_{0};
};

}  // namespace cordon::worker
