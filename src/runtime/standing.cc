#include "runtime/standing.h"

#include <time.h>

#include <algorithm>
#include <chrono>

namespace cordon::runtime {
namespace {

using policy::Capability;
using policy::Kind;

constexpr std::int64_t kLookEveryNs = 1'000'000;

std::int64_t CoarseNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

Timestamp WallNow() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

// What a guest has in hand without a question for each use.
bool IsHeld(Kind kind) { return !policy::AskedEachTime(kind) || kind == Kind::kFiles || kind == Kind::kSockets; }

bool Gives(const policy::Authority& authority, const Capability& capability) {
  return std::ranges::any_of(authority.rulings(), [&](const policy::Ruling& ruling) {
    return ruling.effective && ruling.effective->Covers(capability);
  });
}

template <typename Map>
bool LeadsElsewhere(const Map& before, const Map& now, const std::string& name) {
  const auto was = before.find(name), is = now.find(name);
  return was != before.end() && (is == now.end() || is->second != was->second);
}

}  // namespace

PluginStanding::PluginStanding(Basis basis)
    : basis_(std::move(basis)), version_(basis_.version), ceiling_(basis_.ceiling), kept_(basis_.kept) {
  can_end_ = basis_.version != 0;
  for (const policy::Ruling& ruling : basis_.authority.rulings()) {
    if (!ruling.effective || !IsHeld(ruling.effective->kind())) continue;
    for (const policy::LimitedGrant& grant : ruling.limits) {
      if (!grant.limits.until || (ends_ && *ends_ <= *grant.limits.until)) continue;
      ends_ = grant.limits.until;
      ending_ = ruling.effective;
      can_end_ = true;
    }
  }
}

const policy::Authority* PluginStanding::Now() {
  if (basis_.version != 0) {
    const std::int64_t now = CoarseNs();
    if (now - looked_ns_.load(std::memory_order_relaxed) >= kLookEveryNs) [[unlikely]] {
      const std::lock_guard lock(mutex_);
      if (now - looked_ns_.load(std::memory_order_relaxed) >= kLookEveryNs) {
        Look();
        looked_ns_.store(now, std::memory_order_relaxed);
      }
    }
  }
  return now_.load(std::memory_order_acquire);
}

Status PluginStanding::Check() {
  (void)Now();
  const Error* over = over_.load(std::memory_order_acquire);
  if (over == nullptr && ends_ && *ends_ <= WallNow()) {
    const std::lock_guard lock(mutex_);
    End("limit:until", *ending_);
    over = over_.load(std::memory_order_acquire);
  }
  if (over != nullptr) return Fail(*over);
  return {};
}

void PluginStanding::Revoke(const Capability& capability) {
  const std::lock_guard lock(mutex_);
  revoked_.push_back(capability);
  Recompute();
}

void PluginStanding::Restrict(policy::Ceiling ceiling) {
  const std::lock_guard lock(mutex_);
  ceiling_ = std::move(ceiling);
  if (!basis_.ceiling.GrantsRequests()) ceiling_.Widened();
  Recompute();
}

void PluginStanding::End(Error why) {
  const std::lock_guard lock(mutex_);
  Over(std::move(why));
}

void PluginStanding::Over(Error why) {
  if (error_ != nullptr) return;
  error_ = std::make_unique<const Error>(std::move(why));
  over_.store(error_.get(), std::memory_order_release);
}

bool PluginStanding::GrantsDiffer() {
  if (basis_.source == nullptr || basis_.version == 0) return false;
  const auto found = basis_.source->Find({basis_.plugin, basis_.artifact, basis_.manifest, basis_.requests});
  return !found || *found != basis_.kept;
}

// Grants that cannot be read are no grants.
std::optional<policy::GrantSet> PluginStanding::FindKept() const {
  auto found = basis_.source->Find({basis_.plugin, basis_.artifact, basis_.manifest, basis_.requests});
  if (found) return std::move(*found);
  if (found.error().code != Code::kChanged || basis_.regranted == Regranted::kEnds) return std::nullopt;
  auto latest = basis_.source->Latest(basis_.plugin);
  return latest ? std::move(*latest) : std::nullopt;
}

void PluginStanding::Look() {
  const std::uint64_t version = basis_.source->Version();
  if (version == version_) return;
  std::optional<policy::GrantSet> kept = FindKept();
  version_ = version;
  // Most changes of the file are about other plugins.
  if (kept == kept_) return;
  kept_ = std::move(kept);
  Recompute();
}

// A flag's own folder takes the place of a grant's; a folder or program that is another one by now was not granted to
// what runs.
bool PluginStanding::IsReplaced(const policy::Grant& grant) const {
  const policy::FilesScope* files = grant.capability.files();
  const policy::ExecScope* exec = grant.capability.exec();
  const auto is_own = [&](const policy::Grant& own) {
    return own.capability.files() != nullptr && own.capability.files()->mount == files->mount;
  };
  if (files != nullptr && std::ranges::any_of(basis_.own, is_own)) return true;
  if (!basis_.kept) return false;
  return (files != nullptr && LeadsElsewhere(basis_.kept->roots, kept_->roots, files->root)) ||
         (exec != nullptr && LeadsElsewhere(basis_.kept->programs, kept_->programs, exec->program));
}

void PluginStanding::Recompute() {
  std::vector<policy::Grant> grants = basis_.own;
  std::vector<Kind> withdrawn = basis_.withdrawn;
  if (kept_) {
    for (const policy::Grant& grant : kept_->granted) {
      if (IsReplaced(grant)) continue;
      grants.push_back(grant);
      grants.back().keep = policy::LimitedGrant::Keep::kDisk;
    }
    withdrawn.insert(withdrawn.end(), kept_->denied.begin(), kept_->denied.end());
  }
  auto evaluated = policy::Authority::Evaluate(basis_.requests, grants, ceiling_, basis_.link, withdrawn, WallNow());
  policy::Authority left = evaluated ? std::move(*evaluated) : policy::Authority();
  for (const Capability& capability : revoked_) left.Remove(capability);
  for (const policy::Ruling& ruling : basis_.authority.rulings()) {
    if (!ruling.effective || !IsHeld(ruling.effective->kind()) || Gives(left, *ruling.effective)) continue;
    End("revoked", *ruling.effective);
    break;
  }
  if (const auto cap = ceiling_.risk(); cap && left.risk() > cap->risk) {
    Over(Error(Code::kDenied, "the risk of " + basis_.plugin + " is above what " + cap->file + " allows by now",
               "grant it less, or allow more there")
             .With("rule", "ceiling:risk"));
  }
  authorities_.push_back(std::make_unique<const policy::Authority>(std::move(left)));
  now_.store(authorities_.back().get(), std::memory_order_release);
}

void PluginStanding::End(std::string rule, const Capability& lost) {
  const std::string why = rule == "revoked" ? "was taken back" : "was granted for a time that is over";
  const std::string what = lost.ToString();
  Over(Error(Code::kDenied, what + " of " + basis_.plugin + " " + why + ", and what it holds by it has to go",
             "load it again, with what is granted now")
           .With("capability", what)
           .With("rule", std::move(rule)));
}

}  // namespace cordon::runtime
