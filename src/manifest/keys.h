// The keys of each mapping of plugin.yaml, config.yaml and policy.yaml: what the parsers take, and what the JSON
// Schemas must list.
// `*` in a path stands for any name, `[]` for any item.
#pragma once

#include <span>
#include <string_view>

namespace cordon::manifest {

struct Keys {
  std::string_view path;  // "actions.*"
  std::span<const std::string_view> names;
};

// Every mapping with a fixed set of keys.
std::span<const Keys> ManifestKeys();
std::span<const Keys> ConfigKeys();
std::span<const Keys> PolicyKeys();

// The names of one of them. REQUIRES: `path` is in the table.
std::span<const std::string_view> KeysAt(std::span<const Keys> table, std::string_view path);

}  // namespace cordon::manifest
