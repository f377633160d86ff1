// The limits of one plugin: the manifest's requests under the operator's ceiling. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "manifest/config.h"
#include "manifest/manifest.h"

namespace cordon::manifest {

struct Limits {
  Bytes memory;
  Duration timeout{0};
  std::optional<Duration> cpu;
  std::optional<std::uint64_t> fuel;
  Bytes stack;
  std::uint32_t tables = 0;
  std::uint32_t instances = 0;
  std::uint32_t handles = 0;
  Bytes stdout_bytes;
  Bytes input;
  Bytes output;
  std::uint32_t functions = 0;
  Bytes vars = MiB(1);           // of a plugin for Extism: of one instance
  Bytes http_response = MiB(8);  // and of one answer that it gets

  policy::Quota quota;  // of all calls of the plugin together; no bound unless somebody set one

  std::map<std::string, std::string>
      decided_by;                     // field name of the format → "plugin.yaml limits.memory", "default", …
  std::vector<std::string> narrowed;  // sentences: what was asked above the ceiling, and what it got

  std::string_view DecidedBy(std::string_view field) const;
};

// Puts the operator's quotas for `plugin` into `limits`, and what its manifest asks for within them.
void AddQuota(const Manifest* manifest, const Config& config, std::string_view plugin, Limits& limits);

// `manifest` may be null: a bare .wasm asks for nothing and gets the ceiling.
Limits EffectiveLimits(const Manifest* manifest, const Config& config);

// The same, narrowed by the action's own timeout.
Limits EffectiveLimits(const Manifest* manifest, const Config& config, std::string_view action);

}  // namespace cordon::manifest
