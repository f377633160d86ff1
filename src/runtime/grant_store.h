// grants.yaml in the state folder: read for every load, changed under a lock that all processes take.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "policy/grants_file.h"

namespace cordon::runtime {

// Thread-safe. A folder or file that is a symbolic link, belongs to another user or can be written by one is refused
// (E_IO): what it says is not the operator's word.
class GrantStore final : public policy::GrantSource {
 public:
  explicit GrantStore(std::filesystem::path state_folder) : folder_(std::move(state_folder)) {}
  // The same for a file that has another name.
  static GrantStore OfFile(const std::filesystem::path& file);
  // What plugins asked for that ran at level relaxed. It grants nothing.
  static GrantStore OfRelaxed(std::filesystem::path state_folder);

  // Everything that is granted; nothing where there is no file.
  Result<policy::GrantBook> Read() const;
  Result<std::optional<policy::GrantSet>> Find(const policy::Subject& subject) const override;
  Result<std::optional<policy::GrantSet>> Latest(std::string_view plugin) const override;
  // Of the file's own number, size and time of change.
  std::uint64_t Version() const override;
  Result<bool> Widens(const policy::Subject& subject) const override;
  // Reads, changes, and replaces the file atomically (0600). On an error the old file stands.
  Status Update(const std::function<Status(policy::GrantBook&)>& change) const;

  std::filesystem::path file() const { return folder_ / name_; }

 private:
  std::filesystem::path folder_;
  std::string name_{policy::kGrantsFile};
  policy::Level level_ = policy::Level::kDefault;
};

}  // namespace cordon::runtime
