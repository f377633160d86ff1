// cordon:tools for one plugin: actions of other plugins.
//
// The guard decides and audits; then the caller is written into the chain, by us and from what the router knows, never
// from what the guest says. Rules of its own: "call:cycle", "call:depth", "call:target" for what names no action,
// "call:not-provided" for an action that the callee keeps from others.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kToolCallerInterface = "cordon:tools/caller";
inline constexpr std::string_view kToolCalleeInterface = "cordon:tools/callee";
inline constexpr std::size_t kToolChainMax = 8;  // plugins that wait for each other

// One call of a plugin by a plugin, allowed and ready.
struct ToolCall {
  std::string_view plugin, action;  // "acme/geocode", "lookup"
  std::string_view input_json;
  std::vector<std::string> chain;  // with the caller, who is the last
  policy::KindSet passed;          // what the callee may use of its own rights
  std::int64_t deadline_ns = 0;
  std::shared_ptr<const Principal> principal{};
  std::optional<TraceParent> trace{};  // the span of the caller
};

struct ToolAnswer {
  std::string json;
  enum class Form : std::uint8_t { kAnswer, kPluginError } form = Form::kAnswer;
};

// Where plugins are found and run. Thread-safe. A call runs at most once.
class ToolCalls {
 public:
  virtual ~ToolCalls() = default;
  // Whether the plugin lets others call this action. True as well when nothing of this name is loaded.
  virtual bool Provides(std::string_view plugin, std::string_view action) = 0;
  virtual Result<ToolAnswer> Call(const ToolCall& call) = 0;
};

class ToolCallerService final : public HostService {
 public:
  // `guard` must outlive the service.
  ToolCallerService(const Guard& guard, std::shared_ptr<ToolCalls> calls) : guard_(guard), calls_(std::move(calls)) {}
  std::string_view interface_name() const override { return kToolCallerInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  const Guard& guard_;
  std::shared_ptr<ToolCalls> calls_;
};

// Holds no authority: it tells what the host wrote down of this very call.
class ToolCalleeService final : public HostService {
 public:
  std::string_view interface_name() const override { return kToolCalleeInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;
};

}  // namespace cordon::services
