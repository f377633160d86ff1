#include "manifest/limits.h"

namespace cordon::manifest {
namespace {

std::string Show(Bytes value) { return FormatBytes(value); }
std::string Show(Duration value) { return FormatDuration(value); }

class Narrowing {
 public:
  Narrowing(Limits& limits, const Config& config) : limits_(limits), config_(config) {}

  // What the operator alone decides.
  template <typename T>
  void Operator(std::string_view field, T& slot, const T& ceiling) {
    slot = ceiling;
    limits_.decided_by[std::string(field)] = Rule(field);
  }

  // The smaller of what stands and what is asked; more than stands is reported.
  template <typename T>
  void Request(std::string_view field, T& slot, const std::optional<T>& asked, const std::string& who) {
    if (!asked) return;
    std::string& decided = limits_.decided_by[std::string(field)];
    if (*asked <= slot) {
      slot = *asked;
      decided = "plugin.yaml " + who;
    } else {
      limits_.narrowed.push_back(who + " asks for " + Show(*asked) + " and gets " + Show(slot) + " (" + decided + ")");
    }
  }

 private:
  std::string Rule(std::string_view field) const {
    const std::string key = "plugins.limits." + std::string(field);
    const std::string_view origin = config_.OriginOf(key);
    return key + " (" + std::string(origin) + ")";
  }

  Limits& limits_;
  const Config& config_;
};

}  // namespace

void AddQuota(const Manifest* manifest, const Config& config, std::string_view plugin, Limits& limits) {
  using policy::Quota;
  auto entry = config.entries.find(std::string(plugin));
  // A bare .wasm has the name of its file, which an entry spells as one of this machine.
  if (entry == config.entries.end()) entry = config.entries.find("local/" + std::string(plugin));
  if (entry != config.entries.end()) {
    limits.quota = entry->second.quota;
    const std::string who = "plugins.entries." + entry->first + ".quotas";
    for (const char* field : {"concurrency", "quota.memory", "cpu.share", "cpu.time", "io.read", "io.write",
                              "io.operations", "io.network", "io.requests"}) {
      limits.decided_by[field] = who;
    }
  }
  if (manifest == nullptr) return;
  const Quota& asked = manifest->limits.quota;
  const auto tell = [&limits](std::string_view field, const auto& shown_asked, const auto& shown_given) {
    limits.narrowed.push_back("limits." + std::string(field) + " asks for " + shown_asked + " and gets " + shown_given +
                              " (plugins.entries)");
  };
  if (asked.concurrency) {
    auto& slot = limits.quota.concurrency;
    if (!slot || *asked.concurrency <= *slot) {
      slot = asked.concurrency;
      limits.decided_by["concurrency"] = "plugin.yaml limits.concurrency";
    } else {
      tell("concurrency", std::to_string(*asked.concurrency), std::to_string(*slot));
    }
  }
  struct Field {
    std::string_view name;
    std::optional<Rate> Quota::* rate;
    std::string (*show)(Rate);
  };
  constexpr Field kFields[] = {{"io.read", &Quota::read, FormatByteRate},
                               {"io.write", &Quota::write, FormatByteRate},
                               {"io.operations", &Quota::operations, FormatRate},
                               {"io.network", &Quota::network, FormatByteRate},
                               {"io.requests", &Quota::requests, FormatRate}};
  for (const Field& field : kFields) {
    const std::optional<Rate>& wanted = asked.*field.rate;
    std::optional<Rate>& slot = limits.quota.*field.rate;
    if (!wanted) continue;
    if (!slot || !policy::IsSlower(*slot, *wanted)) {
      slot = wanted;
      limits.decided_by[std::string(field.name)] = "plugin.yaml limits." + std::string(field.name);
    } else {
      tell(field.name, field.show(*wanted), field.show(*slot));
    }
  }
}

std::string_view Limits::DecidedBy(std::string_view field) const {
  const auto found = decided_by.find(std::string(field));
  return found == decided_by.end() ? std::string_view("nothing asked for") : found->second;
}

Limits EffectiveLimits(const Manifest* manifest, const Config& config) { return EffectiveLimits(manifest, config, ""); }

Limits EffectiveLimits(const Manifest* manifest, const Config& config, std::string_view action) {
  Limits limits;
  Narrowing narrow(limits, config);
  const CeilingLimits& ceiling = config.limits;
  narrow.Operator("memory", limits.memory, ceiling.memory);
  narrow.Operator("timeout", limits.timeout, ceiling.timeout);
  narrow.Operator("stack", limits.stack, ceiling.stack);
  narrow.Operator("tables", limits.tables, ceiling.tables);
  narrow.Operator("instances", limits.instances, ceiling.instances);
  narrow.Operator("handles", limits.handles, ceiling.handles);
  narrow.Operator("stdout", limits.stdout_bytes, ceiling.stdout_bytes);
  narrow.Operator("input", limits.input, ceiling.input);
  narrow.Operator("output", limits.output, ceiling.output);
  narrow.Operator("functions", limits.functions, ceiling.functions);
  if (manifest == nullptr) return limits;

  narrow.Request("memory", limits.memory, manifest->limits.memory, "limits.memory");
  narrow.Request("timeout", limits.timeout, manifest->limits.timeout, "limits.timeout");
  if (const auto found = manifest->actions.find(std::string(action)); found != manifest->actions.end()) {
    narrow.Request("timeout", limits.timeout, found->second.timeout, "actions." + found->first + ".timeout");
  }
  // An answer is never larger than what comes in from the network; variables are memory of the plugin.
  limits.decided_by["http-response"] = "default";
  narrow.Request("http-response", limits.http_response, manifest->limits.http_response, "limits.http-response");
  if (manifest->limits.vars) {
    limits.vars = limits.memory;
    limits.decided_by["vars"] = limits.decided_by["memory"];
    narrow.Request("vars", limits.vars, manifest->limits.vars, "limits.vars");
  }
  // No ceiling stands over these two: they can only take away.
  limits.cpu = manifest->limits.cpu;
  limits.fuel = manifest->limits.fuel;
  if (limits.cpu) limits.decided_by["cpu"] = "plugin.yaml limits.cpu";
  if (limits.fuel) limits.decided_by["fuel"] = "plugin.yaml limits.fuel";
  return limits;
}

}  // namespace cordon::manifest
