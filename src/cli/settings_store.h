// settings.json in the state folder: what `cordon config` set for plugins beside config.yaml. Secret settings are not
// here. Thread-safe, and safe between processes.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "formats/json.h"

namespace cordon::cli {

class SettingsStore {
 public:
  explicit SettingsStore(std::filesystem::path state_folder) : folder_(std::move(state_folder)) {}

  // The object of one plugin; empty where nothing was set. E_SYNTAX and others of a file that somebody damaged.
  Result<Json> Of(const std::string& plugin) const;
  // Changes one plugin's object and replaces the file (0600). On an error the old file stands.
  Status Update(const std::string& plugin, const std::function<Status(Json& settings)>& change) const;

 private:
  Result<Json> Read() const;
  std::filesystem::path folder_;
};

}  // namespace cordon::cli
