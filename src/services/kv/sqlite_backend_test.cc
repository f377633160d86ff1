#include "services/kv/sqlite_backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace cordon::services {
namespace {

namespace fs = std::filesystem;
using Applied = KvBackend::Applied;

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class SqliteBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cordon-kv-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path file() const { return folder_ / "kv.db"; }
  std::shared_ptr<SqliteBackend> Open() const {
    auto backend = SqliteBackend::Open(file());
    EXPECT_TRUE(backend) << backend.error().message;
    return *backend;
  }

  fs::path folder_;
};

Status Set(KvBackend& backend, const KvBucket& bucket, std::string_view key, std::string_view value) {
  const KvChange change{key, Bytes(value)};
  auto applied = backend.Apply(bucket, {&change, 1}, std::nullopt, 0);
  if (!applied) return Fail(applied.error());
  return {};
}

std::optional<std::string> Get(KvBackend& backend, const KvBucket& bucket, std::string_view key) {
  auto entry = backend.Get(bucket, key);
  EXPECT_TRUE(entry) << entry.error().message;
  if (!entry || !*entry) return std::nullopt;
  return std::string((*entry)->value.begin(), (*entry)->value.end());
}

const KvBucket kCache{"acme/a", "cache", {}};

TEST_F(SqliteBackendTest, WhatWasSetIsThereAfterOpeningAgain) {
  {
    auto backend = Open();
    ASSERT_TRUE(Set(*backend, kCache, "k", "one"));
    ASSERT_TRUE(Set(*backend, kCache, "k", "two"));
    ASSERT_TRUE(Set(*backend, kCache, "empty", ""));
    const KvChange gone{"absent", std::nullopt};
    ASSERT_TRUE(backend->Apply(kCache, {&gone, 1}, std::nullopt, 0));
  }
  auto backend = Open();
  EXPECT_EQ(Get(*backend, kCache, "k"), "two");
  EXPECT_EQ(Get(*backend, kCache, "empty"), "");
  EXPECT_EQ(Get(*backend, kCache, "absent"), std::nullopt);
  EXPECT_EQ(Get(*backend, {"acme/a", "other", {}}, "k"), std::nullopt);
}

TEST_F(SqliteBackendTest, TheFileIsItsOwnersAlone) {
  auto backend = Open();
  ASSERT_TRUE(Set(*backend, kCache, "k", "v"));
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    struct stat about{};
    ASSERT_EQ(::stat(entry.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u) << entry.path();
  }
}

TEST_F(SqliteBackendTest, attack_174_NoKeyLeavesItsBucket) {
  auto backend = Open();
  const KvBucket mine{"acme/a", "cache", {}}, other{"acme/b", "cache", {}}, sibling{"acme/a", "cache2", {}};
  ASSERT_TRUE(Set(*backend, other, "k", "theirs"));
  ASSERT_TRUE(Set(*backend, sibling, "k", "sibling"));
  const std::string keys[] = {"../acme/b/cache/k",
                              "..%2Fk",
                              "acme/b\x1f"
                              "cache\x1fk",
                              std::string("acme/b\0cache\0k", 14),
                              "k' OR '1'='1",
                              "k'; DROP TABLE entry; --",
                              "\" UNION SELECT value FROM entry --",
                              "%",
                              "_",
                              "*",
                              "\n",
                              "\x1b]52;c;evil\x07",
                              "\u202e",
                              std::string(256, 'k')};
  for (const std::string& key : keys) {
    EXPECT_EQ(Get(*backend, mine, key), std::nullopt) << key;
    ASSERT_TRUE(Set(*backend, mine, key, "mine " + key));
    EXPECT_EQ(Get(*backend, mine, key), "mine " + key);
  }
  EXPECT_EQ(Get(*backend, mine, "k"), std::nullopt);
  EXPECT_EQ(Get(*backend, other, "k"), "theirs");
  EXPECT_EQ(Get(*backend, sibling, "k"), "sibling");
  // A scan from nothing, and from the last possible key, sees this bucket alone.
  EXPECT_EQ(backend->List(mine, "", 100)->keys.size(), std::size(keys));
  EXPECT_EQ(backend->List(other, "", 100)->keys, std::vector<std::string>{"k"});
  EXPECT_TRUE(backend->List(mine, "\xff\xff", 100)->keys.empty());
  // Names of buckets that would run together if they were glued.
  EXPECT_EQ(Get(*backend,
                {"acme/a"
                 "cache",
                 "",
                 {}},
                "k"),
            std::nullopt);
  EXPECT_EQ(Get(*backend, {"acme/", "bcache", {}}, "k"), std::nullopt);
}

TEST_F(SqliteBackendTest, ListsInPages) {
  auto backend = Open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Set(*backend, kCache, "key-" + std::to_string(i), "v"));
  std::vector<std::string> all;
  std::string after;
  for (bool more = true; more;) {
    auto page = backend->List(kCache, after, 3);
    ASSERT_TRUE(page);
    ASSERT_LE(page->keys.size(), 3u);
    all.insert(all.end(), page->keys.begin(), page->keys.end());
    more = page->more;
    if (more) after = all.back();
  }
  ASSERT_EQ(all.size(), 10u);
  EXPECT_EQ(all.front(), "key-0");
  EXPECT_EQ(all.back(), "key-9");
}

TEST_F(SqliteBackendTest, attack_24_AQuotaHolds) {
  auto backend = Open();
  const KvBucket small{"acme/a", "small", {.bytes = {100}, .keys = 3}};
  ASSERT_TRUE(Set(*backend, small, "a", std::string(60, 'x')));
  const Status too_many_bytes = Set(*backend, small, "b", std::string(60, 'x'));
  ASSERT_FALSE(too_many_bytes);
  EXPECT_EQ(too_many_bytes.error().code, Code::kLimit);
  EXPECT_EQ(too_many_bytes.error().Detail("limit"), "bytes");
  EXPECT_EQ(Get(*backend, small, "a"), std::string(60, 'x'));
  EXPECT_EQ(Get(*backend, small, "b"), std::nullopt);
  // Replacing counts the difference; what is deleted can be used again.
  ASSERT_TRUE(Set(*backend, small, "a", std::string(99, 'x')));
  EXPECT_FALSE(Set(*backend, small, "a", std::string(100, 'x')));
  ASSERT_TRUE(Set(*backend, small, "a", ""));
  ASSERT_TRUE(Set(*backend, small, "b", ""));
  ASSERT_TRUE(Set(*backend, small, "c", ""));
  const Status too_many_keys = Set(*backend, small, "d", "");
  ASSERT_FALSE(too_many_keys);
  EXPECT_EQ(too_many_keys.error().Detail("limit"), "keys");
  // All of a batch, or nothing of it.
  const KvChange batch[] = {{"a", std::nullopt}, {"d", Bytes("1")}, {"e", Bytes("1")}};
  EXPECT_FALSE(backend->Apply(small, batch, std::nullopt, 0));
  EXPECT_EQ(Get(*backend, small, "a"), "");
  EXPECT_TRUE(backend->Apply(small, {batch, 2}, std::nullopt, 0));
  // Another bucket still has room, and one whose quota was lowered may shrink.
  EXPECT_TRUE(Set(*backend, kCache, "k", std::string(1000, 'x')));
  const KvBucket lowered{"acme/a", "cache", {.bytes = {10}, .keys = 1}};
  EXPECT_FALSE(Set(*backend, lowered, "k", std::string(1001, 'x')));
  EXPECT_TRUE(Set(*backend, lowered, "k", std::string(500, 'x')));
}

TEST_F(SqliteBackendTest, attack_24_AQuotaHoldsAgainstARace) {
  auto backend = Open();
  const KvBucket ten{"acme/a", "ten", {.bytes = MiB(1), .keys = 10}};
  std::atomic<int> kept = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) kept += Set(*backend, ten, std::to_string(t * 100 + i), "v").has_value() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kept, 10);
  EXPECT_EQ(backend->List(ten, "", 100)->keys.size(), 10u);
}

TEST_F(SqliteBackendTest, attack_175_OneOfTwoComparesAndSets) {
  auto backend = Open();
  const auto set_if = [&](std::uint64_t version, std::string_view value) {
    const KvChange change{"k", Bytes(value)};
    return *backend->Apply(kCache, {&change, 1}, KvExpected{"k", version}, 0);
  };
  EXPECT_EQ(set_if(0, "first"), Applied::kDone);
  EXPECT_EQ(set_if(0, "second"), Applied::kConflict);
  const std::uint64_t version = *backend->Version(kCache, "k");
  EXPECT_EQ(set_if(version, "third"), Applied::kDone);
  EXPECT_EQ(set_if(version, "fourth"), Applied::kConflict);
  // Deleted and made again with the same value: not the same.
  const std::uint64_t before = *backend->Version(kCache, "k");
  const KvChange gone{"k", std::nullopt};
  ASSERT_TRUE(backend->Apply(kCache, {&gone, 1}, std::nullopt, 0));
  ASSERT_TRUE(Set(*backend, kCache, "k", "third"));
  EXPECT_EQ(set_if(before, "fifth"), Applied::kConflict);
  EXPECT_EQ(Get(*backend, kCache, "k"), "third");
}

// Each of several processes adds to one counter by compare-and-set and is killed at some time; what they were told is
// what is there.
TEST_F(SqliteBackendTest, attack_175_NoAcknowledgedWriteIsLostWhenWritersAreKilled) {
  { ASSERT_TRUE(Set(*Open(), kCache, "counter", "0")); }
  constexpr int kWriters = 3;
  int pipes[kWriters][2];
  pid_t writers[kWriters];
  for (int w = 0; w < kWriters; ++w) {
    ASSERT_EQ(::pipe2(pipes[w], O_CLOEXEC), 0);
    writers[w] = ::fork();
    if (writers[w] == 0) {
      auto backend = SqliteBackend::Open(file());
      while (backend) {
        auto entry = (*backend)->Get(kCache, "counter");
        if (!entry || !*entry) continue;
        const std::string now((*entry)->value.begin(), (*entry)->value.end());
        const std::string next = std::to_string(std::stoi(now) + 1);
        const KvChange change{"counter", Bytes(next)};
        auto applied = (*backend)->Apply(kCache, {&change, 1}, KvExpected{"counter", (*entry)->version}, 0);
        if (applied && *applied == Applied::kDone) (void)!::write(pipes[w][1], "x", 1);
      }
      ::_exit(1);
    }
    ::close(pipes[w][1]);
  }
  for (int w = 0; w < kWriters; ++w) {
    ::usleep(150'000);
    ::kill(writers[w], SIGKILL);
    ::waitpid(writers[w], nullptr, 0);
  }
  int acknowledged = 0;
  for (auto& pipe : pipes) {
    char bytes[4096];
    for (ssize_t got; (got = ::read(pipe[0], bytes, sizeof bytes)) > 0;) acknowledged += static_cast<int>(got);
    ::close(pipe[0]);
  }
  const int counter = std::stoi(*Get(*Open(), kCache, "counter"));
  EXPECT_GT(acknowledged, 0);
  // A writer may have been killed between the write and telling of it: at most one write each.
  EXPECT_GE(counter, acknowledged);
  EXPECT_LE(counter, acknowledged + kWriters);
}

TEST_F(SqliteBackendTest, attack_24_AFullDiskLosesNothing) {
  { ASSERT_TRUE(Set(*Open(), kCache, "kept", "before")); }
  const pid_t child = ::fork();
  if (child == 0) {
    // Files of this process may not grow any more: what a full disk looks like from here.
    ::signal(SIGXFSZ, SIG_IGN);
    auto backend = SqliteBackend::Open(file());
    if (!backend) ::_exit(2);
    const rlimit none{64 << 10, 64 << 10};
    ::setrlimit(RLIMIT_FSIZE, &none);
    const Status written = Set(**backend, kCache, "big", std::string(1 << 20, 'x'));
    if (written) ::_exit(3);
    if (written.error().code != Code::kIo) ::_exit(4);
    auto kept = (*backend)->Get(kCache, "kept");
    ::_exit(kept && *kept ? 0 : 5);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  auto backend = Open();
  EXPECT_EQ(Get(*backend, kCache, "kept"), "before");
  EXPECT_EQ(Get(*backend, kCache, "big"), std::nullopt);
  EXPECT_TRUE(Set(*backend, kCache, "big", std::string(1 << 20, 'x')));
}

// Reads are answered from memory while nothing is written, by anybody.
TEST_F(SqliteBackendTest, WhatAnotherProcessWritesIsSeenAtOnce) {
  auto backend = Open();
  ASSERT_TRUE(Set(*backend, kCache, "k", "0"));
  int told[2];
  ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
  int asked[2];
  ASSERT_EQ(::pipe2(asked, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto mine = SqliteBackend::Open(file());
    char number = 0;
    while (mine && ::read(asked[0], &number, 1) == 1) {
      const Status written = number == 0 ? Status() : Set(**mine, kCache, "k", std::to_string(number));
      if (!written || ::write(told[1], &number, 1) != 1) break;
    }
    ::_exit(0);
  }
  for (char number = 1; number <= 20; ++number) {
    EXPECT_EQ(Get(*backend, kCache, "k"), std::to_string(number - 1));
    EXPECT_EQ(Get(*backend, kCache, "k"), std::to_string(number - 1));
    char answer = 0;
    ASSERT_EQ(::write(asked[1], &number, 1), 1);
    ASSERT_EQ(::read(told[0], &answer, 1), 1);
    EXPECT_EQ(Get(*backend, kCache, "k"), std::to_string(number));
  }
  ::close(asked[1]);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(SqliteBackendTest, WhatAnotherThreadWritesIsSeenAtOnce) {
  auto backend = Open();
  std::atomic<int> written = 0;
  std::thread writer([&] {
    for (int i = 1; i <= 30; ++i) {
      ASSERT_TRUE(Set(*backend, kCache, "k", std::to_string(i)));
      written.store(i);
    }
  });
  for (int last = 0; last < 30;) {
    const int least = written.load();
    const auto value = Get(*backend, kCache, "k");
    const int seen = value ? std::stoi(*value) : 0;
    ASSERT_GE(seen, least);
    ASSERT_GE(seen, last);
    last = seen;
  }
  writer.join();
}

TEST_F(SqliteBackendTest, TheCacheOfReadValuesIsBounded) {
  auto backend = Open();
  const std::string big(12 << 10, 'x');
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Set(*backend, kCache, std::to_string(i), big + std::to_string(i)));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Get(*backend, kCache, std::to_string(i)), big + std::to_string(i));
  }
}

TEST_F(SqliteBackendTest, ADamagedFileIsAnErrorAndStays) {
  std::ofstream(file()) << "this is not a database, and long enough to look like one: " << std::string(4096, 'x');
  auto backend = SqliteBackend::Open(file());
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().code, Code::kIo);
  EXPECT_EQ(fs::file_size(file()), 4096u + 58u);
}

TEST_F(SqliteBackendTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(SqliteBackend::Open(folder_ / "no" / "kv.db").error().code, Code::kIo);
}

TEST(SqliteBackendInMemory, HoldsWhileItLives) {
  auto backend = SqliteBackend::InMemory();
  ASSERT_TRUE(backend);
  ASSERT_TRUE(Set(**backend, kCache, "k", "v"));
  EXPECT_EQ(Get(**backend, kCache, "k"), "v");
  EXPECT_EQ(Get(**SqliteBackend::InMemory(), kCache, "k"), std::nullopt);
}

}  // namespace
}  // namespace cordon::services
