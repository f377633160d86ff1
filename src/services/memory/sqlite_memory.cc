#include "services/memory/sqlite_memory.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/digest.h"

namespace cordon::services {
namespace {

// Words are indexed beside the place that they belong to. The index is filled here, not by triggers, which are off.
constexpr SqliteFormat kFormat = {
    "memory.db", 0x636f726d, 1,
    "CREATE TABLE owner (plugin TEXT PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE memory (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,"
    " place TEXT NOT NULL, text TEXT NOT NULL, labels TEXT NOT NULL, bytes INTEGER NOT NULL,"
    " stored_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX of_place ON memory (place, number);"
    "CREATE VIRTUAL TABLE words USING fts5 (place, text, labels, content='memory', content_rowid='number',"
    " tokenize='porter unicode61')"};

constexpr std::size_t kWordsMax = 16;  // of a query; the rest is not looked for
constexpr std::size_t kWordBytesMax = 64;
constexpr std::int64_t kMatchesMax = 2000;  // of one word, the newest

std::string_view TextOf(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One word of the index for each place. Lengths stand before the parts, so that no two places have one spelling.
std::string NameOf(const Memory::Place& place) {
  const std::string spelled = std::to_string(place.owner.size()) + ":" + place.owner +
                              std::to_string(static_cast<int>(place.scope)) + place.name;
  return "p" + Digest::Of(spelled).Hex();
}

// Says nothing about how many others there are.
Result<std::string> NewId() {
  std::uint8_t random[16];
  if (::getrandom(random, sizeof random, 0) != sizeof random) {
    return Fail(Code::kIo, "the operating system gives no random numbers");
  }
  return Digest::Of(std::span<const std::uint8_t>(random)).Hex().substr(0, 32);
}

std::int64_t NowMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string Joined(std::span<const std::string> labels) {
  std::string text;
  for (const std::string& label : labels) text += label + "\n";
  return text;
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> labels;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    labels.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return labels;
}

bool IsOfWords(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// The guest's text is never a query of the index: it is cut into words, and each is quoted.
std::vector<std::string> WordsOf(std::string_view query) {
  std::vector<std::string> words;
  while (!query.empty() && words.size() < kWordsMax) {
    const auto begin = std::ranges::find_if(query, IsOfWords);
    query.remove_prefix(static_cast<std::size_t>(begin - query.begin()));
    const auto end = std::ranges::find_if_not(query, IsOfWords);
    const auto size = static_cast<std::size_t>(end - query.begin());
    std::string word(query.substr(0, size));
    query.remove_prefix(size);
    if (word.empty() || word.size() > kWordBytesMax) continue;
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

struct OwnerUse {
  std::int64_t entries = 0, bytes = 0;
};

Result<OwnerUse> UseOf(SqliteConnection& connection, const std::string& owner) {
  CORDON_ASSIGN(SqliteStatement read, connection.Prepare("SELECT entries, bytes FROM owner WHERE plugin=?1"));
  read.BindText(1, owner);
  CORDON_ASSIGN(const bool found, read.Step());
  return found ? OwnerUse{read.Integer(0), read.Integer(1)} : OwnerUse{};
}

Status SetUse(SqliteConnection& connection, const std::string& owner, const OwnerUse& use) {
  CORDON_ASSIGN(SqliteStatement write,
                connection.Prepare("INSERT INTO owner (plugin, entries, bytes) VALUES (?1, ?2, ?3) "
                                   "ON CONFLICT DO UPDATE SET entries=excluded.entries, bytes=excluded.bytes"));
  return write.BindText(1, owner).Bind(2, use.entries).Bind(3, use.bytes).Run();
}

Error OverQuota(std::string_view what, std::int64_t used, std::uint64_t quota) {
  return Error(Code::kLimit, "the plugin would remember " + std::to_string(used) + " " + std::string(what) +
                                 " of the " + std::to_string(quota) + " that it may")
      .With("limit", std::string(what))
      .With("used", std::to_string(used))
      .With("quota", std::to_string(quota));
}

struct Row {
  std::int64_t number = 0, bytes = 0;
  std::string text, labels;
};

Status Remove(SqliteConnection& connection, const std::string& name, const Row& row) {
  CORDON_ASSIGN(SqliteStatement words, connection.Prepare("INSERT INTO words (words, rowid, place, text, labels) "
                                                          "VALUES ('delete', ?1, ?2, ?3, ?4)"));
  CORDON_TRY(words.Bind(1, row.number).BindText(2, name).BindText(3, row.text).BindText(4, row.labels).Run());
  CORDON_ASSIGN(SqliteStatement entry, connection.Prepare("DELETE FROM memory WHERE number=?1"));
  return entry.Bind(1, row.number).Run();
}

// What a condition of ours finds, with ?1 and ?2.
Result<std::uint64_t> RemoveSome(SqliteConnection& connection, const std::string& owner, std::string_view where,
                                 std::string_view first, std::string_view second) {
  CORDON_ASSIGN(
      SqliteStatement find,
      connection.Prepare("SELECT number, bytes, text, labels, place FROM memory WHERE " + std::string(where)));
  find.BindText(1, first).BindText(2, second);
  CORDON_ASSIGN(OwnerUse use, UseOf(connection, owner));
  std::uint64_t count = 0;
  while (true) {
    CORDON_ASSIGN(const bool found, find.Step());
    if (!found) break;
    const Row row = {find.Integer(0), find.Integer(1), std::string(TextOf(find.Blob(2))),
                     std::string(TextOf(find.Blob(3)))};
    CORDON_TRY(Remove(connection, std::string(TextOf(find.Blob(4))), row));
    use = {use.entries - 1, use.bytes - row.bytes};
    ++count;
  }
  if (count > 0) CORDON_TRY(SetUse(connection, owner, use));
  return count;
}

// The numbers of the best, the best first.
Result<std::vector<std::int64_t>> Find(SqliteConnection& connection, const std::string& name,
                                       const std::vector<std::string>& words, std::size_t count_max) {
  std::map<std::int64_t, std::int64_t> hits;
  CORDON_ASSIGN(SqliteStatement find, connection.Prepare("SELECT memory.number FROM words JOIN memory "
                                                         "ON memory.number=words.rowid WHERE words MATCH ?1 AND "
                                                         "memory.place=?2 ORDER BY words.rowid DESC LIMIT ?3"));
  for (const std::string& word : words) {
    const std::string match = "place:\"" + name + "\" AND {text labels}:\"" + word + "\"";
    const SqliteUse use(find);
    use->BindText(1, match).BindText(2, name).Bind(3, kMatchesMax);
    while (true) {
      CORDON_ASSIGN(const bool found, use->Step());
      if (!found) break;
      ++hits[use->Integer(0)];
    }
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> order;
  for (const auto& [number, hit] : hits) order.emplace_back(hit, number);
  std::ranges::sort(order, std::greater<>());
  std::vector<std::int64_t> best;
  for (std::size_t i = 0; i < std::min(order.size(), count_max); ++i) best.push_back(order[i].second);
  return best;
}

Result<std::vector<std::int64_t>> Newest(SqliteConnection& connection, const std::string& name, std::size_t count_max) {
  CORDON_ASSIGN(SqliteStatement find,
                connection.Prepare("SELECT number FROM memory WHERE place=?1 ORDER BY number DESC LIMIT ?2"));
  find.BindText(1, name).Bind(2, static_cast<std::int64_t>(count_max));
  std::vector<std::int64_t> numbers;
  while (true) {
    CORDON_ASSIGN(const bool found, find.Step());
    if (!found) return numbers;
    numbers.push_back(find.Integer(0));
  }
}

}  // namespace

Result<std::shared_ptr<SqliteMemory>> SqliteMemory::OpenAll(const std::filesystem::path& file) {
  CORDON_ASSIGN(auto store, SqliteStore::Open(file, kFormat));
  return std::shared_ptr<SqliteMemory>(new SqliteMemory(std::move(store)));
}

Result<std::shared_ptr<Memory>> SqliteMemory::Open(const std::filesystem::path& file) { return OpenAll(file); }

Result<std::shared_ptr<Memory>> SqliteMemory::InMemory() {
  CORDON_ASSIGN(auto store, SqliteStore::InMemory(kFormat));
  return std::shared_ptr<Memory>(new SqliteMemory(std::move(store)));
}

Result<std::string> SqliteMemory::Store(const Place& place, std::string_view text,
                                        std::span<const std::string> labels) {
  CORDON_ASSIGN(const std::string id, NewId());
  const std::string name = NameOf(place), joined = Joined(labels);
  const auto bytes = static_cast<std::int64_t>(text.size() + joined.size());
  return store_->Write(place.deadline_ns, [&](SqliteConnection& connection) -> Result<std::string> {
    CORDON_ASSIGN(OwnerUse use, UseOf(connection, place.owner));
    use = {use.entries + 1, use.bytes + bytes};
    if (static_cast<std::uint64_t>(use.entries) > place.entries_max) {
      return Fail(OverQuota("entries", use.entries, place.entries_max));
    }
    if (static_cast<std::uint64_t>(use.bytes) > place.bytes_max) {
      return Fail(OverQuota("bytes", use.bytes, place.bytes_max));
    }
    CORDON_ASSIGN(SqliteStatement add,
                  connection.Prepare("INSERT INTO memory (id, owner, place, text, labels, bytes, stored_ms) "
                                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING number"));
    add.BindText(1, id).BindText(2, place.owner).BindText(3, name).BindText(4, text).BindText(5, joined);
    add.Bind(6, bytes).Bind(7, NowMs());
    CORDON_TRY(add.Step());
    const std::int64_t number = add.Integer(0);
    CORDON_TRY(add.Step());
    CORDON_ASSIGN(SqliteStatement words,
                  connection.Prepare("INSERT INTO words (rowid, place, text, labels) VALUES (?1, ?2, ?3, ?4)"));
    CORDON_TRY(words.Bind(1, number).BindText(2, name).BindText(3, text).BindText(4, joined).Run());
    CORDON_TRY(SetUse(connection, place.owner, use));
    return id;
  });
}

Result<std::vector<Memory::Entry>> SqliteMemory::Recall(const Place& place, std::string_view query,
                                                        std::size_t entries_max) {
  const std::string name = NameOf(place);
  const std::vector<std::string> words = WordsOf(query);
  const bool is_empty = query.find_first_not_of(" \t\r\n") == std::string_view::npos;
  return store_->Read([&](SqliteConnection& connection) -> Result<std::vector<Entry>> {
    CORDON_ASSIGN(const std::vector<std::int64_t> numbers,
                  is_empty ? Newest(connection, name, entries_max) : Find(connection, name, words, entries_max));
    CORDON_ASSIGN(SqliteStatement read, connection.Prepare("SELECT id, text, labels, stored_ms FROM memory "
                                                           "WHERE number=?1 AND place=?2"));
    std::vector<Entry> entries;
    for (const std::int64_t number : numbers) {
      const SqliteUse use(read);
      use->Bind(1, number).BindText(2, name);
      CORDON_ASSIGN(const bool found, use->Step());
      if (!found) continue;
      entries.push_back({std::string(TextOf(use->Blob(0))), std::string(TextOf(use->Blob(1))),
                         Split(TextOf(use->Blob(2))), static_cast<std::uint64_t>(use->Integer(3))});
    }
    return entries;
  });
}

Result<bool> SqliteMemory::Forget(const Place& place, std::string_view id) {
  return store_->Write(place.deadline_ns, [&](SqliteConnection& connection) -> Result<bool> {
    CORDON_ASSIGN(const std::uint64_t count,
                  RemoveSome(connection, place.owner, "place=?1 AND id=?2", NameOf(place), id));
    return count > 0;
  });
}

Result<std::uint64_t> SqliteMemory::ForgetAll(const Place& place) {
  return store_->Write(place.deadline_ns, [&](SqliteConnection& connection) {
    return RemoveSome(connection, place.owner, "place=?1 AND ?2=''", NameOf(place), "");
  });
}

Result<std::uint64_t> SqliteMemory::ForgetOwner(const std::string& owner) {
  return store_->Write(
      0, [&](SqliteConnection& connection) { return RemoveSome(connection, owner, "owner=?1 AND ?2=''", owner, ""); });
}

Result<std::vector<MemoryUse>> SqliteMemory::Owners() {
  return store_->Read([&](SqliteConnection& connection) -> Result<std::vector<MemoryUse>> {
    CORDON_ASSIGN(SqliteStatement read, connection.Prepare("SELECT plugin, entries, bytes FROM owner WHERE entries>0 "
                                                           "ORDER BY plugin"));
    std::vector<MemoryUse> owners;
    while (true) {
      CORDON_ASSIGN(const bool found, read.Step());
      if (!found) return owners;
      owners.push_back({std::string(TextOf(read.Blob(0))), static_cast<std::uint64_t>(read.Integer(1)),
                        static_cast<std::uint64_t>(read.Integer(2))});
    }
  });
}

}  // namespace cordon::services
