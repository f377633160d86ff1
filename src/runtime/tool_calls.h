// Calls of plugins by plugins: who is loaded under which name, and the call itself.
#pragma once

#include <memory>
#include <string_view>

#include "runtime/state.h"
#include "services/tools.h"

namespace cordon::runtime {

// At once, in one host. A call that finds no room on its caller's stack waits on one of the threads that answer guests,
// and those have to stay enough for the plugins that are called.
inline constexpr int kToolCallsMax = 8;

class HostToolCalls final : public services::ToolCalls {
 public:
  explicit HostToolCalls(std::weak_ptr<Host::State> host) : host_(std::move(host)) {}
  bool Provides(std::string_view plugin, std::string_view action) override;
  // E_NOT_FOUND: nothing of this name is loaded; E_BUSY; E_TIMEOUT before anything ran; and what Plugin::Call may give.
  Result<services::ToolAnswer> Call(const services::ToolCall& call) override;

 private:
  std::weak_ptr<Host::State> host_;
};

}  // namespace cordon::runtime
