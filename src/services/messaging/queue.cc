#include "services/messaging/queue.h"

#include <sys/random.h>

#include <algorithm>

#include "base/digest.h"

namespace cordon::services {
namespace {

// Numbers are never used again, so that the order of two messages never turns.
constexpr SqliteFormat kFormat = {
    "messages.db", 0x636f7271, 1,
    "CREATE TABLE message (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, channel TEXT NOT NULL,"
    " sender TEXT NOT NULL, sent_ms INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL,"
    " held_by TEXT NOT NULL DEFAULT '', held_until_ms INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0)"
    " STRICT;"
    "CREATE INDEX waiting ON message (channel, dead, number);"
    "CREATE TABLE channel (name TEXT PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT"};

// A clock that was set back holds no message for longer.
constexpr std::int64_t kHoldMaxMs = 60 * 60 * 1000;
// Free: nobody holds it, or no longer.
constexpr std::string_view kIsFree = "(held_until_ms <= ?2 OR held_until_ms > ?2 + 3600000)";
static_assert(kHoldMaxMs == 3'600'000);

std::string TextOf(std::span<const std::uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

std::int64_t NowMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Says nothing about other channels, and nobody guesses it.
Result<std::string> NewId() {
  std::uint8_t random[16];
  if (::getrandom(random, sizeof random, 0) != sizeof random) {
    return Fail(Code::kIo, "the operating system gives no random numbers");
  }
  return Digest::Of(std::span<const std::uint8_t>(random)).Hex().substr(0, 32);
}

struct Use {
  std::int64_t messages = 0, bytes = 0;
};

Result<Use> UseOf(SqliteConnection& connection, std::string_view channel) {
  CORDON_ASSIGN(SqliteStatement read, connection.Prepare("SELECT messages, bytes FROM channel WHERE name=?1"));
  read.BindText(1, channel);
  CORDON_ASSIGN(const bool found, read.Step());
  return found ? Use{read.Integer(0), read.Integer(1)} : Use{};
}

Status SetUse(SqliteConnection& connection, std::string_view channel, const Use& use) {
  CORDON_ASSIGN(SqliteStatement write,
                connection.Prepare("INSERT INTO channel (name, messages, bytes) VALUES (?1, ?2, ?3) "
                                   "ON CONFLICT DO UPDATE SET messages=excluded.messages, bytes=excluded.bytes"));
  return write.BindText(1, channel).Bind(2, use.messages).Bind(3, use.bytes).Run();
}

Error Full(std::string_view channel, std::string_view what, std::uint64_t limit) {
  return Error(Code::kLimit,
               "channel " + std::string(channel) + " is full: " + std::to_string(limit) + " " + std::string(what),
               "let what receives by it run, or raise plugins.messaging." + std::string(what) + " in config.yaml")
      .With("limit", std::string(what));
}

struct Row {
  std::int64_t number = 0;
  Message message;
};

// `where` is ours; ?1 is the channel.
Result<std::vector<Row>> Oldest(SqliteConnection& connection, std::string_view where, std::string_view channel,
                                std::int64_t now_ms, std::size_t count_max) {
  CORDON_ASSIGN(
      SqliteStatement find,
      connection.Prepare("SELECT number, id, sender, sent_ms, attempt, body FROM message WHERE channel=?1 AND " +
                         std::string(where) + " ORDER BY number LIMIT ?3"));
  find.BindText(1, channel).Bind(2, now_ms).Bind(3, static_cast<std::int64_t>(count_max));
  std::vector<Row> rows;
  std::size_t bytes = 0;
  while (true) {
    CORDON_ASSIGN(const bool found, find.Step());
    if (!found) return rows;
    const std::span<const std::uint8_t> body = find.Blob(5);
    bytes += body.size();
    if (!rows.empty() && bytes > kReceiveBytesMax) return rows;
    rows.push_back({find.Integer(0),
                    {TextOf(find.Blob(1)),
                     TextOf(find.Blob(2)),
                     static_cast<std::uint64_t>(find.Integer(3)),
                     static_cast<std::uint32_t>(find.Integer(4)),
                     {body.begin(), body.end()}}});
  }
}

Status Remove(SqliteConnection& connection, std::int64_t number) {
  CORDON_ASSIGN(SqliteStatement remove, connection.Prepare("DELETE FROM message WHERE number=?1"));
  return remove.Bind(1, number).Run();
}

// What was tried as often as may be, and that nobody works on now.
Status SetAside(SqliteConnection& connection, std::string_view channel, std::int64_t now_ms, std::uint32_t attempts) {
  CORDON_ASSIGN(SqliteStatement write,
                connection.Prepare("UPDATE message SET dead=1, held_by='' WHERE channel=?1 AND dead=0 AND attempt>=?3 "
                                   "AND " +
                                   std::string(kIsFree)));
  return write.BindText(1, channel).Bind(2, now_ms).Bind(3, attempts).Run();
}

// The number of a message that `by` holds; 0: it holds none of that id.
Result<std::int64_t> HeldBy(SqliteConnection& connection, std::string_view channel, std::string_view id,
                            std::string_view by) {
  CORDON_ASSIGN(
      SqliteStatement find,
      connection.Prepare("SELECT number FROM message WHERE channel=?1 AND id=?3 AND dead=0 AND held_by=?4 AND "
                         "NOT " +
                         std::string(kIsFree)));
  find.BindText(1, channel).Bind(2, NowMs()).BindText(3, id).BindText(4, by);
  CORDON_ASSIGN(const bool found, find.Step());
  return found ? find.Integer(0) : 0;
}

}  // namespace

Result<std::shared_ptr<MessageQueue>> MessageQueue::Open(const std::filesystem::path& file, const QueueLimits& limits) {
  CORDON_ASSIGN(auto store, SqliteStore::Open(file, kFormat));
  CORDON_ASSIGN(std::string process, NewId());
  return std::shared_ptr<MessageQueue>(new MessageQueue(std::move(store), limits, std::move(process)));
}

Result<std::shared_ptr<MessageQueue>> MessageQueue::InMemory(const QueueLimits& limits) {
  CORDON_ASSIGN(auto store, SqliteStore::InMemory(kFormat));
  CORDON_ASSIGN(std::string process, NewId());
  return std::shared_ptr<MessageQueue>(new MessageQueue(std::move(store), limits, std::move(process)));
}

void MessageQueue::SetLimits(const QueueLimits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
}

QueueLimits MessageQueue::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

Result<std::string> MessageQueue::Send(std::string_view channel, std::string_view sender,
                                       std::span<const std::uint8_t> body, std::int64_t deadline_ns) {
  if (body.size() > kMessageBodyBytesMax) {
    return Fail(Error(Code::kLimit, "the message has " + std::to_string(body.size()) + " bytes, above " +
                                        std::to_string(kMessageBodyBytesMax))
                    .With("limit", "body"));
  }
  CORDON_ASSIGN(const std::string id, NewId());
  const QueueLimits most = limits();
  return store_->Write(deadline_ns, [&](SqliteConnection& connection) -> Result<std::string> {
    CORDON_ASSIGN(Use use, UseOf(connection, channel));
    use = {use.messages + 1, use.bytes + static_cast<std::int64_t>(body.size())};
    if (static_cast<std::uint64_t>(use.messages) > most.messages) {
      return Fail(Full(channel, "messages", most.messages));
    }
    if (static_cast<std::uint64_t>(use.bytes) > most.bytes) return Fail(Full(channel, "bytes", most.bytes));
    CORDON_ASSIGN(SqliteStatement add, connection.Prepare("INSERT INTO message (id, channel, sender, sent_ms, body) "
                                                          "VALUES (?1, ?2, ?3, ?4, ?5)"));
    add.BindText(1, id).BindText(2, channel).BindText(3, sender).Bind(4, NowMs()).Bind(5, body);
    CORDON_TRY(add.Run());
    CORDON_TRY(SetUse(connection, channel, use));
    return id;
  });
}

Result<std::vector<Message>> MessageQueue::Receive(std::string_view channel, const Hold& hold, std::size_t count_max,
                                                   std::int64_t deadline_ns) {
  return store_->Write(deadline_ns, [&](SqliteConnection& connection) -> Result<std::vector<Message>> {
    const std::int64_t now = NowMs();
    CORDON_TRY(SetAside(connection, channel, now, limits().attempts));
    const std::string where = "dead=0 AND " + std::string(kIsFree);
    CORDON_ASSIGN(std::vector<Row> rows,
                  Oldest(connection, where, channel, now, std::min(count_max, kReceiveMessagesMax)));
    CORDON_ASSIGN(SqliteStatement keep, connection.Prepare("UPDATE message SET attempt=attempt+1, held_by=?2, "
                                                           "held_until_ms=?3 WHERE number=?1"));
    const std::int64_t until = now + std::clamp<std::int64_t>(hold.time.count(), 1, kHoldMaxMs);
    std::vector<Message> messages;
    for (Row& row : rows) {
      CORDON_TRY(keep.Bind(1, row.number).BindText(2, hold.by).Bind(3, until).Run());
      ++row.message.attempt;
      messages.push_back(std::move(row.message));
    }
    return messages;
  });
}

Result<bool> MessageQueue::Acknowledge(std::string_view channel, std::string_view id, std::string_view by,
                                       std::int64_t deadline_ns) {
  return store_->Write(deadline_ns, [&](SqliteConnection& connection) -> Result<bool> {
    CORDON_ASSIGN(const std::int64_t number, HeldBy(connection, channel, id, by));
    if (number == 0) return false;
    CORDON_ASSIGN(SqliteStatement size, connection.Prepare("SELECT length(body) FROM message WHERE number=?1"));
    size.Bind(1, number);
    CORDON_TRY(size.Step());
    const std::int64_t bytes = size.Integer(0);
    size.Reset();
    CORDON_ASSIGN(Use use, UseOf(connection, channel));
    CORDON_TRY(Remove(connection, number));
    CORDON_TRY(SetUse(connection, channel, {use.messages - 1, use.bytes - bytes}));
    return true;
  });
}

Result<bool> MessageQueue::Release(std::string_view channel, std::string_view id, std::string_view by,
                                   std::int64_t deadline_ns) {
  return store_->Write(deadline_ns, [&](SqliteConnection& connection) -> Result<bool> {
    CORDON_ASSIGN(const std::int64_t number, HeldBy(connection, channel, id, by));
    if (number == 0) return false;
    CORDON_ASSIGN(SqliteStatement free, connection.Prepare("UPDATE message SET held_by='', held_until_ms=0 "
                                                           "WHERE number=?1"));
    CORDON_TRY(free.Bind(1, number).Run());
    return true;
  });
}

Result<std::vector<ChannelUse>> MessageQueue::Channels() {
  return store_->Read([&](SqliteConnection& connection) -> Result<std::vector<ChannelUse>> {
    const std::string free(kIsFree);
    CORDON_ASSIGN(SqliteStatement read,
                  connection.Prepare("SELECT channel, sum(dead=0 AND attempt<?3 AND " + free +
                                     "), sum(dead=0 AND NOT " + free + "), sum(dead=1 OR (attempt>=?3 AND " + free +
                                     ")), sum(length(body)) FROM message WHERE channel<>?1 GROUP BY channel "
                                     "ORDER BY channel"));
    read.BindText(1, "").Bind(2, NowMs()).Bind(3, limits().attempts);
    std::vector<ChannelUse> channels;
    while (true) {
      CORDON_ASSIGN(const bool found, read.Step());
      if (!found) return channels;
      const auto count = [&](int column) { return static_cast<std::uint64_t>(read.Integer(column)); };
      channels.push_back({TextOf(read.Blob(0)), count(1), count(2), count(3), count(4)});
    }
  });
}

Result<std::vector<Message>> MessageQueue::TakeDead(std::string_view channel, std::size_t count_max) {
  return store_->Write(0, [&](SqliteConnection& connection) -> Result<std::vector<Message>> {
    const std::int64_t now = NowMs();
    CORDON_TRY(SetAside(connection, channel, now, limits().attempts));
    CORDON_ASSIGN(std::vector<Row> rows,
                  Oldest(connection, "dead=1 AND ?2>=0", channel, now, std::min(count_max, kReceiveMessagesMax)));
    CORDON_ASSIGN(Use use, UseOf(connection, channel));
    std::vector<Message> messages;
    for (Row& row : rows) {
      CORDON_TRY(Remove(connection, row.number));
      use = {use.messages - 1, use.bytes - static_cast<std::int64_t>(row.message.body.size())};
      messages.push_back(std::move(row.message));
    }
    if (!messages.empty()) CORDON_TRY(SetUse(connection, channel, use));
    return messages;
  });
}

}  // namespace cordon::services
