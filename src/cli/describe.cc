#include "cli/describe.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "cli/report.h"

namespace cordon::cli {
namespace {

using policy::Ruling;

struct LimitRow {
  std::string_view name;
  std::string value;
};

std::vector<LimitRow> Rows(const manifest::Limits& limits) {
  std::vector<LimitRow> rows = {
      {"memory", FormatBytes(limits.memory)},
      {"timeout", FormatDuration(limits.timeout)},
      {"cpu", limits.cpu ? FormatDuration(*limits.cpu) : "none"},
      {"fuel", limits.fuel ? std::to_string(*limits.fuel) : "none"},
      {"stack", FormatBytes(limits.stack)},
      {"tables", std::to_string(limits.tables)},
      {"instances", std::to_string(limits.instances)},
      {"handles", std::to_string(limits.handles)},
      {"stdout", FormatBytes(limits.stdout_bytes)},
      {"input", FormatBytes(limits.input)},
      {"output", FormatBytes(limits.output)},
      {"functions", std::to_string(limits.functions)},
  };
  // Of plugins for Extism, where one asks for less.
  if (limits.DecidedBy("vars").starts_with("plugin.yaml")) rows.push_back({"vars", FormatBytes(limits.vars)});
  if (limits.DecidedBy("http-response").starts_with("plugin.yaml")) {
    rows.push_back({"http-response", FormatBytes(limits.http_response)});
  }
  const policy::Quota& quota = limits.quota;
  if (quota.concurrency) rows.push_back({"concurrency", std::to_string(*quota.concurrency)});
  if (quota.memory) rows.push_back({"quota.memory", FormatBytes(*quota.memory)});
  if (quota.cpu_share) rows.push_back({"cpu.share", json::Dump(Json(*quota.cpu_share))});
  if (quota.cpu_time) {
    rows.push_back({"cpu.time", FormatDuration(*quota.cpu_time) + " per " + FormatDuration(quota.cpu_period)});
  }
  if (quota.read) rows.push_back({"io.read", FormatByteRate(*quota.read)});
  if (quota.write) rows.push_back({"io.write", FormatByteRate(*quota.write)});
  if (quota.operations) rows.push_back({"io.operations", FormatRate(*quota.operations)});
  if (quota.network) rows.push_back({"io.network", FormatByteRate(*quota.network)});
  if (quota.requests) rows.push_back({"io.requests", FormatRate(*quota.requests)});
  return rows;
}

std::string_view NeedName(const Ruling& ruling) {
  if (ruling.source == Ruling::Source::kDefault) return "default";
  return ruling.request.need == policy::Need::kRequired ? "required" : "optional";
}

Style StyleOf(const Ruling& ruling) {
  if (ruling.state == Ruling::State::kEffective) return Style::kGood;
  return ruling.request.need == policy::Need::kRequired ? Style::kError : Style::kWarning;
}

Style StyleOf(abi::LinkState state) {
  switch (state) {
    case abi::LinkState::kLinked: return Style::kGood;
    case abi::LinkState::kLinkedEmpty: return Style::kDim;
    case abi::LinkState::kStub: return Style::kWarning;
    case abi::LinkState::kNotLinked: return Style::kError;
  }
  return Style::kError;
}

}  // namespace

std::string Padded(std::string_view text, std::size_t width) {
  std::string out(text);
  if (out.size() < width) out.append(width - out.size(), ' ');
  return out;
}

OrderedJson PermissionsJson(const policy::Authority& authority) {
  OrderedJson list = OrderedJson::array();
  for (const Ruling& ruling : authority.rulings()) {
    const policy::Capability& capability = ruling.request.capability;
    OrderedJson one = {
        {"capability", capability.ToString()},
        {"kind", policy::KindName(capability.kind())},
        {"need", NeedName(ruling)},
        {"state", policy::StateName(ruling.state)},
        {"rule", ruling.rule},
        {"risk", policy::RiskName(policy::RiskOf(capability))},
    };
    if (!ruling.request.reason.empty()) one["reason"] = Escape(ruling.request.reason);
    if (!ruling.why.empty()) one["why"] = Escape(ruling.why);
    if (ruling.effective) one["effective"] = ruling.effective->ToString();
    for (const policy::LimitedGrant& grant : ruling.limits) one["limits"].push_back(grant.text);
    if (!ruling.smallest_grant.empty()) {
      one["grant"] = ruling.smallest_grant;
      one["flags"] = policy::GrantFlags(capability);
    }
    list.push_back(std::move(one));
  }
  return list;
}

std::string PermissionsText(const policy::Authority& authority, const Terminal& terminal) {
  std::string out;
  for (const Ruling& ruling : authority.rulings()) {
    const policy::Capability& capability = ruling.request.capability;
    out += "  " + terminal.Paint(StyleOf(ruling), Padded(policy::StateName(ruling.state), 14)) +
           Padded(NeedName(ruling), 10) + capability.ToString() + "  " +
           terminal.Paint(Style::kDim, "(" + Escape(ruling.rule) + ")") + "\n";
    const std::string indent(26, ' ');
    if (!ruling.request.reason.empty()) out += indent + "reason: " + EscapeShort(ruling.request.reason, 400) + "\n";
    if (!ruling.why.empty()) out += indent + Escape(ruling.why) + "\n";
    if (ruling.narrowed()) out += indent + "narrowed to " + ruling.effective->ToString() + "\n";
    for (const policy::LimitedGrant& grant : ruling.limits) out += indent + "as long as '" + grant.text + "' lasts\n";
    if (!ruling.smallest_grant.empty()) out += indent + "grant: " + policy::GrantFlags(capability) + "\n";
  }
  return out;
}

OrderedJson LimitsJson(const manifest::Limits& limits) {
  OrderedJson json;
  for (const LimitRow& row : Rows(limits)) {
    json[std::string(row.name)] = {{"value", row.value}, {"decided_by", Escape(limits.DecidedBy(row.name))}};
  }
  return json;
}

std::string LimitsText(const manifest::Limits& limits) {
  std::string out;
  for (const LimitRow& row : Rows(limits)) {
    out += "  " + Padded(row.name, 14) + Padded(row.value, 10) + Escape(limits.DecidedBy(row.name)) + "\n";
  }
  for (const std::string& sentence : limits.narrowed) out += "  note: " + Escape(sentence) + "\n";
  return out;
}

OrderedJson ImportsJson(const abi::LinkPlan& plan) {
  OrderedJson list = OrderedJson::array();
  for (const abi::ImportDecision& decision : plan.decisions) {
    OrderedJson one = {
        {"import", Escape(decision.import)},
        {"type", Escape(decision.type)},
        {"state", abi::LinkStateName(decision.state)},
        {"rule", Escape(decision.rule)},
    };
    const auto add = [&](const char* key, const std::string& text) {
      if (!text.empty()) one[key] = Escape(text);
    };
    add("capability", decision.capability);
    add("grant", decision.grant);
    add("command", decision.command);
    add("message", decision.message);
    add("meaning", decision.meaning);
    list.push_back(std::move(one));
  }
  return list;
}

std::string ImportsText(const abi::LinkPlan& plan, const Terminal& terminal) {
  std::string out;
  for (const abi::ImportDecision& decision : plan.decisions) {
    out += "  " + terminal.Paint(StyleOf(decision.state), Padded(abi::LinkStateName(decision.state), 14)) +
           EscapeShort(decision.import, 200) + "  " +
           terminal.Paint(Style::kDim, "(" + EscapeShort(decision.rule, 200) + ")") + "\n";
    const bool open = decision.state == abi::LinkState::kStub || decision.state == abi::LinkState::kNotLinked;
    const std::string indent(16, ' ');
    if (!decision.meaning.empty()) out += indent + EscapeShort(decision.meaning, 400) + "\n";
    if (open && !decision.message.empty()) out += indent + EscapeShort(decision.message, 400) + "\n";
    if (open && !decision.grant.empty()) out += indent + "grant: " + EscapeShort(decision.grant, 400) + "\n";
    if (open && !decision.command.empty()) out += indent + "fix: " + EscapeShort(decision.command, 800) + "\n";
  }
  return out;
}

OrderedJson PlacementJson(const runtime::Plugin& plugin) {
  return {{"where", plugin.place().where}, {"rule", plugin.place().rule}};
}

std::string PlacementText(const runtime::Plugin& plugin) {
  const runtime::Place& place = plugin.place();
  const std::string where = place.where == "in-process" ? "in this process"
                            : place.where == "worker"   ? "in a worker process"
                                                        : "in " + std::string(place.where);
  return place.rule == "host" ? where : where + ", by " + std::string(place.rule);
}

}  // namespace cordon::cli
