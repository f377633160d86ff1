// Files of SQLite's that are ours: made private to their owner, known by their number, opened with one set of settings.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>

#include "services/kv/sqlite.h"

namespace cordon::services {

struct SqliteFormat {
  std::string_view name;        // "kv.db", for messages
  std::int64_t application_id;  // of the file's header
  std::int64_t version;         // of the tables: `user_version`
  const char* schema;           // makes the tables; both numbers are set behind it
};

// An empty file, private to its owner, when there is none; SQLite gives its other files the same mode. E_IO.
Status MakeSqliteFile(const std::filesystem::path& file);
// Opens what MakeSqliteFile made, or ":memory:", and makes the tables. Every write is on the disk before it is
// acknowledged (WAL, synchronous=FULL). E_IO; E_UNAVAILABLE when a newer Cordon made it.
Result<SqliteConnection> OpenSqliteFile(const std::string& path, const SqliteFormat& format);

// How long a write may wait, of a deadline on CLOCK_MONOTONIC (0: none).
std::chrono::milliseconds SqliteWait(std::int64_t deadline_ns);
Error FailedSyncBefore();

// One connection for all threads. After a sync that failed nothing is written any more.
class SqliteStore {
 public:
  static Result<std::unique_ptr<SqliteStore>> Open(const std::filesystem::path& file, const SqliteFormat& format);
  static Result<std::unique_ptr<SqliteStore>> InMemory(const SqliteFormat& format);

  // Runs `body` in a transaction, which is committed when it succeeds: then no crash undoes it. E_BUSY when others
  // write until the deadline.
  template <typename Body>
  auto Write(std::int64_t deadline_ns, Body&& body) -> decltype(body(std::declval<SqliteConnection&>())) {
    const std::unique_lock lock(mutex_, SqliteWait(deadline_ns));
    CORDON_TRY(CheckWriting(lock.owns_lock(), deadline_ns));
    CORDON_ASSIGN(SqliteTransaction transaction, SqliteTransaction::Begin(connection_));
    auto result = body(connection_);
    if (!result) return result;
    if (Status done = transaction.Commit(); !done) {
      if (IsFailedSync(done.error())) sync_failed_ = true;
      return Fail(std::move(done).error());
    }
    return result;
  }
  template <typename Body>
  auto Read(Body&& body) -> decltype(body(std::declval<SqliteConnection&>())) {
    const std::lock_guard lock(mutex_);
    return body(connection_);
  }

 private:
  explicit SqliteStore(SqliteConnection connection);
  Status CheckWriting(bool is_locked, std::int64_t deadline_ns);
  std::timed_mutex mutex_;
  SqliteConnection connection_;
  std::atomic<bool> sync_failed_{false};
};

}  // namespace cordon::services
