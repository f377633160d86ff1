// Values that were read lately, held for as long as nothing was written: by this process or another. SQLite's own
// read costs two system calls for its locks; the index of its log, which is shared memory, says that nothing changed
// for none.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "services/kv/backend.h"

struct sqlite3;

namespace cordon::services {

// The state of the log (https://www.sqlite.org/walformat.html, "The WAL-Index Header"): its length, its checksum and a
// count of changes. Two equal ones have nothing written between them.
using LogMark = std::array<std::uint64_t, 6>;

// Reads the mark of a connection's database. Thread-safe.
class LogWatch {
 public:
  LogWatch() = default;
  // REQUIRES: the log is in use (WAL), and `handle` outlives this. Without shared memory nothing is ever read.
  explicit LogWatch(sqlite3* handle);
  // Nothing while the mark changes.
  std::optional<LogMark> Read() const;

 private:
  const volatile std::uint64_t* header_ = nullptr;
};

// Thread-safe. Bounded: when it is full it begins anew.
class KvCache {
 public:
  static constexpr std::size_t kBytesMax = 1 << 20;
  static constexpr std::size_t kValueBytesMax = 16 << 10;

  // Of a read at `mark`: the entry, or that there is none; nothing when it is not known.
  std::optional<std::optional<KvEntry>> Find(const LogMark& mark, const KvBucket& bucket, std::string_view key);
  void Add(const LogMark& mark, const KvBucket& bucket, std::string_view key, const std::optional<KvEntry>& entry);

 private:
  void MoveTo(const LogMark& mark);

  std::mutex mutex_;
  LogMark mark_{};
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, std::optional<KvEntry>> entries_;
};

}  // namespace cordon::services
