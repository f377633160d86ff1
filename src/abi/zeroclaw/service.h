// "extism:host/user" as plugins of zeroclaw know it: a JSON text in, a JSON text out, each function answered by the
// service that answers the same question of components.
//
//   zeroclaw_memory_store    {"key","value"} -> {"success":true}              cordon:memory/memory
//   zeroclaw_memory_recall   {"query"} -> {"results":"[…]"}                   the same
//   zeroclaw_memory_forget   {"key"} -> {"success":true}                      the same
//   zeroclaw_tool_call       {"tool_name","arguments"} -> {"success","output"}  cordon:tools/caller
//   zeroclaw_send_message    {"channel","recipient","message"} -> {"success":true}  cordon:messaging/producer
//   zeroclaw_get_channels    {} -> {"channels":[…]}                           cordon:channels/directory
//   zeroclaw_cli_exec        {"command","args","working_dir"?,"env"?} -> …    cordon:exec/runner
//   context_session, context_user_identity, context_agent_config              cordon:context/call
//
// What goes wrong is {"error":"E_DENIED: …"}, beside "success":false where success would be true. A rule of its own:
// "exec:env" for variables that a program shall have.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/router.h"

namespace cordon::abi {

inline constexpr std::string_view kZeroclawModule = "extism:host/user";

// Whatever is null is not linked, so nobody asks for it.
struct ZeroclawParts {
  std::unique_ptr<services::HostService> memory, calls, producer, programs, context;
  // What the embedding program offers in the same module, and the names of it: these are its own.
  std::unique_ptr<services::HostService> own;
  std::vector<std::string> own_names;
};

// Thread-safe. What it asks decides.
class ZeroclawService final : public services::HostService {
 public:
  // `guard` must outlive the service.
  ZeroclawService(const services::Guard& guard, ZeroclawParts parts) : guard_(guard), parts_(std::move(parts)) {}
  std::string_view interface_name() const override { return kZeroclawModule; }
  HostReply Call(const services::Caller& caller, std::string_view function,
                 std::span<const std::uint8_t> payload) override;

 private:
  struct Answer;
  Answer Ask(const services::Caller& caller, std::string_view function, class Question& question) const;
  Answer Store(const services::Caller& caller, Question& question) const;
  Answer Recall(const services::Caller& caller, Question& question) const;
  Answer Forget(const services::Caller& caller, Question& question) const;
  Answer CallTool(const services::Caller& caller, Question& question) const;
  Answer SendMessage(const services::Caller& caller, Question& question) const;
  Answer Channels(const services::Caller& caller, Question& question) const;
  Answer Run(const services::Caller& caller, Question& question) const;
  Answer Told(const services::Caller& caller, std::string_view part, Question& question) const;
  std::uint32_t ScopeOf(std::string_view access) const;
  std::string ToolNamed(const std::string& name) const;

  const services::Guard& guard_;
  ZeroclawParts parts_;
};

inline constexpr std::string_view kZeroclawDenied = "E_DENIED: access denied";
// {"error": …} as it answers a question of `function`; also what a stub of it says.
std::string ZeroclawFailure(std::string_view function, std::string_view error);

}  // namespace cordon::abi
