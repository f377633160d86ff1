// What keeps the values of plugins: SQLite's file by default (sqlite_backend.h), or the embedding program's own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "cordon/result.h"

namespace cordon::services {

// Bounds that no grant widens.
inline constexpr std::size_t kKvKeyBytesMax = 256;
inline constexpr std::size_t kKvValueBytesMax = 1 << 20;
inline constexpr std::size_t kKvPageKeysMax = 1000;  // of one answer of list-keys

// What a bucket may hold: keys and values count, what is stored around them does not.
struct KvQuota {
  Bytes bytes = MiB(64);
  std::uint64_t keys = 100'000;
};

// One bucket of one plugin. Two plugins with buckets of one name have two buckets.
struct KvBucket {
  std::string plugin;  // "acme/linkcheck"
  std::string name;    // "cache"
  KvQuota quota;
};

struct KvEntry {
  std::vector<std::uint8_t> value;
  std::uint64_t version = 0;  // of this value; changes with every write, and never comes back
};

struct KvChange {
  std::string_view key;
  std::optional<std::span<const std::uint8_t>> value;  // nothing: the key goes
};

// Changes are made only if the key still has this version; 0: if it is not there.
struct KvExpected {
  std::string_view key;
  std::uint64_t version = 0;
};

struct KvPage {
  std::vector<std::string> keys;  // in the order of their bytes
  bool more = false;
};

// Thread-safe. Keys are any bytes, compared as bytes. Get, Version and List must not wait for a writer; Apply may wait
// until `deadline_ns` (CLOCK_MONOTONIC; 0: none). Errors: E_LIMIT with the details "limit" (bytes or keys), "used" and
// "quota"; E_BUSY; E_IO.
class KvBackend {
 public:
  virtual ~KvBackend() = default;
  virtual Result<std::optional<KvEntry>> Get(const KvBucket& bucket, std::string_view key) = 0;
  // 0: the key is not there.
  virtual Result<std::uint64_t> Version(const KvBucket& bucket, std::string_view key) = 0;
  // All changes or none, in one step that others see whole; once it answers, a crash does not undo it. A bucket that is
  // over its quota may shrink. kConflict: `expected` did not hold, and nothing changed.
  enum class Applied : std::uint8_t { kDone, kConflict };
  virtual Result<Applied> Apply(const KvBucket& bucket, std::span<const KvChange> changes,
                                const std::optional<KvExpected>& expected, std::int64_t deadline_ns) = 0;
  // At most `keys_max` keys behind `after`.
  virtual Result<KvPage> List(const KvBucket& bucket, std::string_view after, std::size_t keys_max) = 0;
};

}  // namespace cordon::services
