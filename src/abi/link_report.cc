#include "abi/link_report.h"

#include <algorithm>

#include "abi/link_plan.h"

namespace cordon::abi {

std::string ShellWord(std::string_view text) {
  constexpr std::string_view kPlain = "_./:@+=-";
  const bool is_plain = !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (is_plain) return std::string(text);
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string_view LinkStateName(LinkState state) {
  switch (state) {
    case LinkState::kLinked: return "linked";
    case LinkState::kLinkedEmpty: return "linked-empty";
    case LinkState::kStub: return "stub";
    case LinkState::kNotLinked: break;
  }
  return "not-linked";
}

bool LinkPlan::complete() const {
  return std::none_of(decisions.begin(), decisions.end(),
                      [](const auto& d) { return d.state == LinkState::kNotLinked; });
}

Error UnlinkedError(const LinkPlan& plan) {
  Error error(Code::kLink, "");
  for (const ImportDecision& decision : plan.decisions) {
    if (decision.state != LinkState::kNotLinked) continue;
    Error cause(Code::kLink, decision.import + " (" + decision.type + ") was not linked: " + decision.message,
                decision.command);
    cause.details = {{"import", decision.import},
                     {"type", decision.type},
                     {"grant", decision.grant},
                     {"rule", decision.rule},
                     {"command", decision.command}};
    error.causes.push_back(std::move(cause));
  }
  const std::size_t count = error.causes.size();
  error.message =
      std::to_string(count) + (count == 1 ? " import was" : " imports were") + " not linked; nothing was instantiated";
  error.remedy = count == 1 ? error.causes.front().remedy
                            : "cordon explain " + ShellWord(plan.plugin) + " shows every import and what would link it";
  return error;
}

}  // namespace cordon::abi
