#include "services/kv/sqlite_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/file.h"
#include "base/unique_fd.h"

namespace cordon::services {
namespace {

constexpr std::int64_t kBusyMillisecondsMax = 5000;
constexpr int kCheckpointPages = 1000;
constexpr const char* kSettings =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
    "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=16777216";

Status MakeTables(SqliteConnection& connection, const SqliteFormat& format) {
  CORDON_ASSIGN(SqliteTransaction transaction, SqliteTransaction::Begin(connection));
  CORDON_ASSIGN(const std::int64_t owner, connection.ReadInteger("PRAGMA application_id"));
  CORDON_ASSIGN(const std::int64_t version, connection.ReadInteger("PRAGMA user_version"));
  if (version > format.version && owner == format.application_id) {
    return Fail(Code::kUnavailable, std::string(format.name) + " was made by a newer Cordon", "use that version");
  }
  if (owner == format.application_id) return {};
  CORDON_ASSIGN(const std::int64_t tables, connection.ReadInteger("SELECT count(*) FROM sqlite_schema"));
  if (owner != 0 || tables != 0) {
    return Fail(Code::kIo, std::string(format.name) + " is a database of another program", "move it away");
  }
  CORDON_TRY(connection.Execute(format.schema));
  const std::string numbers = "PRAGMA application_id=" + std::to_string(format.application_id) +
                              "; PRAGMA user_version=" + std::to_string(format.version);
  CORDON_TRY(connection.Execute(numbers.c_str()));
  return transaction.Commit();
}

}  // namespace

// It is made under another name: a descriptor of the file itself, once closed, would take this process's locks on it
// along.
Status MakeSqliteFile(const std::filesystem::path& file) {
  const auto fault = [&] {
    return Fail(Code::kIo, "cannot make " + file.string() + ": " + ErrnoText(errno),
                "let its owner write to the state folder");
  };
  if (::access(file.c_str(), F_OK) == 0) return {};
  std::string draft = file.string() + ".XXXXXX";
  UniqueFd made(::mkostemp(draft.data(), O_CLOEXEC));
  if (!made) return fault();
  made.Reset();
  const bool linked = ::link(draft.c_str(), file.c_str()) == 0 || errno == EEXIST;
  const int error = errno;
  ::unlink(draft.c_str());
  errno = error;
  if (!linked) return fault();
  return {};
}

Result<SqliteConnection> OpenSqliteFile(const std::string& path, const SqliteFormat& format) {
  CORDON_ASSIGN(SqliteConnection connection, SqliteConnection::Open(path));
  connection.SetBusyTimeout(static_cast<int>(kBusyMillisecondsMax));
  CORDON_TRY(connection.Execute(kSettings));
  CORDON_TRY(MakeTables(connection, format));
  return connection;
}

std::chrono::milliseconds SqliteWait(std::int64_t deadline_ns) {
  if (deadline_ns == 0) return std::chrono::milliseconds(kBusyMillisecondsMax);
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  const std::int64_t left = deadline_ns - (at.tv_sec * 1'000'000'000 + at.tv_nsec);
  return std::chrono::milliseconds(std::clamp<std::int64_t>(left / 1'000'000, 0, kBusyMillisecondsMax));
}

Error FailedSyncBefore() {
  return Error(Code::kIo, "a sync of the storage failed before, so nothing is written any more",
               "look at the disk, then start the program anew");
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::filesystem::path& file, const SqliteFormat& format) {
  CORDON_TRY(MakeSqliteFile(file));
  CORDON_ASSIGN(SqliteConnection connection, OpenSqliteFile(file.string(), format));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(connection)));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::InMemory(const SqliteFormat& format) {
  CORDON_ASSIGN(SqliteConnection connection, OpenSqliteFile(":memory:", format));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(connection)));
}

// Our own, since SQLite drops the errors of an automatic checkpoint.
SqliteStore::SqliteStore(SqliteConnection connection) : connection_(std::move(connection)) {
  const auto on_log = [](void* failed, sqlite3* handle, const char* name, int pages) {
    if (pages < kCheckpointPages) return SQLITE_OK;
    const int code = sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (IsFailedSyncCode(code)) static_cast<std::atomic<bool>*>(failed)->store(true);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(connection_.handle(), on_log, &sync_failed_);
}

Status SqliteStore::CheckWriting(bool is_locked, std::int64_t deadline_ns) {
  if (!is_locked) return Fail(Code::kBusy, "the storage is busy with the writes of others", "try again");
  if (sync_failed_) return Fail(FailedSyncBefore());
  connection_.SetBusyTimeout(static_cast<int>(SqliteWait(deadline_ns).count()));
  return {};
}

}  // namespace cordon::services
