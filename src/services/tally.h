// Counts what grants with limits have been used for: uses, rate, bytes. It knows no authority; the guard asks it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "policy/grant_limits.h"
#include "services/kv/sqlite_file.h"

namespace cordon::services {

inline constexpr std::string_view kTallyFile = "tally.db";

// Thread-safe, and safe between processes that share its file. A use is on the disk before it is allowed.
class Tally {
 public:
  // Makes the file when there is none. E_IO, E_UNAVAILABLE.
  static Result<std::shared_ptr<Tally>> Open(const std::filesystem::path& file);
  // For grants of one run.
  static Result<std::shared_ptr<Tally>> InMemory();

  struct Use {
    std::uint64_t uses = 0, bytes = 0;
  };
  enum class Answer : std::uint8_t { kTaken, kUsesGone, kTooOften, kBytesGone };
  // Takes all of `use` from what is left of a plugin's grant, or nothing. E_BUSY, E_IO.
  Result<Answer> Take(std::string_view plugin, const policy::LimitedGrant& grant, Use use);
  // What was taken and not used.
  Status GiveBack(std::string_view plugin, const policy::LimitedGrant& grant, std::uint64_t bytes);
  // UINT64_MAX for a grant that does not limit them.
  Result<std::uint64_t> BytesLeft(std::string_view plugin, const policy::LimitedGrant& grant);
  // Grants begin anew: one, or with an empty text all of a plugin.
  Status Forget(std::string_view plugin, std::string_view grant);

 private:
  explicit Tally(std::unique_ptr<SqliteStore> store) : store_(std::move(store)) {}
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace cordon::services
