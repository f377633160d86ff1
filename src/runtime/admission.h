// Holds one call to the quotas of its plugin and of all. For this room only.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/state.h"
#include "services/quota.h"

namespace cordon::runtime {

// Of a call that is admitted, until it is over.
class Admission {
 public:
  using For = services::LimitEnforcer::For;
  // REQUIRES: the plugin has an enforcer. E_BUSY with the details "quota" and "retry-after". A call that came with a
  // ticket (Plugin::TryAdmit) has its place already.
  static Result<Admission> Enter(const Plugin::State& state, const CallOptions& options, For what);

  // The call's limits, within what is left of CPU time.
  engine::CallLimits Within(engine::CallLimits limits);
  // Charges what was used; an error that the quota caused says so.
  Status Settle(Status outcome, Duration cpu);

 private:
  Admission() = default;
  services::LimitEnforcer* enforcer_ = nullptr;
  services::CallTicket own_;
  std::shared_ptr<services::CallTicket> given_;
  bool is_cut_ = false;
};

// Makes a call of a plugin under its quotas. `run` is given the limits; `cpu` tells afterwards what was used.
template <typename Run, typename Cpu>
Status Admitted(const Plugin::State& state, const CallOptions& options, Admission::For what,
                const engine::CallLimits& limits, Run&& run, Cpu&& cpu) {
  if (state.enforcer == nullptr) [[likely]]
    return run(limits);
  CORDON_ASSIGN(Admission admission, Admission::Enter(state, options, what));
  Status outcome = run(admission.Within(limits));
  return admission.Settle(std::move(outcome), cpu());
}

}  // namespace cordon::runtime
