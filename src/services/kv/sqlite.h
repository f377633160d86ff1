// RAII over SQLite's C interface: a connection, a prepared statement, a transaction. Statements are bound by place, so
// no text from outside is ever part of a statement.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cordon/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cordon::services {

struct CloseSqlite {
  void operator()(sqlite3* handle) const;
};
struct FinalizeSqlite {
  void operator()(sqlite3_stmt* handle) const;
};

// One use of a statement at a time; Reset before the next. The statement's connection must outlive it.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* handle) : handle_(handle) {}

  SqliteStatement& Bind(int place, std::int64_t value);
  // Bytes are not copied: they live until Reset.
  SqliteStatement& Bind(int place, std::span<const std::uint8_t> bytes);
  SqliteStatement& BindBytes(int place, std::string_view bytes);
  SqliteStatement& BindText(int place, std::string_view text);

  // Whether there is a row.
  Result<bool> Step();
  // Step of a statement without rows, and Reset.
  Status Run();
  std::int64_t Integer(int column) const;
  std::span<const std::uint8_t> Blob(int column) const;  // until the next Step or Reset
  void Reset();

 private:
  std::unique_ptr<sqlite3_stmt, FinalizeSqlite> handle_;
};

// Resets a statement at the end of its use, whichever way that is left.
class SqliteUse {
 public:
  explicit SqliteUse(SqliteStatement& statement) : statement_(statement) {}
  SqliteUse(const SqliteUse&) = delete;
  SqliteUse& operator=(const SqliteUse&) = delete;
  ~SqliteUse() { statement_.Reset(); }
  SqliteStatement* operator->() const { return &statement_; }

 private:
  SqliteStatement& statement_;
};

// One connection; used by one thread at a time.
class SqliteConnection {
 public:
  // ":memory:" is a database of this connection alone. E_IO.
  static Result<SqliteConnection> Open(const std::string& path);
  Result<SqliteStatement> Prepare(std::string_view statement);
  // One or more statements without rows.
  Status Execute(const char* statements);
  // The first column of a statement's only row.
  Result<std::int64_t> ReadInteger(std::string_view statement);
  void SetBusyTimeout(int milliseconds);
  sqlite3* handle() const { return handle_.get(); }

 private:
  std::unique_ptr<sqlite3, CloseSqlite> handle_;
};

// Of the connection's last fault: E_BUSY when another process holds the file, E_IO else; the detail "sqlite" has its
// number. No path is in the text.
Error SqliteError(sqlite3* handle);
// Whether the fault was a sync that failed: what was written before it may be gone, and no later success tells.
bool IsFailedSyncCode(int extended_code);
bool IsFailedSync(const Error& error);

// BEGIN IMMEDIATE … COMMIT; what is not committed is rolled back.
class SqliteTransaction {
 public:
  static Result<SqliteTransaction> Begin(SqliteConnection& connection);
  SqliteTransaction(SqliteTransaction&& other) noexcept;
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();
  Status Commit();

 private:
  explicit SqliteTransaction(SqliteConnection& connection) : connection_(&connection) {}
  SqliteConnection* connection_;
};

}  // namespace cordon::services
