#include "services/tally.h"

#include <algorithm>
#include <chrono>

namespace cordon::services {
namespace {

using policy::GrantLimits;

// `due`: when a grant with a rate is as good as unused again, in nanoseconds since 1970.
constexpr SqliteFormat kFormat = {
    kTallyFile, 0x636f7274, 1,
    "CREATE TABLE tally (plugin TEXT NOT NULL, grant TEXT NOT NULL, uses INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " due INTEGER NOT NULL, PRIMARY KEY (plugin, grant)) STRICT, WITHOUT ROWID"};

constexpr auto kWait = std::chrono::seconds(2);

std::int64_t DeadlineNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             (std::chrono::steady_clock::now() + kWait).time_since_epoch())
      .count();
}

std::int64_t WallNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Used {
  std::uint64_t uses = 0, bytes = 0;
  std::int64_t due = 0;
};

Result<Used> Read(SqliteConnection& connection, std::string_view plugin, std::string_view grant) {
  CORDON_ASSIGN(SqliteStatement find,
                connection.Prepare("SELECT uses, bytes, due FROM tally WHERE plugin=?1 AND grant=?2"));
  CORDON_ASSIGN(const bool found, find.BindText(1, plugin).BindText(2, grant).Step());
  if (!found) return Used{};
  return Used{static_cast<std::uint64_t>(find.Integer(0)), static_cast<std::uint64_t>(find.Integer(1)),
              find.Integer(2)};
}

bool Exceeds(std::uint64_t used, std::uint64_t more, std::uint64_t most) { return used > most || more > most - used; }

// One use each `period / amount`, and `amount` of them at once after a pause.
bool TooOften(const Rate& rate, std::uint64_t uses, std::int64_t now, Used& used) {
  const auto period = rate.period.count();
  const auto step = std::max<std::int64_t>(
      period / static_cast<std::int64_t>(std::min<std::uint64_t>(rate.amount, static_cast<std::uint64_t>(period))), 1);
  // A clock that went back does not lock a grant up for longer than its period.
  used.due = std::clamp(used.due, now, now + period);
  for (std::uint64_t i = 0; i < uses; ++i) {
    if (used.due - now > period - step) return true;
    used.due += step;
  }
  return false;
}

Tally::Answer Judge(const GrantLimits& limits, Tally::Use use, Used& used) {
  if (limits.uses && Exceeds(used.uses, use.uses, *limits.uses)) return Tally::Answer::kUsesGone;
  if (limits.bytes &&
      (Exceeds(used.bytes, use.bytes, limits.bytes->count) || (use.uses > 0 && used.bytes >= limits.bytes->count))) {
    return Tally::Answer::kBytesGone;
  }
  if (limits.rate && TooOften(*limits.rate, use.uses, WallNs(), used)) return Tally::Answer::kTooOften;
  constexpr std::uint64_t kMost = INT64_MAX;
  used.uses = std::min(used.uses + std::min(use.uses, kMost - used.uses), kMost);
  used.bytes = std::min(used.bytes + std::min(use.bytes, kMost - used.bytes), kMost);
  return Tally::Answer::kTaken;
}

}  // namespace

Result<std::shared_ptr<Tally>> Tally::Open(const std::filesystem::path& file) {
  CORDON_TRY(MakeSqliteFile(file));
  CORDON_ASSIGN(auto store, SqliteStore::Open(file, kFormat));
  return std::shared_ptr<Tally>(new Tally(std::move(store)));
}

Result<std::shared_ptr<Tally>> Tally::InMemory() {
  CORDON_ASSIGN(auto store, SqliteStore::InMemory(kFormat));
  return std::shared_ptr<Tally>(new Tally(std::move(store)));
}

Result<Tally::Answer> Tally::Take(std::string_view plugin, const policy::LimitedGrant& grant, Use use) {
  return store_->Write(DeadlineNs(), [&](SqliteConnection& connection) -> Result<Answer> {
    CORDON_ASSIGN(Used used, Read(connection, plugin, grant.text));
    const Answer answer = Judge(grant.limits, use, used);
    if (answer != Answer::kTaken) return answer;
    CORDON_ASSIGN(SqliteStatement put,
                  connection.Prepare("INSERT INTO tally (plugin, grant, uses, bytes, due) VALUES (?1, ?2, ?3, ?4, ?5)"
                                     " ON CONFLICT DO UPDATE SET uses=excluded.uses, bytes=excluded.bytes,"
                                     " due=excluded.due"));
    CORDON_TRY(put.BindText(1, plugin)
                   .BindText(2, grant.text)
                   .Bind(3, static_cast<std::int64_t>(used.uses))
                   .Bind(4, static_cast<std::int64_t>(used.bytes))
                   .Bind(5, used.due)
                   .Run());
    return answer;
  });
}

Status Tally::GiveBack(std::string_view plugin, const policy::LimitedGrant& grant, std::uint64_t bytes) {
  return store_->Write(DeadlineNs(), [&](SqliteConnection& connection) -> Status {
    CORDON_ASSIGN(SqliteStatement put,
                  connection.Prepare("UPDATE tally SET bytes=max(bytes-?3, 0) WHERE plugin=?1 AND grant=?2"));
    const auto count = static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, INT64_MAX));
    return put.BindText(1, plugin).BindText(2, grant.text).Bind(3, count).Run();
  });
}

Result<std::uint64_t> Tally::BytesLeft(std::string_view plugin, const policy::LimitedGrant& grant) {
  if (!grant.limits.bytes) return UINT64_MAX;
  CORDON_ASSIGN(const Used used,
                store_->Read([&](SqliteConnection& connection) { return Read(connection, plugin, grant.text); }));
  const std::uint64_t most = grant.limits.bytes->count;
  return used.bytes >= most ? 0 : most - used.bytes;
}

Status Tally::Forget(std::string_view plugin, std::string_view grant) {
  return store_->Write(DeadlineNs(), [&](SqliteConnection& connection) -> Status {
    CORDON_ASSIGN(SqliteStatement drop,
                  connection.Prepare("DELETE FROM tally WHERE plugin=?1 AND (?2='' OR grant=?2)"));
    return drop.BindText(1, plugin).BindText(2, grant).Run();
  });
}

}  // namespace cordon::services
