// grants.yaml ↔ GrantSets. Pure: the caller reads and writes the bytes (base/file.h; 0600 in the state folder).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/grant_source.h"

namespace cordon::policy {

// The file of the state folder.
inline constexpr std::string_view kGrantsFile = "grants.yaml";
inline constexpr std::size_t kGrantsBytesMax = 256 << 10;

// The grants of a file: one plugin at the root, or many under `grants:`. A value type.
class GrantBook final : public GrantSource {
 public:
  GrantBook() = default;
  // Errors carry file, line and column: E_SYNTAX, E_DUPLICATE_KEY, E_UNKNOWN_KEY, E_MISSING, E_TYPE, E_NAME, E_DIGEST,
  // E_INVALID, and those of Grant::Parse. Absent, null and empty `granted` all mean that nothing is granted.
  static Result<GrantBook> Parse(std::string_view text, std::string file, Level level = Level::kDefault);

  Result<std::optional<GrantSet>> Find(const Subject& subject) const override;
  // Replaces the set of the plugin, or adds it. Session grants are dropped: they never reach a disk.
  void Put(GrantSet set);
  // Removes the set of a plugin; E_NOT_FOUND.
  Status Remove(std::string_view plugin);
  const std::vector<GrantSet>& sets() const { return sets_; }

  // Canonical YAML, every value quoted; Parse gives the same book back.
  std::string ToYaml() const;

 private:
  std::vector<GrantSet> sets_;  // sorted by plugin
};

// The JSON Schema (draft 2020-12) of the file, for `cordon schema grants`.
std::string_view GrantsSchemaText();

}  // namespace cordon::policy
