#include "base/text.h"
#include "cordon/version.h"
#include "embed/state.h"

namespace cordon {

std::string_view LibraryVersion() { return CORDON_VERSION; }
std::string EngineVersion() { return engine::EngineVersion(); }
std::string EscapeForDisplay(std::string_view text) { return Escape(text); }

namespace embed {

Error NoMemory() noexcept {
  return Error(Code::kMemory, "no memory left", "free some");  // so short that std::string allocates nothing
}

Error Unexpected(std::string_view what) noexcept {
  try {
    return Error(Code::kInternal, std::string(what));
  } catch (const std::bad_alloc&) {
    return NoMemory();
  }
}

Usage UsageOf(const engine::Usage& usage) {
  return {
      .wall = usage.wall,
      .cpu = usage.cpu,
      .memory_peak_bytes = usage.memory_peak_bytes,
      .fuel = usage.fuel,
      .host_calls = usage.host_calls,
      .input_bytes = usage.bytes_in,
      .output_bytes = usage.bytes_out,
      .stdout_dropped_bytes = usage.stdout_dropped_bytes,
      .stderr_dropped_bytes = usage.stderr_dropped_bytes,
  };
}

Limits LimitsOf(const manifest::Limits& limits) {
  return {
      .timeout = limits.timeout,
      .cpu = limits.cpu,
      .fuel = limits.fuel,
      .memory_bytes = limits.memory.count,
      .input_bytes = limits.input.count,
      .output_bytes = limits.output.count,
      .stdout_bytes = limits.stdout_bytes.count,
  };
}

RiskLevel RiskOf(policy::RiskLevel risk) { return static_cast<RiskLevel>(risk); }

Authority AuthorityOf(const runtime::Plugin& plugin) {
  Authority authority;
  for (const policy::Ruling& from : plugin.authority().rulings()) {
    Ruling ruling;
    ruling.capability = from.request.capability.ToString();
    if (from.effective) ruling.effective = from.effective->ToString();
    ruling.rule = from.rule;
    ruling.reason = from.request.reason;
    ruling.grant = from.smallest_grant;
    ruling.required = from.request.need == policy::Need::kRequired;
    ruling.is_default = from.source == policy::Ruling::Source::kDefault;
    authority.rulings.push_back(std::move(ruling));
  }
  for (const abi::ImportDecision& from : plugin.link_plan().decisions) {
    authority.imports.push_back(
        {from.import, from.type, static_cast<ImportRuling::State>(from.state), from.rule, from.grant, from.message});
  }
  for (const policy::Grant& grant : plugin.authority().unused()) authority.unused_grants.push_back(grant.ToString());
  authority.risk = RiskOf(plugin.risk());
  return authority;
}

std::vector<Action> ActionsOf(const runtime::Plugin& plugin) {
  std::vector<Action> actions;
  for (runtime::ActionView& view : plugin.Actions()) {
    actions.push_back({std::move(view.name), std::move(view.description), std::move(view.export_name),
                       std::move(view.wit), view.input_schema.dump(), view.output_schema.dump(), RiskOf(view.risk)});
  }
  return actions;
}

}  // namespace embed
}  // namespace cordon
