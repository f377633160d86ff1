// Calls of plugins whose instances stay, and what stands in for the answer of a resident that has failed. For this room
// only.
#pragma once

#include <string_view>

#include "runtime/state.h"

namespace cordon::runtime {

// Whether the call goes to an instance that others use too. One that brings what such an instance does not have is
// E_USAGE or E_DENIED where there is no other.
Result<bool> SharesInstance(const Plugin::State& state, const CallOptions& options);

// In place of engine::CallOnce.
Status CallShared(const Plugin::State& state, const CallOptions& options, const BoundAction& action,
                  std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output,
                  const engine::CallLimits& limits, CallReport& report);

// The outcome of a call of a resident: its own, or as the manifest has it for one that failed.
Status Degrade(const Plugin::State& state, std::string_view action, std::string_view input_json,
               const CallOptions& options, Status outcome, CallReport& report);

// Who answers in place of a resident that was drained; null: nobody does.
std::shared_ptr<const Plugin> SuccessorOf(const Plugin::State& state);

Error OneInstance(const Plugin::State& state);

}  // namespace cordon::runtime
