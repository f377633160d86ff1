#include "abi/zeroclaw/table.h"

#include <algorithm>

#include "abi/zeroclaw/service.h"
#include "base/wire.h"

namespace cordon::abi {
namespace {

using engine::HostImport;
using policy::Kind;

constexpr ZeroclawFunction kFunctions[] = {
    {"zeroclaw_memory_store", "keeps a text under a key", Kind::kMemory, "store", "", "memory:store:agent"},
    {"zeroclaw_memory_recall", "finds what was kept, by words", Kind::kMemory, "recall", "", "memory:recall:agent"},
    {"zeroclaw_memory_forget", "forgets what has a key", Kind::kMemory, "forget", "", "memory:forget:agent"},
    {"zeroclaw_tool_call", "calls an action of another plugin", Kind::kCall, "", "", "call:NAMESPACE/NAME#ACTION",
     HostImport::Kind::kNested},
    {"zeroclaw_send_message", "sends a message by a channel", Kind::kMessaging, "send", "", "msg:send:CHANNEL"},
    {"zeroclaw_get_channels", "names the channels that it may send to", Kind::kMessaging, "send", "",
     "msg:send:CHANNEL", HostImport::Kind::kQuick},
    {"zeroclaw_cli_exec", "runs a program of the host", Kind::kExec, "", "", "exec:PROGRAM"},
    {"context_session", "tells in which session it is called", Kind::kContext, "", "session", "ctx:session",
     HostImport::Kind::kQuick},
    {"context_user_identity", "tells for which user it is called", Kind::kContext, "", "user", "ctx:user",
     HostImport::Kind::kQuick},
    {"context_agent_config", "tells by which agent it is called", Kind::kContext, "", "agent", "ctx:agent",
     HostImport::Kind::kQuick},
};

bool IsFor(const policy::Capability& capability, const ZeroclawFunction& function) {
  if (capability.kind() != function.kind) return false;
  const policy::NameScope* const scope = capability.named();
  if (scope == nullptr) return true;
  return (function.action.empty() || scope->action == function.action) &&
         (function.target.empty() || scope->name == function.target);
}

}  // namespace

std::span<const ZeroclawFunction> ZeroclawFunctions() { return kFunctions; }

const ZeroclawFunction* FindZeroclaw(std::string_view module, std::string_view name) {
  if (module != kZeroclawModule) return nullptr;
  const auto it = std::ranges::find(kFunctions, name, &ZeroclawFunction::name);
  return it == std::end(kFunctions) ? nullptr : it;
}

const policy::Ruling* RulingFor(const policy::Authority& authority, const ZeroclawFunction& function) {
  const policy::Ruling* found = nullptr;
  for (const policy::Ruling& ruling : authority.rulings()) {
    if (ruling.effective && IsFor(*ruling.effective, function)) return &ruling;
    if (found == nullptr && IsFor(ruling.request.capability, function)) found = &ruling;
  }
  return found;
}

services::StubAnswers::Answer ZeroclawDenial(const ZeroclawFunction& function, const policy::Ruling& ruling) {
  services::StubAnswers::Answer answer{{}, ruling.request.capability.ToString(), ruling.rule};
  wire::Writer(answer.payload).String(ZeroclawFailure(function.name, kZeroclawDenied));
  return answer;
}

}  // namespace cordon::abi
