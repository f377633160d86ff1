#include "services/kv/cache.h"

#include <sqlite3.h>

#include <atomic>

namespace cordon::services {
namespace {

constexpr int kRegionBytes = 32 << 10;    // SQLite's unit of the index
constexpr std::size_t kEntryBytes = 128;  // what one costs beside its key and value

// Names of plugins and buckets have no NUL.
std::string PlaceOf(const KvBucket& bucket, std::string_view key) {
  std::string place;
  place.reserve(bucket.plugin.size() + bucket.name.size() + key.size() + 2);
  place.append(bucket.plugin).append(1, '\0').append(bucket.name).append(1, '\0').append(key);
  return place;
}

}  // namespace

LogWatch::LogWatch(sqlite3* handle) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK) return;
  if (file == nullptr || file->pMethods == nullptr || file->pMethods->iVersion < 2) return;
  volatile void* region = nullptr;
  if (file->pMethods->xShmMap(file, 0, kRegionBytes, 0, &region) != SQLITE_OK) return;
  header_ = static_cast<const volatile std::uint64_t*>(region);
}

// A writer puts the second copy down first and the first one last; while they differ, it is not done.
std::optional<LogMark> LogWatch::Read() const {
  if (header_ == nullptr) return std::nullopt;
  LogMark first, second;
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = header_[i];
  std::atomic_thread_fence(std::memory_order_acquire);
  for (std::size_t i = 0; i < second.size(); ++i) second[i] = header_[second.size() + i];
  std::atomic_thread_fence(std::memory_order_acquire);
  if (first != second) return std::nullopt;
  return first;
}

void KvCache::MoveTo(const LogMark& mark) {
  if (mark_ == mark) return;
  mark_ = mark;
  entries_.clear();
  bytes_ = 0;
}

std::optional<std::optional<KvEntry>> KvCache::Find(const LogMark& mark, const KvBucket& bucket, std::string_view key) {
  const std::string place = PlaceOf(bucket, key);
  const std::lock_guard lock(mutex_);
  if (mark_ != mark) return std::nullopt;
  const auto found = entries_.find(place);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

void KvCache::Add(const LogMark& mark, const KvBucket& bucket, std::string_view key,
                  const std::optional<KvEntry>& entry) {
  if (entry && entry->value.size() > kValueBytesMax) return;
  std::string place = PlaceOf(bucket, key);
  const std::size_t bytes = kEntryBytes + place.size() + (entry ? entry->value.size() : 0);
  const std::lock_guard lock(mutex_);
  MoveTo(mark);
  if (bytes_ + bytes > kBytesMax) {
    entries_.clear();
    bytes_ = 0;
  }
  if (entries_.emplace(std::move(place), entry).second) bytes_ += bytes;
}

}  // namespace cordon::services
