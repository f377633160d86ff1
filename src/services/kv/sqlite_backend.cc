#include "services/kv/sqlite_backend.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "services/kv/cache.h"
#include "services/kv/sqlite_file.h"

namespace cordon::services {
namespace {

constexpr int kReadBusyMilliseconds = 50;  // only while another process recovers the log
constexpr std::size_t kIdleReadersMax = 16;
constexpr int kCheckpointPages = 1000;

// Numbers of buckets are never used again, so that one that a connection remembers cannot become another's.
constexpr SqliteFormat kFormat = {
    "kv.db", 0x636f726b, 1,
    "CREATE TABLE bucket (id INTEGER PRIMARY KEY AUTOINCREMENT, plugin TEXT NOT NULL, name TEXT NOT NULL,"
    " keys INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (plugin, name)) STRICT;"
    "CREATE TABLE entry (bucket INTEGER NOT NULL REFERENCES bucket (id), key BLOB NOT NULL,"
    " value BLOB NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (bucket, key)) STRICT"};

using Numbers = std::map<std::string, std::int64_t, std::less<>>;  // of a plugin's buckets by name

// What reads; a writer has it too.
struct Reader {
  SqliteConnection connection;
  SqliteStatement find_bucket, get, version, list;
  std::map<std::string, Numbers, std::less<>> buckets;  // those that exist, by plugin

  Status Prepare() {
    CORDON_ASSIGN(find_bucket, connection.Prepare("SELECT id FROM bucket WHERE plugin=?1 AND name=?2"));
    CORDON_ASSIGN(get, connection.Prepare("SELECT value, version FROM entry WHERE bucket=?1 AND key=?2"));
    CORDON_ASSIGN(version, connection.Prepare("SELECT version FROM entry WHERE bucket=?1 AND key=?2"));
    CORDON_ASSIGN(list, connection.Prepare("SELECT key FROM entry WHERE bucket=?1 AND key>?2 ORDER BY key LIMIT ?3"));
    return {};
  }

  // 0: there is none yet.
  Result<std::int64_t> Bucket(const KvBucket& bucket) {
    if (const auto plugin = buckets.find(bucket.plugin); plugin != buckets.end()) {
      if (const auto known = plugin->second.find(bucket.name); known != plugin->second.end()) return known->second;
    }
    const SqliteUse use(find_bucket);
    use->BindText(1, bucket.plugin).BindText(2, bucket.name);
    CORDON_ASSIGN(const bool found, use->Step());
    if (!found) return 0;
    const std::int64_t id = use->Integer(0);
    buckets[bucket.plugin][bucket.name] = id;
    return id;
  }
};

struct Writer : Reader {
  SqliteStatement add_bucket, usage, size, put, remove, settle;

  Status Prepare() {
    CORDON_TRY(Reader::Prepare());
    CORDON_ASSIGN(add_bucket, connection.Prepare("INSERT INTO bucket (plugin, name) VALUES (?1, ?2)"));
    CORDON_ASSIGN(usage, connection.Prepare("SELECT keys, bytes, version FROM bucket WHERE id=?1"));
    CORDON_ASSIGN(size, connection.Prepare("SELECT length(value) FROM entry WHERE bucket=?1 AND key=?2"));
    CORDON_ASSIGN(put, connection.Prepare("INSERT INTO entry (bucket, key, value, version) VALUES (?1, ?2, ?3, ?4) "
                                          "ON CONFLICT DO UPDATE SET value=excluded.value, version=excluded.version"));
    CORDON_ASSIGN(remove, connection.Prepare("DELETE FROM entry WHERE bucket=?1 AND key=?2"));
    CORDON_ASSIGN(settle, connection.Prepare("UPDATE bucket SET keys=?2, bytes=?3, version=?4 WHERE id=?1"));
    return {};
  }
};

struct BucketUse {
  std::int64_t keys = 0, bytes = 0, version = 0;
};

Error OverQuota(std::string_view what, std::int64_t used, std::uint64_t quota, const KvBucket& bucket) {
  return Error(Code::kLimit,
               "bucket " + bucket.name + " would hold " + std::to_string(used) + " " + std::string(what) + " of the " +
                   std::to_string(quota) + " that it may",
               "delete what is not needed, or raise the bucket's quota")
      .With("limit", std::string(what))
      .With("used", std::to_string(used))
      .With("quota", std::to_string(quota));
}

// Growth beyond the quota is refused; a bucket whose quota was lowered may shrink.
Status CheckQuota(const KvBucket& bucket, const BucketUse& before, const BucketUse& after) {
  const auto quota_bytes = static_cast<std::int64_t>(std::min<std::uint64_t>(bucket.quota.bytes.count, INT64_MAX));
  const auto quota_keys = static_cast<std::int64_t>(std::min<std::uint64_t>(bucket.quota.keys, INT64_MAX));
  if (after.bytes > quota_bytes && after.bytes > before.bytes) {
    return Fail(OverQuota("bytes", after.bytes, bucket.quota.bytes.count, bucket));
  }
  if (after.keys > quota_keys && after.keys > before.keys) {
    return Fail(OverQuota("keys", after.keys, bucket.quota.keys, bucket));
  }
  return {};
}

}  // namespace

struct SqliteBackend::State {
  std::string path;
  bool in_memory = false;
  std::atomic<bool> sync_failed{false};

  std::timed_mutex writing;  // guards writer
  Writer writer;

  std::mutex reading;  // guards idle
  std::vector<std::unique_ptr<Reader>> idle;

  LogWatch log;  // of the writer's connection
  KvCache cache;

  // Our own, since SQLite drops the errors of an automatic checkpoint.
  static int OnLog(void* self, sqlite3* handle, const char* name, int pages) {
    if (pages < kCheckpointPages) return SQLITE_OK;
    const int code = sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (IsFailedSyncCode(code)) static_cast<State*>(self)->sync_failed.store(true);
    return SQLITE_OK;
  }

  Status Begin();
  Result<std::optional<KvEntry>> ReadEntry(const KvBucket& bucket, std::string_view key);
  Result<std::unique_ptr<Reader>> Borrow();
  void Return(std::unique_ptr<Reader> reader);
  Result<std::int64_t> BucketForWriting(const KvBucket& bucket);
  Status Change(std::int64_t id, const KvChange& change, BucketUse& use);
  Result<Applied> ApplyLocked(const KvBucket& bucket, std::span<const KvChange> changes,
                              const std::optional<KvExpected>& expected);

  // Runs `body` with a connection that no other thread has.
  template <typename Body>
  auto Read(Body&& body) -> decltype(body(std::declval<Reader&>())) {
    if (in_memory) {
      const std::lock_guard lock(writing);
      return body(writer);
    }
    CORDON_ASSIGN(std::unique_ptr<Reader> reader, Borrow());
    auto result = body(*reader);
    if (result) Return(std::move(reader));
    return result;
  }
};

Status SqliteBackend::State::Begin() {
  CORDON_ASSIGN(writer.connection, OpenSqliteFile(path, kFormat));
  sqlite3_wal_hook(writer.connection.handle(), &State::OnLog, this);
  CORDON_TRY(writer.Prepare());
  if (!in_memory) log = LogWatch(writer.connection.handle());
  return {};
}

Result<std::unique_ptr<Reader>> SqliteBackend::State::Borrow() {
  {
    const std::lock_guard lock(reading);
    if (!idle.empty()) {
      std::unique_ptr<Reader> reader = std::move(idle.back());
      idle.pop_back();
      return reader;
    }
  }
  auto reader = std::make_unique<Reader>();
  CORDON_ASSIGN(reader->connection, SqliteConnection::Open(path));
  reader->connection.SetBusyTimeout(kReadBusyMilliseconds);
  CORDON_TRY(reader->connection.Execute("PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA query_only=ON"));
  CORDON_TRY(reader->Prepare());
  return reader;
}

void SqliteBackend::State::Return(std::unique_ptr<Reader> reader) {
  const std::lock_guard lock(reading);
  if (idle.size() < kIdleReadersMax) idle.push_back(std::move(reader));
}

SqliteBackend::SqliteBackend(std::unique_ptr<State> state) : state_(std::move(state)) {}

SqliteBackend::~SqliteBackend() = default;

Result<std::shared_ptr<SqliteBackend>> SqliteBackend::Open(const std::filesystem::path& file) {
  CORDON_TRY(MakeSqliteFile(file));
  auto state = std::make_unique<State>();
  state->path = file.string();
  CORDON_TRY(state->Begin());
  return std::shared_ptr<SqliteBackend>(new SqliteBackend(std::move(state)));
}

Result<std::shared_ptr<SqliteBackend>> SqliteBackend::InMemory() {
  auto state = std::make_unique<State>();
  state->path = ":memory:";
  state->in_memory = true;
  CORDON_TRY(state->Begin());
  return std::shared_ptr<SqliteBackend>(new SqliteBackend(std::move(state)));
}

Result<std::optional<KvEntry>> SqliteBackend::State::ReadEntry(const KvBucket& bucket, std::string_view key) {
  return Read([&](Reader& reader) -> Result<std::optional<KvEntry>> {
    CORDON_ASSIGN(const std::int64_t id, reader.Bucket(bucket));
    if (id == 0) return std::nullopt;
    const SqliteUse use(reader.get);
    use->Bind(1, id).BindBytes(2, key);
    CORDON_ASSIGN(const bool found, use->Step());
    if (!found) return std::nullopt;
    const std::span<const std::uint8_t> value = use->Blob(0);
    return KvEntry{{value.begin(), value.end()}, static_cast<std::uint64_t>(use->Integer(1))};
  });
}

Result<std::optional<KvEntry>> SqliteBackend::Get(const KvBucket& bucket, std::string_view key) {
  const std::optional<LogMark> before = state_->log.Read();
  if (before) {
    if (auto known = state_->cache.Find(*before, bucket, key)) return std::move(*known);
  }
  CORDON_ASSIGN(std::optional<KvEntry> entry, state_->ReadEntry(bucket, key));
  // Nothing was written while it was read, so that the mark is the one that the value belongs to.
  if (before && state_->log.Read() == before) state_->cache.Add(*before, bucket, key, entry);
  return entry;
}

Result<std::uint64_t> SqliteBackend::Version(const KvBucket& bucket, std::string_view key) {
  return state_->Read([&](Reader& reader) -> Result<std::uint64_t> {
    CORDON_ASSIGN(const std::int64_t id, reader.Bucket(bucket));
    if (id == 0) return 0;
    const SqliteUse use(reader.version);
    use->Bind(1, id).BindBytes(2, key);
    CORDON_ASSIGN(const bool found, use->Step());
    return found ? static_cast<std::uint64_t>(use->Integer(0)) : 0;
  });
}

Result<KvPage> SqliteBackend::List(const KvBucket& bucket, std::string_view after, std::size_t keys_max) {
  return state_->Read([&](Reader& reader) -> Result<KvPage> {
    KvPage page;
    CORDON_ASSIGN(const std::int64_t id, reader.Bucket(bucket));
    if (id == 0) return page;
    const SqliteUse use(reader.list);
    use->Bind(1, id).BindBytes(2, after).Bind(3, static_cast<std::int64_t>(keys_max) + 1);
    while (true) {
      CORDON_ASSIGN(const bool found, use->Step());
      if (!found) return page;
      page.more = page.keys.size() == keys_max;
      if (page.more) return page;
      const std::span<const std::uint8_t> key = use->Blob(0);
      page.keys.emplace_back(reinterpret_cast<const char*>(key.data()), key.size());
    }
  });
}

Result<std::int64_t> SqliteBackend::State::BucketForWriting(const KvBucket& bucket) {
  CORDON_ASSIGN(const std::int64_t known, writer.Bucket(bucket));
  if (known != 0) return known;
  writer.add_bucket.BindText(1, bucket.plugin).BindText(2, bucket.name);
  CORDON_TRY(writer.add_bucket.Run());
  // Not remembered before the transaction is committed.
  return sqlite3_last_insert_rowid(writer.connection.handle());
}

Status SqliteBackend::State::Change(std::int64_t id, const KvChange& change, BucketUse& use) {
  const auto key_bytes = static_cast<std::int64_t>(change.key.size());
  bool exists = false;
  {
    const SqliteUse query(writer.size);
    query->Bind(1, id).BindBytes(2, change.key);
    CORDON_ASSIGN(exists, query->Step());
    if (exists) use.bytes -= key_bytes + query->Integer(0);
  }
  if (exists) --use.keys;
  if (!change.value) {
    if (!exists) return {};
    writer.remove.Bind(1, id).BindBytes(2, change.key);
    return writer.remove.Run();
  }
  ++use.keys;
  use.bytes += key_bytes + static_cast<std::int64_t>(change.value->size());
  writer.put.Bind(1, id).BindBytes(2, change.key).Bind(3, *change.value).Bind(4, ++use.version);
  return writer.put.Run();
}

Result<KvBackend::Applied> SqliteBackend::State::ApplyLocked(const KvBucket& bucket, std::span<const KvChange> changes,
                                                             const std::optional<KvExpected>& expected) {
  CORDON_ASSIGN(SqliteTransaction transaction, SqliteTransaction::Begin(writer.connection));
  CORDON_ASSIGN(const std::int64_t id, BucketForWriting(bucket));
  if (expected) {
    const SqliteUse query(writer.version);
    query->Bind(1, id).BindBytes(2, expected->key);
    CORDON_ASSIGN(const bool found, query->Step());
    if ((found ? static_cast<std::uint64_t>(query->Integer(0)) : 0) != expected->version) return Applied::kConflict;
  }
  BucketUse before;
  {
    const SqliteUse query(writer.usage);
    query->Bind(1, id);
    CORDON_ASSIGN(const bool found, query->Step());
    if (!found) return Fail(Code::kIo, "the file of the storage is damaged: a bucket is not there");
    before = {query->Integer(0), query->Integer(1), query->Integer(2)};
  }
  BucketUse after = before;
  for (const KvChange& change : changes) CORDON_TRY(Change(id, change, after));
  CORDON_TRY(CheckQuota(bucket, before, after));
  writer.settle.Bind(1, id).Bind(2, after.keys).Bind(3, after.bytes).Bind(4, after.version);
  CORDON_TRY(writer.settle.Run());
  CORDON_TRY(transaction.Commit());
  return Applied::kDone;
}

Result<KvBackend::Applied> SqliteBackend::Apply(const KvBucket& bucket, std::span<const KvChange> changes,
                                                const std::optional<KvExpected>& expected, std::int64_t deadline_ns) {
  std::unique_lock lock(state_->writing, SqliteWait(deadline_ns));
  if (!lock) return Fail(Code::kBusy, "the storage is busy with the writes of others", "try again");
  if (state_->sync_failed.load()) return Fail(FailedSyncBefore());
  state_->writer.connection.SetBusyTimeout(static_cast<int>(SqliteWait(deadline_ns).count()));
  auto applied = state_->ApplyLocked(bucket, changes, expected);
  if (!applied && IsFailedSync(applied.error())) state_->sync_failed.store(true);
  return applied;
}

}  // namespace cordon::services
