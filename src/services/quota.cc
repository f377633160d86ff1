#include "services/quota.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cordon::services {
namespace {

constexpr std::array<std::string_view, kResourceCount> kNames = {"cpu.share",     "cpu.time",   "memory",
                                                                 "concurrency",   "io.read",    "io.write",
                                                                 "io.operations", "io.network", "io.requests"};
// A share is of this much time: so long may a plugin that rested use whole processors.
constexpr Duration kShareWindow = std::chrono::seconds(1);
constexpr Duration kRetryMin = std::chrono::milliseconds(1);
constexpr Duration kRetryMax = std::chrono::seconds(10);
constexpr Duration kRetryUnknown = std::chrono::milliseconds(100);
constexpr double kRearm = 0.75;  // of the threshold
constexpr Duration kForever = std::chrono::hours(24 * 365);

constexpr Resource kAll[] = {Resource::kCpuShare,    Resource::kCpuTime, Resource::kMemory,
                             Resource::kConcurrency, Resource::kRead,    Resource::kWrite,
                             Resource::kOperations,  Resource::kNetwork, Resource::kRequests};

std::size_t At(Resource resource) { return static_cast<std::size_t>(resource); }

// To the next millisecond, so that whoever comes again then finds a place.
Duration RoundUp(Duration duration) {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(std::clamp(duration, kRetryMin, kForever));
  return whole;
}

}  // namespace

std::string_view ResourceName(Resource resource) { return kNames[At(resource)]; }

Error BusyError(const Refusal& refusal) {
  const std::string name(ResourceName(refusal.resource));
  const std::string whose = refusal.plugin.empty() ? "all plugins" : refusal.plugin;
  // The author of a plugin may have set it too, within the operator's.
  return Error(Code::kBusy, "the quota '" + name + "' of " + whose + " is used up",
               "try again after " + FormatDuration(refusal.retry_after) + ", or raise it")
      .With("quota", name)
      .With("of", refusal.plugin.empty() ? "all" : refusal.plugin)
      .With("retry-after", FormatDuration(refusal.retry_after));
}

// ---- Buckets -------------------------------------------------------------------------------------------------------

void QuotaAccount::Bucket::Set(std::optional<Rate> rate, MonotonicTime now) {
  const double before = capacity;
  const bool is_new = !has_bound;
  has_bound = rate.has_value();
  if (!rate) return;
  capacity = static_cast<double>(rate->amount);
  per_ns = capacity / static_cast<double>(rate->period.count());
  // What was used of the old one stays used.
  level = is_new ? capacity : capacity - (before - level);
  if (is_new) at = now;
}

void QuotaAccount::Bucket::Refill(MonotonicTime now) {
  if (now <= at) return;
  level = std::min(capacity, level + per_ns * static_cast<double>((now - at).count()));
  at = now;
}

Duration QuotaAccount::Bucket::Debt() const {
  if (level >= 0) return Duration(0);
  const double ns = std::ceil(-level / per_ns);
  return ns < static_cast<double>(kForever.count()) ? Duration(static_cast<std::int64_t>(ns)) : kForever;
}

// ---- Accounts ------------------------------------------------------------------------------------------------------

QuotaAccount::QuotaAccount(std::string plugin, policy::Quota quota, Now now,
                           std::function<void(const QuotaAlert&)> told)
    : plugin_(std::move(plugin)), now_(std::move(now)), told_(std::move(told)), period_began_(now_()) {
  SetQuota(quota);
}

void QuotaAccount::SetQuota(const policy::Quota& quota) {
  const MonotonicTime now = now_();
  const std::lock_guard lock(mutex_);
  quota_ = quota;
  std::optional<Rate> share;
  if (quota.cpu_share) {
    const double ns = *quota.cpu_share * static_cast<double>(kShareWindow.count());
    share = Rate{static_cast<std::uint64_t>(ns), kShareWindow};
  }
  BucketOf(Resource::kCpuShare).Set(share, now);
  BucketOf(Resource::kRead).Set(quota.read, now);
  BucketOf(Resource::kWrite).Set(quota.write, now);
  BucketOf(Resource::kOperations).Set(quota.operations, now);
  BucketOf(Resource::kNetwork).Set(quota.network, now);
  BucketOf(Resource::kRequests).Set(quota.requests, now);
}

policy::Quota QuotaAccount::quota() const {
  const std::lock_guard lock(mutex_);
  return quota_;
}

QuotaAccount::Bucket& QuotaAccount::BucketOf(Resource resource) { return buckets_[At(resource)]; }

// Into the period of this moment.
void QuotaAccount::Turn(MonotonicTime now) {
  const Duration since = now - period_began_;
  if (since < quota_.cpu_period) return;
  period_began_ += (since / quota_.cpu_period) * quota_.cpu_period;
  cpu_used_ = Duration(0);
}

Refusal QuotaAccount::Refused(Resource resource, Duration retry_after, Refusals refusals) {
  if (refusals == Refusals::kCounted) ++tallies_[At(resource)].refused;
  return {plugin_, resource, RoundUp(retry_after), LimitOf(resource)};
}

// As long as one of the calls that run takes, when they end one after the other.
Duration QuotaAccount::UntilFree() const {
  if (held_on_average_ <= Duration(0)) return kRetryUnknown;
  return std::clamp(held_on_average_ / std::max<std::uint32_t>(calls_, 1), kRetryMin, kRetryMax);
}

std::optional<Refusal> QuotaAccount::Take(const Need& need, Refusals refusals) {
  const MonotonicTime now = now_();
  Alerts alerts;
  {
    const std::lock_guard lock(mutex_);
    if (need.calls > 0) {
      Turn(now);
      if (quota_.concurrency && calls_ + need.calls > *quota_.concurrency) {
        return Refused(Resource::kConcurrency, UntilFree(), refusals);
      }
      if (quota_.cpu_time && cpu_used_ >= *quota_.cpu_time) {
        return Refused(Resource::kCpuTime, period_began_ + quota_.cpu_period - now, refusals);
      }
      Bucket& share = BucketOf(Resource::kCpuShare);
      share.Refill(now);
      if (share.has_bound && share.level < 0) return Refused(Resource::kCpuShare, share.Debt(), refusals);
    }
    if (quota_.memory && need.memory_bytes > quota_.memory->count - std::min(memory_, quota_.memory->count)) {
      return Refused(Resource::kMemory, UntilFree(), refusals);
    }
    calls_ += need.calls;
    memory_ += need.memory_bytes;
    memory_peak_ = std::max(memory_peak_, memory_);
    Look(Resource::kConcurrency, now, alerts);
    Look(Resource::kMemory, now, alerts);
  }
  Tell(alerts);
  return std::nullopt;
}

void QuotaAccount::Count(const Refusal& refusal) {
  const std::lock_guard lock(mutex_);
  ++tallies_[At(refusal.resource)].refused;
}

void QuotaAccount::GiveBack(const Need& need, Duration held) {
  const MonotonicTime now = now_();
  Alerts none;
  const std::lock_guard lock(mutex_);
  calls_ -= std::min(calls_, need.calls);
  memory_ -= std::min(memory_, need.memory_bytes);
  if (need.calls > 0) held_on_average_ += (held - held_on_average_) / 8;
  Look(Resource::kConcurrency, now, none);
  Look(Resource::kMemory, now, none);
}

void QuotaAccount::ChargeCpu(Duration cpu) {
  const MonotonicTime now = now_();
  Alerts alerts;
  {
    const std::lock_guard lock(mutex_);
    Turn(now);
    cpu_used_ += cpu;
    Bucket& share = BucketOf(Resource::kCpuShare);
    if (share.has_bound) {
      share.Refill(now);
      share.level -= static_cast<double>(cpu.count());
    }
    Look(Resource::kCpuShare, now, alerts);
    Look(Resource::kCpuTime, now, alerts);
  }
  Tell(alerts);
}

std::optional<Duration> QuotaAccount::CpuLeft() {
  const MonotonicTime now = now_();
  const std::lock_guard lock(mutex_);
  if (!quota_.cpu_time) return std::nullopt;
  Turn(now);
  return std::max<Duration>(*quota_.cpu_time - cpu_used_, std::chrono::milliseconds(1));
}

Duration QuotaAccount::Spend(Resource resource, std::uint64_t amount) {
  Duration wait{0};
  (void)SpendWithin(resource, amount, kForever, wait);
  return wait;
}

std::optional<Refusal> QuotaAccount::SpendWithin(Resource resource, std::uint64_t amount, Duration most,
                                                 Duration& wait) {
  const MonotonicTime now = now_();
  Alerts alerts;
  {
    const std::lock_guard lock(mutex_);
    Bucket& bucket = BucketOf(resource);
    if (!bucket.has_bound) return std::nullopt;
    bucket.Refill(now);
    const double before = bucket.level;
    bucket.level -= static_cast<double>(amount);
    const Duration debt = bucket.Debt();
    if (debt > most) {
      bucket.level = before;
      return Refused(resource, debt);
    }
    wait = std::max(wait, debt);
    tallies_[At(resource)].waited += debt;
    Look(resource, now, alerts);
  }
  Tell(alerts);
  return std::nullopt;
}

void QuotaAccount::Return(Resource resource, std::uint64_t amount) {
  const std::lock_guard lock(mutex_);
  Bucket& bucket = BucketOf(resource);
  if (bucket.has_bound) bucket.level = std::min(bucket.capacity, bucket.level + static_cast<double>(amount));
}

std::uint64_t QuotaAccount::LimitOf(Resource resource) const {
  switch (resource) {
    case Resource::kCpuTime: return quota_.cpu_time ? static_cast<std::uint64_t>(quota_.cpu_time->count()) : 0;
    case Resource::kMemory: return quota_.memory ? quota_.memory->count : 0;
    case Resource::kConcurrency: return quota_.concurrency.value_or(0);
    default: {
      const Bucket& bucket = buckets_[At(resource)];
      return bucket.has_bound ? static_cast<std::uint64_t>(bucket.capacity) : 0;
    }
  }
}

std::uint64_t QuotaAccount::UsedOf(Resource resource, MonotonicTime now) {
  switch (resource) {
    case Resource::kCpuTime: return static_cast<std::uint64_t>(cpu_used_.count());
    case Resource::kMemory: return memory_;
    case Resource::kConcurrency: return calls_;
    default: {
      Bucket& bucket = BucketOf(resource);
      bucket.Refill(now);
      // It fills all the time: what was used a moment ago is a little less by now.
      return static_cast<std::uint64_t>(std::llround(std::max(0.0, bucket.capacity - bucket.level)));
    }
  }
}

void QuotaAccount::Look(Resource resource, MonotonicTime now, Alerts& alerts) {
  const std::uint64_t limit = LimitOf(resource);
  if (limit == 0) return;
  const std::uint64_t used = UsedOf(resource, now);
  const double part = static_cast<double>(used) / static_cast<double>(limit);
  Tally& tally = tallies_[At(resource)];
  if (tally.is_told) {
    tally.is_told = part >= quota_.alert * kRearm;
  } else if (part >= quota_.alert) {
    tally.is_told = true;
    ++tally.alerts;
    alerts.push_back({plugin_, resource, used, limit});
  }
}

void QuotaAccount::Tell(const Alerts& alerts) const {
  if (!told_) return;
  for (const QuotaAlert& alert : alerts) told_(alert);
}

std::vector<QuotaUsage> QuotaAccount::Usage() {
  const MonotonicTime now = now_();
  std::vector<QuotaUsage> all;
  const std::lock_guard lock(mutex_);
  Turn(now);
  for (const Resource resource : kAll) {
    const std::uint64_t limit = LimitOf(resource);
    if (limit == 0) continue;
    const Tally& tally = tallies_[At(resource)];
    all.push_back({resource, UsedOf(resource, now), limit, tally.refused, tally.alerts, tally.waited});
  }
  return all;
}

std::uint64_t QuotaAccount::memory_peak() const {
  const std::lock_guard lock(mutex_);
  return memory_peak_;
}

// ---- Tickets -------------------------------------------------------------------------------------------------------

CallTicket::CallTicket(CallTicket&& other) noexcept
    : of_(std::exchange(other.of_, nullptr)), need_(other.need_), since_(other.since_) {}

CallTicket& CallTicket::operator=(CallTicket&& other) noexcept {
  if (this == &other) return *this;
  Release();
  of_ = std::exchange(other.of_, nullptr);
  need_ = other.need_;
  since_ = other.since_;
  return *this;
}

void CallTicket::Release() {
  const std::shared_ptr<LimitEnforcer> of = std::exchange(of_, nullptr);
  if (of == nullptr) return;
  const Duration held = of->now_() - since_;
  if (of->sum_ != nullptr) of->sum_->GiveBack(need_, held);
  if (of->own_ != nullptr) of->own_->GiveBack(need_, held);
  if (of->on_room_) of->on_room_();
}

void LimitEnforcer::Count(const Refusal& refusal) {
  const auto& account = refusal.plugin.empty() ? sum_ : own_;
  if (account != nullptr) account->Count(refusal);
}

// ---- Enforcer ------------------------------------------------------------------------------------------------------

LimitEnforcer::LimitEnforcer(std::shared_ptr<QuotaAccount> own, std::shared_ptr<QuotaAccount> sum, Now now)
    : own_(std::move(own)), sum_(std::move(sum)), now_(std::move(now)) {}

std::expected<CallTicket, Refusal> LimitEnforcer::Admit(For what, std::uint64_t memory_bytes, Refusals refusals) {
  const QuotaAccount::Need need = {what == For::kInstance ? 0u : 1u, what == For::kCallInInstance ? 0 : memory_bytes};
  if (own_ != nullptr) {
    if (auto refusal = own_->Take(need, refusals)) return std::unexpected(std::move(*refusal));
  }
  if (sum_ != nullptr) {
    if (auto refusal = sum_->Take(need, refusals)) {
      if (own_ != nullptr) own_->GiveBack(need, Duration(0));
      return std::unexpected(std::move(*refusal));
    }
  }
  CallTicket ticket;
  ticket.of_ = shared_from_this();
  ticket.need_ = need;
  ticket.since_ = now_();
  return ticket;
}

void LimitEnforcer::ChargeCpu(Duration cpu) {
  for (QuotaAccount* account : {own_.get(), sum_.get()}) {
    if (account != nullptr) account->ChargeCpu(cpu);
  }
}

std::optional<Duration> LimitEnforcer::CpuLeft() {
  std::optional<Duration> least;
  for (QuotaAccount* account : {own_.get(), sum_.get()}) {
    const std::optional<Duration> left = account == nullptr ? std::nullopt : account->CpuLeft();
    if (left) least = std::min(*left, least.value_or(*left));
  }
  return least;
}

Duration LimitEnforcer::Spend(Resource resource, std::uint64_t amount) {
  Duration wait{0};
  for (QuotaAccount* account : {own_.get(), sum_.get()}) {
    if (account != nullptr && amount > 0) wait = std::max(wait, account->Spend(resource, amount));
  }
  return wait;
}

std::expected<Duration, Refusal> LimitEnforcer::SpendWithin(Resource resource, std::uint64_t amount, Duration most) {
  Duration wait{0};
  if (own_ != nullptr) {
    if (auto refusal = own_->SpendWithin(resource, amount, most, wait)) return std::unexpected(std::move(*refusal));
  }
  if (sum_ != nullptr) {
    if (auto refusal = sum_->SpendWithin(resource, amount, most, wait)) {
      if (own_ != nullptr) own_->Return(resource, amount);
      return std::unexpected(std::move(*refusal));
    }
  }
  return wait;
}

bool LimitEnforcer::BoundsFiles() const {
  return Bounds(Resource::kRead) || Bounds(Resource::kWrite) || Bounds(Resource::kOperations);
}

bool LimitEnforcer::Bounds(Resource resource) const {
  for (const QuotaAccount* account : {own_.get(), sum_.get()}) {
    if (account == nullptr) continue;
    const policy::Quota quota = account->quota();
    switch (resource) {
      case Resource::kCpuShare:
        if (quota.cpu_share) return true;
        break;
      case Resource::kCpuTime:
        if (quota.cpu_time) return true;
        break;
      case Resource::kMemory:
        if (quota.memory) return true;
        break;
      case Resource::kConcurrency:
        if (quota.concurrency) return true;
        break;
      case Resource::kRead:
        if (quota.read) return true;
        break;
      case Resource::kWrite:
        if (quota.write) return true;
        break;
      case Resource::kOperations:
        if (quota.operations) return true;
        break;
      case Resource::kNetwork:
        if (quota.network) return true;
        break;
      case Resource::kRequests:
        if (quota.requests) return true;
        break;
    }
  }
  return false;
}

}  // namespace cordon::services
