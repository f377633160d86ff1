#include "services/kv/sqlite.h"

#include <sqlite3.h>

#include <utility>

namespace cordon::services {

void CloseSqlite::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
void FinalizeSqlite::operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }

namespace {

Error ErrorOf(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Error(Code::kBusy, "the storage is in use by another process", "try again");
    case SQLITE_FULL: return Error(Code::kIo, "the storage is full: no room is left on its disk", "make room there");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(Code::kIo, "the file of the storage is damaged", "put back a copy of kv.db, or move it away");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return Error(Code::kIo, "the file of the storage cannot be written",
                   "let its owner write to the state folder and to kv.db");
    case SQLITE_NOMEM: return Error(Code::kMemory, "no memory is left for the storage");
    default: break;
  }
  return Error(Code::kIo, "the storage failed: " + std::string(sqlite3_errstr(code)));
}

}  // namespace

Error SqliteError(sqlite3* handle) {
  const int code = sqlite3_extended_errcode(handle);
  return ErrorOf(code).With("sqlite", std::to_string(code));
}

bool IsFailedSyncCode(int extended_code) {
  return extended_code == SQLITE_IOERR_FSYNC || extended_code == SQLITE_IOERR_DIR_FSYNC;
}

bool IsFailedSync(const Error& error) {
  const std::string_view code = error.Detail("sqlite");
  return code == std::to_string(SQLITE_IOERR_FSYNC) || code == std::to_string(SQLITE_IOERR_DIR_FSYNC);
}

SqliteStatement& SqliteStatement::Bind(int place, std::int64_t value) {
  sqlite3_bind_int64(handle_.get(), place, value);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int place, std::span<const std::uint8_t> bytes) {
  // A null pointer would bind NULL in place of an empty value.
  const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  sqlite3_bind_blob64(handle_.get(), place, data, bytes.size(), SQLITE_STATIC);
  return *this;
}

SqliteStatement& SqliteStatement::BindBytes(int place, std::string_view bytes) {
  return Bind(place, std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

SqliteStatement& SqliteStatement::BindText(int place, std::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  sqlite3_bind_text64(handle_.get(), place, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Result<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Fail(SqliteError(sqlite3_db_handle(handle_.get())));
}

Status SqliteStatement::Run() {
  const SqliteUse use(*this);
  CORDON_TRY(Step());
  return {};
}

std::int64_t SqliteStatement::Integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }

std::span<const std::uint8_t> SqliteStatement::Blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(handle_.get(), column));
  return {data, data == nullptr ? 0 : static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

void SqliteStatement::Reset() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
}

Result<SqliteConnection> SqliteConnection::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
  const int code = sqlite3_open_v2(path.c_str(), &handle, kFlags, nullptr);
  SqliteConnection connection;
  connection.handle_.reset(handle);
  if (code != SQLITE_OK) {
    if (handle == nullptr) return Fail(Code::kMemory, "no memory is left for the storage");
    return Fail(SqliteError(handle));
  }
  // The file is ours, and may have been damaged on purpose: it gets no say in what is run.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  return connection;
}

Result<SqliteStatement> SqliteConnection::Prepare(std::string_view statement) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), statement.data(), static_cast<int>(statement.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return Fail(SqliteError(handle_.get()));
  return SqliteStatement(prepared);
}

Status SqliteConnection::Execute(const char* statements) {
  if (sqlite3_exec(handle_.get(), statements, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return Fail(SqliteError(handle_.get()));
}

Result<std::int64_t> SqliteConnection::ReadInteger(std::string_view statement) {
  CORDON_ASSIGN(SqliteStatement prepared, Prepare(statement));
  CORDON_ASSIGN(const bool found, prepared.Step());
  return found ? prepared.Integer(0) : 0;
}

void SqliteConnection::SetBusyTimeout(int milliseconds) { sqlite3_busy_timeout(handle_.get(), milliseconds); }

Result<SqliteTransaction> SqliteTransaction::Begin(SqliteConnection& connection) {
  CORDON_TRY(connection.Execute("BEGIN IMMEDIATE"));
  return SqliteTransaction(connection);
}

SqliteTransaction::SqliteTransaction(SqliteTransaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

SqliteTransaction::~SqliteTransaction() {
  if (connection_ != nullptr && sqlite3_get_autocommit(connection_->handle()) == 0) {
    (void)connection_->Execute("ROLLBACK");
  }
}

Status SqliteTransaction::Commit() {
  CORDON_TRY(connection_->Execute("COMMIT"));
  connection_ = nullptr;
  return {};
}

}  // namespace cordon::services
