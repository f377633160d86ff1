// What Plugin and Host keep; the files of this room share it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/fork_mark.h"
#include "base/message_codec.h"
#include "base/spread.h"
#include "formats/schema.h"
#include "groups/group.h"
#include "runtime/folders.h"
#include "runtime/host.h"
#include "runtime/kept_instances.h"
#include "runtime/last_good.h"
#include "runtime/meter.h"
#include "runtime/native.h"
#include "runtime/resident.h"
#include "runtime/source.h"
#include "runtime/standing.h"
#include "services/delay_line.h"
#include "services/guard.h"
#include "services/quota.h"
#include "services/router.h"
#include "worker/keeper.h"

namespace cordon::runtime {

struct Host::State : std::enable_shared_from_this<Host::State> {
  HostOptions options;
  ForkMark mark;
  std::mutex mutex;  // guards engines, storage, rules, living
  std::shared_ptr<const Rules> rules;
  std::shared_ptr<const Rules> RulesNow();
  std::vector<std::weak_ptr<const Plugin>> living;  // that were loaded to run
  std::vector<std::shared_ptr<const Plugin>> Living();
  // Takes from a plugin what the rules do not give it any more.
  void Restrict(const Plugin& plugin, const Rules& rules) const;
  // What runs here and is to run apart by now runs no more.
  static void EndMisplaced(const Plugin& plugin, const Rules& rules);
  // By fuel, debug, checks, copied data, and whether the code runs in workers.
  std::map<std::tuple<bool, bool, bool, bool, bool>, std::shared_ptr<const engine::Engine>> engines;
  std::shared_ptr<worker::Keeper> keeper;  // null until a worker is needed; guarded by mutex
  Result<std::shared_ptr<worker::Keeper>> Workers();
  std::shared_ptr<groups::Home> groups;  // null until a process is bound; guarded by mutex
  bool looked_for_groups = false;        // guarded by mutex
  // Null where this system lets this process have none.
  std::shared_ptr<groups::Home> Groups();
  Spread<std::atomic<std::uint64_t>> next_call;
  std::shared_ptr<services::CallChains> chains = std::make_shared<services::CallChains>();

  // The plugins that others may call, by name: of two of one name, the one that was loaded last. Guarded by mutex.
  std::map<std::string, std::weak_ptr<const Plugin>, std::less<>> callable;
  std::atomic<int> tool_calls{0};  // that wait now

  void AddCallable(const std::shared_ptr<const Plugin>& plugin);
  // Null when there is none, or it is gone.
  std::shared_ptr<const Plugin> FindCallable(std::string_view name);

  std::shared_ptr<Meter> meter = std::make_shared<Meter>();

  // Null until a quota is set for all plugins in sum. Guarded by mutex.
  std::shared_ptr<services::QuotaAccount> quota_in_sum;
  std::shared_ptr<services::QuotaAccount> QuotaInSum();
  // By plugin: they outlive it, so that loading it anew gives nothing back. Guarded by mutex.
  std::map<std::string, std::shared_ptr<services::QuotaAccount>> quotas;
  std::shared_ptr<services::QuotaAccount> NewAccount(std::string plugin, const policy::Quota& quota);
  std::shared_ptr<services::QuotaAccount> AccountOf(const std::string& plugin, const policy::Quota& quota);
  void TellOfQuota(const services::QuotaAlert& alert);

  // Guarded by mutex; opened when they are first needed.
  std::shared_ptr<services::KvBackend> storage;
  std::shared_ptr<cordon::Memory> memory;
  std::shared_ptr<services::MessageQueue> messages;
  std::shared_ptr<services::Tally> tally;

  // For requests over their rate.
  std::shared_ptr<services::DelayLine> delays = std::make_shared<services::DelayLine>();

  // Looks after residents; has no thread until there is one.
  std::shared_ptr<Timer> timer = std::make_shared<Timer>();
  std::vector<std::weak_ptr<Resident>> residents;  // guarded by mutex
  std::uint64_t NextCallId(std::uint64_t count = 1);

  // The kernel of plugins for Extism, for an engine; null until one was made.
  std::map<const engine::Engine*, std::shared_ptr<const engine::Compiled>> kernels;

  Result<std::shared_ptr<services::KvBackend>> Storage();
  Result<std::shared_ptr<cordon::Memory>> Memories();
  Result<std::shared_ptr<services::MessageQueue>> Messages();
  // E_UNENFORCEABLE when there is nowhere to keep it.
  Result<std::shared_ptr<services::Tally>> DiskTally();
  // The engine of a class of tunables, made when it is first needed.
  Result<std::shared_ptr<const engine::Engine>> EngineFor(const LoadRequest& request, const manifest::Limits& limits,
                                                          std::uint64_t data_bytes, HostOptions::Placement placement,
                                                          const manifest::CeilingLimits& ceiling);
};

// An action that is ready to be called.
struct BoundAction {
  abi::Binding binding;
  std::optional<Schema> input, output;  // the manifest's own; derived ones hold by construction
  engine::CallLimits limits;
  bool idempotent = false;                        // may be run again after a lost worker
  std::optional<manifest::CommandShape> command;  // of a command: how its input and output are given
};

// Calls are counted and recorded in groups, so that a hot loop does not write a line each (audit.md, loss window).
class CallCounter {
 public:
  struct Group {
    std::uint64_t count, total_ns;
  };
  // Whether a call of this moment has a record of its own: the first hundred of each second do.
  bool Admits();
  // Counts calls; gives the group when it should be written, and an empty one otherwise.
  Group Add(std::uint64_t calls, std::uint64_t duration_ns);
  // All that was counted and not given.
  Group Take();

 private:
  struct Counts {
    std::atomic<std::uint64_t> count{0}, total_ns{0};
    std::atomic<std::int64_t> since_ns{0};  // CLOCK_MONOTONIC_COARSE of the group's first call; 0: empty
    Group Take();
  };
  Spread<Counts> counts_;
  std::atomic<std::int64_t> second_{0}, admitted_{0};
};

// What answers a plugin's guests. It owns what it refers to: a message that blocks may outlive its call and the plugin.
struct PluginServices {
  policy::Authority authority;
  std::shared_ptr<audit::Observer> observer;
  std::shared_ptr<services::LogSink> log_sink;
  std::shared_ptr<services::CallChains> chains;
  std::shared_ptr<PluginMeter> meter;
  std::unique_ptr<services::Guard> guard;
  std::unique_ptr<services::ServiceRouter> router;
  std::unique_ptr<CodecChannel> codec;
};

struct Plugin::State {
  std::shared_ptr<Host::State> host;
  Source source;
  std::shared_ptr<const wit::Contract> contract;
  policy::Ceiling ceiling = policy::Ceiling::Default();
  CeilingSubject ceiling_subject;
  HostOptions::Placement placement = HostOptions::Placement::kHere;
  Place place;
  policy::Authority authority;
  abi::LinkPlan plan;
  manifest::Abi abi_kind = manifest::Abi::kComponent;
  manifest::Limits limits;
  std::optional<Error> not_runnable;
  std::vector<Mount> mounts;
  std::map<std::string, policy::ProgramPin> programs;
  bool runs_programs = false;  // which end with the call: each call is known while it lasts

  // Only when it was loaded to run.
  std::vector<OpenFolder> folders;
  std::shared_ptr<const engine::Linked> linked;
  std::unique_ptr<const NativeProgram> native;  // in its place
  std::unique_ptr<abi::GuestAbi> abi;
  std::shared_ptr<HostChannel> channel;                     // to the services, with all that they need
  engine::InstanceOptions instance;                         // what every instance is given
  std::map<std::string, BoundAction, std::less<>> actions;  // the manifest's
  mutable CallCounter calls;
  std::atomic<bool> retired{false};
  policy::AuditDetail detail = policy::AuditDetail::kCalls;
  std::shared_ptr<PluginMeter> meter;
  // Calls of it are counted and nothing more: no switch, no digests, no traces.
  std::atomic<bool> is_plain{false};
  std::shared_ptr<PluginStanding> standing;           // null when it is only looked at
  std::shared_ptr<KeptInstances> kept;                // null: each call has an instance of its own
  std::shared_ptr<Resident> resident;                 // the same, of a resident
  std::atomic<bool> serves_all_tenants{false};        // with that one instance
  std::unique_ptr<LastGood> last_good;                // when its manifest wants it
  std::shared_ptr<services::LimitEnforcer> enforcer;  // null: nothing has a quota

  // Adds calls that went well to counters and, where calls are recorded at all, to the audit's tally.
  Status Count(std::uint64_t count, Duration total) const;

  // E_DENIED when what an instance holds from its start is not granted any more.
  Status CheckStanding() const { return standing == nullptr ? Status() : standing->Check(); }

  audit::Observer& observer() const { return *host->options.observer; }
  audit::Record NewRecord(audit::Event event) const;
};

}  // namespace cordon::runtime
