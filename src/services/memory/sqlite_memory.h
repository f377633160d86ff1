// Memories in one SQLite file with a full-text index (docs/formats/memory.md), or in memory.
#pragma once

#include <filesystem>
#include <memory>

#include "cordon/memory.h"
#include "services/kv/sqlite_file.h"

namespace cordon::services {

// What one plugin remembers in all.
struct MemoryUse {
  std::string owner;
  std::uint64_t entries = 0, bytes = 0;
};

// What is found says nothing about other places: an entry's rank is how many words of the query it has, then its age.
class SqliteMemory final : public Memory {
 public:
  // E_IO; E_UNAVAILABLE when a newer Cordon made it.
  static Result<std::shared_ptr<Memory>> Open(const std::filesystem::path& file);
  // The same, for the operator.
  static Result<std::shared_ptr<SqliteMemory>> OpenAll(const std::filesystem::path& file);
  // Gone with the object.
  static Result<std::shared_ptr<Memory>> InMemory();

  Result<std::string> Store(const Place& place, std::string_view text, std::span<const std::string> labels) override;
  Result<std::vector<Entry>> Recall(const Place& place, std::string_view query, std::size_t entries_max) override;
  Result<bool> Forget(const Place& place, std::string_view id) override;
  Result<std::uint64_t> ForgetAll(const Place& place) override;
  // Who remembers anything, by name.
  Result<std::vector<MemoryUse>> Owners();
  // Everything that a plugin remembers, in every place: how many there were.
  Result<std::uint64_t> ForgetOwner(const std::string& owner);

 private:
  explicit SqliteMemory(std::unique_ptr<SqliteStore> store) : store_(std::move(store)) {}
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace cordon::services
