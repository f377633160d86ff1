// Quotas while plugins run: who counts, and who says no. An account is of one plugin, or of all in sum; an enforcer
// asks both for one plugin. Nothing here waits or reads a clock of its own.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "cordon/error.h"
#include "policy/quota.h"

namespace cordon::services {

enum class Resource : std::uint8_t {
  kCpuShare,     // nanoseconds
  kCpuTime,      // nanoseconds, of a period
  kMemory,       // bytes
  kConcurrency,  // calls
  kRead,         // bytes of files
  kWrite,        // bytes of files
  kOperations,   // on files
  kNetwork,      // bytes
  kRequests,
};
inline constexpr std::size_t kResourceCount = 9;
std::string_view ResourceName(Resource resource);  // as in config.yaml: "cpu.share", "io.read"

// A quota of which the part `alert` is used now. It is told once, and again when less than three quarters of that part
// was used in between.
struct QuotaAlert {
  std::string plugin;  // empty: all in sum
  Resource resource = Resource::kMemory;
  std::uint64_t used = 0, limit = 0;  // in the resource's unit
};

using Now = std::function<MonotonicTime()>;

// What one resource looks like at a moment.
struct QuotaUsage {
  Resource resource = Resource::kMemory;
  std::uint64_t used = 0, limit = 0;
  std::uint64_t refused = 0, alerts = 0;  // since the account was made
  Duration waited{0};                     // that it made somebody wait, in sum
};

// Why a call may not start now.
struct Refusal {
  std::string plugin;  // whose quota; empty: of all in sum
  Resource resource = Resource::kConcurrency;
  Duration retry_after{0};
  std::uint64_t limit = 0;
};
// E_BUSY with the details "quota", "of" and "retry-after".
Error BusyError(const Refusal& refusal);

// Counts for a quota. Thread-safe.
class QuotaAccount {
 public:
  // `told` is called without a lock, on the thread that used the quota. `plugin` empty: of all in sum.
  QuotaAccount(std::string plugin, policy::Quota quota, Now now, std::function<void(const QuotaAlert&)> told);

  // Takes effect at once; what was used stays used.
  void SetQuota(const policy::Quota& quota);
  policy::Quota quota() const;

  // A place for a call, with CPU time left, and memory. All of it or nothing.
  struct Need {
    std::uint32_t calls = 0;
    std::uint64_t memory_bytes = 0;
  };
  // kUncounted: by who asks again, and tells Count when it gives up.
  enum class Refusals : std::uint8_t { kCounted, kUncounted };
  std::optional<Refusal> Take(const Need& need, Refusals refusals = Refusals::kCounted);
  void Count(const Refusal& refusal);
  // `held`: for how long.
  void GiveBack(const Need& need, Duration held);

  void ChargeCpu(Duration cpu);
  // Of the period, or nothing: no such bound.
  std::optional<Duration> CpuLeft();

  // Takes from a bucket, below nothing too; how long until there is something again.
  Duration Spend(Resource resource, std::uint64_t amount);
  // The same when that is no longer than `most`; else nothing is taken, and this is the refusal.
  std::optional<Refusal> SpendWithin(Resource resource, std::uint64_t amount, Duration most, Duration& wait);
  void Return(Resource resource, std::uint64_t amount);

  // Each resource that has a bound.
  std::vector<QuotaUsage> Usage();
  std::uint64_t memory_peak() const;

 private:
  // Tokens: full at first, refilled all the time, and in debt when more was taken.
  struct Bucket {
    double level = 0, capacity = 0, per_ns = 0;
    MonotonicTime at{};
    bool has_bound = false;
    void Set(std::optional<Rate> rate, MonotonicTime now);
    void Refill(MonotonicTime now);
    Duration Debt() const;
  };
  struct Tally {
    std::uint64_t refused = 0, alerts = 0;
    Duration waited{0};
    bool is_told = false;
  };
  using Alerts = std::vector<QuotaAlert>;
  Bucket& BucketOf(Resource resource);
  void Turn(MonotonicTime now);
  Refusal Refused(Resource resource, Duration retry_after, Refusals refusals = Refusals::kCounted);
  std::uint64_t LimitOf(Resource resource) const;
  std::uint64_t UsedOf(Resource resource, MonotonicTime now);
  // Looks whether the threshold was passed.
  void Look(Resource resource, MonotonicTime now, Alerts& alerts);
  void Tell(const Alerts& alerts) const;
  Duration UntilFree() const;

  const std::string plugin_;
  const Now now_;
  const std::function<void(const QuotaAlert&)> told_;
  mutable std::mutex mutex_;  // guards what follows
  policy::Quota quota_;
  std::array<Bucket, kResourceCount> buckets_{};  // of those that are rates
  std::array<Tally, kResourceCount> tallies_{};
  std::uint32_t calls_ = 0;
  std::uint64_t memory_ = 0, memory_peak_ = 0;
  MonotonicTime period_began_{};
  Duration cpu_used_{0};
  Duration held_on_average_{0};
};

class LimitEnforcer;

// The place of a call, or the memory of an instance, until it is let go. Move-only.
class CallTicket {
 public:
  CallTicket() = default;
  CallTicket(CallTicket&& other) noexcept;
  CallTicket& operator=(CallTicket&& other) noexcept;
  ~CallTicket() { Release(); }
  void Release();

 private:
  friend class LimitEnforcer;
  std::shared_ptr<LimitEnforcer> of_;
  QuotaAccount::Need need_;
  MonotonicTime since_{};
};

// Holds one plugin to its quota and to that of all. Thread-safe.
class LimitEnforcer : public std::enable_shared_from_this<LimitEnforcer> {
 public:
  // Either may be null.
  LimitEnforcer(std::shared_ptr<QuotaAccount> own, std::shared_ptr<QuotaAccount> sum, Now now);

  // Asks without waiting. kCall: a place and memory; kCallInInstance: a place; kInstance: memory.
  enum class For : std::uint8_t { kCall, kCallInInstance, kInstance };
  using Refusals = QuotaAccount::Refusals;
  std::expected<CallTicket, Refusal> Admit(For what, std::uint64_t memory_bytes,
                                           Refusals refusals = Refusals::kCounted);
  // Of who was refused uncounted, and gives up.
  void Count(const Refusal& refusal);
  // Told whenever a ticket was let go, on whichever thread; must not throw. REQUIRES: before any ticket.
  void OnRoom(std::function<void()> told) { on_room_ = std::move(told); }

  void ChargeCpu(Duration cpu);
  // What a call that starts now may use at most.
  std::optional<Duration> CpuLeft();

  // For what waits and does not fail: how long.
  Duration Spend(Resource resource, std::uint64_t amount);
  // For what waits `most`, and then fails.
  std::expected<Duration, Refusal> SpendWithin(Resource resource, std::uint64_t amount, Duration most);

  bool Bounds(Resource resource) const;
  bool BoundsFiles() const;

  const std::shared_ptr<QuotaAccount>& own() const { return own_; }
  MonotonicTime now() const { return now_(); }

 private:
  friend class CallTicket;
  const std::shared_ptr<QuotaAccount> own_, sum_;
  const Now now_;
  std::function<void()> on_room_{};
};

}  // namespace cordon::services
