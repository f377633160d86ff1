#include "runtime/admission.h"

namespace cordon::runtime {

Result<Admission> Admission::Enter(const Plugin::State& state, const CallOptions& options, For what) {
  Admission admission;
  admission.enforcer_ = state.enforcer.get();
  if (options.ticket != nullptr) {
    admission.given_ = options.ticket;
    return admission;
  }
  auto ticket = state.enforcer->Admit(what, state.limits.memory.count);
  if (!ticket) return Fail(services::BusyError(ticket.error()));
  admission.own_ = std::move(*ticket);
  return admission;
}

engine::CallLimits Admission::Within(engine::CallLimits limits) {
  const std::optional<Duration> left = enforcer_->CpuLeft();
  if (left && (!limits.cpu || *left < *limits.cpu)) {
    limits.cpu = *left;
    is_cut_ = true;
  }
  return limits;
}

Status Admission::Settle(Status outcome, Duration cpu) {
  enforcer_->ChargeCpu(cpu);
  // The place is free before whoever waits for the answer can ask for another.
  own_.Release();
  if (given_ != nullptr) given_->Release();
  if (outcome || !is_cut_ || outcome.error().code != Code::kCpu) return outcome;
  Error error = std::move(outcome).error();
  error.message = "the call used the last of the CPU time of its period";
  error.remedy = "raise quotas.cpu.time in config.yaml";
  return Fail(std::move(error).With("quota", std::string(services::ResourceName(services::Resource::kCpuTime))));
}

// ---- Of a plugin and its host --------------------------------------------------------------------------------------

std::expected<std::shared_ptr<services::CallTicket>, services::Refusal> Plugin::TryAdmit() const {
  if (state_->enforcer == nullptr) return nullptr;
  auto ticket = state_->enforcer->Admit(Admission::For::kCall, state_->limits.memory.count,
                                        services::LimitEnforcer::Refusals::kUncounted);
  if (!ticket) return std::unexpected(std::move(ticket).error());
  return std::make_shared<services::CallTicket>(std::move(*ticket));
}

void Plugin::CountRefusal(const services::Refusal& refusal) const {
  if (state_->enforcer != nullptr) state_->enforcer->Count(refusal);
}

bool Plugin::HasQuota() const { return state_->enforcer != nullptr; }

Totals Plugin::Sums() const {
  Totals totals = state_->meter->Sums();
  const std::uint64_t each = state_->limits.memory.count;
  totals.memory_reserved_bytes = totals.running * each;
  const auto& own = state_->enforcer == nullptr ? nullptr : state_->enforcer->own();
  if (own != nullptr) {
    totals.quotas = own->Usage();
    totals.memory_reserved_peak_bytes = own->memory_peak();
  }
  return totals;
}

void Plugin::CountUse(const engine::Usage& usage) const { state_->meter->CountUse(usage); }
void Plugin::CountWaiting(std::int64_t by) const { state_->meter->CountWaiting(by); }

Totals Host::Sums() const {
  Totals totals = state_->meter->SumsOfAll();
  if (const auto sum = state_->QuotaInSum()) {
    totals.quotas = sum->Usage();
    totals.memory_reserved_peak_bytes = sum->memory_peak();
  }
  return totals;
}

// Whoever is told may not end the call: what it throws is its own.
void Host::State::TellOfQuota(const services::QuotaAlert& alert) {
  audit::Record record;
  record.event = audit::Event::kNote;
  record.plugin = alert.plugin;
  record.rule = "quota:" + std::string(services::ResourceName(alert.resource));
  record.note = "a quota is nearly used up";
  record.usage = {{"used", alert.used}, {"limit", alert.limit}};
  (void)options.observer->On(record);
  if (!options.on_quota) return;
  try {
    options.on_quota(alert);
  } catch (...) {}
}

std::shared_ptr<services::QuotaAccount> Host::State::NewAccount(std::string plugin, const policy::Quota& quota) {
  const auto told = [host = weak_from_this()](const services::QuotaAlert& alert) {
    if (const auto alive = host.lock()) alive->TellOfQuota(alert);
  };
  return std::make_shared<services::QuotaAccount>(std::move(plugin), quota, &std::chrono::steady_clock::now, told);
}

std::shared_ptr<services::QuotaAccount> Host::State::AccountOf(const std::string& plugin, const policy::Quota& quota) {
  const std::lock_guard lock(mutex);
  auto& account = quotas[plugin];
  if (account == nullptr) {
    account = NewAccount(plugin, quota);
  } else {
    account->SetQuota(quota);
  }
  return account;
}

}  // namespace cordon::runtime
