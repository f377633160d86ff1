// Values in one SQLite file (docs/formats/kv.md), or in memory. Several processes may use one file.
#pragma once

#include <filesystem>
#include <memory>

#include "services/kv/backend.h"

namespace cordon::services {

// Every write is on the disk before it is acknowledged (WAL, synchronous=FULL). After a sync that failed nothing is
// written any more until the program starts anew: what the kernel dropped then cannot be known.
class SqliteBackend final : public KvBackend {
 public:
  // Makes the file, private to its owner, when it is not there. E_IO; E_UNAVAILABLE when a newer Cordon made it.
  static Result<std::shared_ptr<SqliteBackend>> Open(const std::filesystem::path& file);
  // Gone with the object.
  static Result<std::shared_ptr<SqliteBackend>> InMemory();
  ~SqliteBackend() override;

  Result<std::optional<KvEntry>> Get(const KvBucket& bucket, std::string_view key) override;
  Result<std::uint64_t> Version(const KvBucket& bucket, std::string_view key) override;
  Result<Applied> Apply(const KvBucket& bucket, std::span<const KvChange> changes,
                        const std::optional<KvExpected>& expected, std::int64_t deadline_ns) override;
  Result<KvPage> List(const KvBucket& bucket, std::string_view after, std::size_t keys_max) override;

 private:
  struct State;
  explicit SqliteBackend(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cordon::services
