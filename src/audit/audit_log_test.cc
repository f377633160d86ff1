#include "audit/audit_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "audit/record_text.h"
#include "audit/test_folder.h"
#include "audit/trail.h"
#include "base/file.h"
#include "formats/json.h"

namespace cordon::audit {
namespace {

namespace fs = std::filesystem;

TEST(AuditLog, EachRecordIsOneLineThatHoldsTheHashOfTheOneBefore) {
  Folder folder;
  Seams seams;
  seams.now = [] { return std::chrono::system_clock::time_point(std::chrono::microseconds(1767323045678901)); };
  {
    auto log = *AuditLog::Open(folder.state(), seams);
    ASSERT_TRUE(log->On(Allow("/data/a")));
    ASSERT_TRUE(log->On(Deny("/data/b")));
  }
  const auto lines = Lines(folder);
  ASSERT_EQ(lines.size(), 3u);  // the last is a checkpoint
  const Json first = Json::parse(lines[0]), second = Json::parse(lines[1]);
  EXPECT_EQ(first["seq"], 1);
  EXPECT_EQ(first["time"], "2026-01-02T03:04:05.678901Z");
  EXPECT_EQ(first["prev"], std::string(64, '0'));
  EXPECT_EQ(first["decision"], "allow");
  EXPECT_EQ(second["prev"], Digest::Of(lines[0]).Hex());
  EXPECT_EQ(second["target"], "/data/b");
  EXPECT_FALSE(Verify(folder.state())->bad);
  struct stat st{};
  ASSERT_EQ(::stat((folder.state() / kAuditFile).c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(folder.state().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
}

TEST(AuditLog, DenialsAreOnTheDiskAtOnceAndAllowancesByTheGroup) {
  Folder folder;
  auto log = *AuditLog::Open(folder.state());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(log->On(Allow("/data/a")));
  EXPECT_EQ(Lines(folder).size(), 0u);
  ASSERT_TRUE(log->On(Deny("/data/b")));
  EXPECT_EQ(Lines(folder).size(), 11u);
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(log->On(Allow("/data/a")));
  EXPECT_EQ(Lines(folder).size(), 75u);
}

TEST(AuditLog, CallsAreCounted) {
  Folder folder;
  auto log = *AuditLog::Open(folder.state());
  ASSERT_TRUE(log->OnCalls({"acme/linkcheck", "", "check", 1000, 3, std::chrono::milliseconds(7)}));
  ASSERT_TRUE(log->Flush());
  const Json record = Json::parse(Lines(folder).at(0));
  EXPECT_EQ(record["event"], "call");
  EXPECT_EQ(record["count"], 1000);
  EXPECT_EQ(record["usage"]["failures"], 3);
  EXPECT_EQ(record["duration_us"], 7000);
}

TEST(AuditLog, TheChainGoesOnAfterAReopen) {
  Folder folder;
  WriteSome(folder, 2);
  WriteSome(folder, 3);
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->why;
  EXPECT_EQ(checked->records, 7u);
  EXPECT_EQ(checked->checkpoints, 2u);
}

TEST(AuditLog, SeveralProcessesAndThreadsShareOneChain) {
  Folder folder;
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto log = AuditLog::Open(folder.state());
      bool good = log.has_value();
      for (int j = 0; good && j < 20; ++j) good = (*log)->On(j % 2 == 0 ? Deny("/x") : Allow("/y")).has_value();
      if (good) log->reset();
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  {
    auto log = *AuditLog::Open(folder.state());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 10; ++j) EXPECT_TRUE(log->On(Deny("/z")));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  for (pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->why;
  EXPECT_EQ(checked->records - checked->checkpoints, 100u);
}

TEST(AuditLog, ATornLastLineIsSetAsideAndToldOf) {
  Folder folder;
  WriteSome(folder, 2);
  std::ofstream(folder.state() / kAuditFile, std::ios::app) << "{\"v\":1,\"seq\":4,\"ti";
  EXPECT_EQ(Verify(folder.state())->bad->why, "it is torn");
  WriteSome(folder, 1);
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->why;
  EXPECT_EQ(checked->records, 6u);
  const Json note = Json::parse(Lines(folder).at(3));
  EXPECT_EQ(note["event"], "note");
  EXPECT_NE(note["note"].get<std::string>().find("audit.torn-4-"), std::string::npos);
}

TEST(attack_102, WhateverIsDoneToTheChainIsFound) {
  const auto bad_after = [](auto change) {
    Folder folder;
    WriteSome(folder, 6);
    auto lines = Lines(folder);
    change(lines);
    Rewrite(folder, lines);
    const auto checked = Verify(folder.state());
    return checked->bad ? checked->bad->line : 0;
  };
  EXPECT_EQ(bad_after([](auto&) {}), 0u);
  EXPECT_EQ(bad_after([](auto& lines) { lines.erase(lines.begin() + 2); }), 3u);
  EXPECT_EQ(bad_after([](auto& lines) { lines[2].replace(lines[2].find("deny"), 4, "none"); }), 4u);
  EXPECT_EQ(bad_after([](auto& lines) { std::swap(lines[2], lines[3]); }), 3u);
  EXPECT_EQ(bad_after([](auto& lines) { lines.pop_back(); }), 7u);
  EXPECT_EQ(bad_after([](auto& lines) { lines[5].replace(lines[5].find("deny"), 4, "none"); }), 7u);
  EXPECT_EQ(bad_after([](auto& lines) { lines[6].back() = ' '; }), 7u);
  EXPECT_EQ(bad_after([](auto& lines) { lines.insert(lines.begin() + 1, "{}"); }), 2u);
  EXPECT_EQ(bad_after([](auto& lines) { lines.clear(); }), 1u);
  EXPECT_EQ(bad_after([](auto& lines) { lines.erase(lines.begin()); }), 1u);
}

TEST(attack_102, AWriterDoesNotMendAChainThatWasCut) {
  Folder folder;
  WriteSome(folder, 4);
  auto lines = Lines(folder);
  lines.resize(2);
  Rewrite(folder, lines);
  WriteSome(folder, 1);
  const auto checked = Verify(folder.state());
  ASSERT_TRUE(checked->bad);
  EXPECT_EQ(checked->bad->line, 3u);
  EXPECT_EQ(checked->bad->why, "record 3 should stand here");
  EXPECT_NE(Lines(folder)[2].find("3 records that were synced are missing"), std::string::npos);
}

TEST(attack_103, AFullDiskStopsWhatIsAuditedUntilThereIsRoomAgain) {
  Folder folder;
  bool full = false;
  Seams seams;
  seams.write = [&](int fd, const void* bytes, std::size_t size) -> ssize_t {
    if (!full) return ::write(fd, bytes, size);
    if (size > 100) return ::write(fd, bytes, 100);  // a part fits, then nothing
    errno = ENOSPC;
    return -1;
  };
  auto log = *AuditLog::Open(folder.state(), seams);
  ASSERT_TRUE(log->On(Deny("/before")));
  full = true;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(log->On(Deny("/full")).error().code, Code::kAuditUnavailable);
  EXPECT_FALSE(Verify(folder.state())->bad);
  full = false;
  EXPECT_TRUE(log->On(Deny("/after")));
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->why;
  EXPECT_EQ(checked->records, 5u);
}

TEST(attack_103, MemoryStaysBoundedWhileNothingCanBeWritten) {
  Folder folder;
  bool full = true;
  Seams seams;
  seams.write = [&](int fd, const void* bytes, std::size_t size) -> ssize_t {
    if (!full) return ::write(fd, bytes, size);
    errno = ENOSPC;
    return -1;
  };
  auto log = *AuditLog::Open(folder.state(), seams);
  for (int i = 0; i < 1500; ++i) EXPECT_FALSE(log->On(Deny("/full")));
  full = false;
  ASSERT_TRUE(log->Flush());
  const auto lines = Records(folder);
  EXPECT_EQ(lines.size(), 1025u);
  EXPECT_NE(lines[0].find("476 records were refused"), std::string::npos);
  EXPECT_FALSE(Verify(folder.state())->bad);
}

TEST(attack_103, AFailedSyncIsNotAcknowledged) {
  Folder folder;
  Seams seams;
  seams.sync = [](int) {
    errno = EIO;
    return -1;
  };
  auto log = *AuditLog::Open(folder.state(), seams);
  EXPECT_EQ(log->On(Deny("/x")).error().code, Code::kAuditUnavailable);
}

TEST(attack_103, TheFileSizeLimitOfTheProcessIsAnErrorLikeAnyOther) {
  Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto log = AuditLog::Open(folder.state());
    Status last;
    for (int i = 0; log && i < 20 && last; ++i) last = (*log)->On(Deny("/x"));
    ::_exit(!last && last.error().code == Code::kAuditUnavailable ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(Verify(folder.state())->bad);
}

TEST(AuditLog, FoldersThatOthersCouldTouchAreRefused) {
  const auto refused = [](const fs::path& state) {
    const auto log = AuditLog::Open(state);
    return !log && log.error().code == Code::kAuditUnavailable;
  };
  Folder folder;
  fs::create_directory(folder.path() / "real");
  fs::create_symlink(folder.path() / "real", folder.state());
  EXPECT_TRUE(refused(folder.state()));
  EXPECT_TRUE(refused(folder.state() / ""));
  fs::remove(folder.state());
  fs::create_directory(folder.state());
  fs::permissions(folder.state(), fs::perms::all);
  EXPECT_TRUE(refused(folder.state()));
  fs::permissions(folder.state(), fs::perms::owner_all);
  fs::create_symlink("/dev/null", folder.state() / kAuditFile);
  EXPECT_TRUE(refused(folder.state()));
  fs::remove(folder.state() / kAuditFile);
  ASSERT_EQ(::mkfifo((folder.state() / kAuditFile).c_str(), 0600), 0);
  EXPECT_TRUE(refused(folder.state()));
  fs::remove(folder.state() / kAuditFile);
  EXPECT_FALSE(refused(folder.state()));
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_TRUE(refused(folder.path() / "file"));
  EXPECT_TRUE(refused("/proc/cordon"));
}

TEST(attack_156, NoTextForgesALine) {
  const std::string evil = "x\r\n\"}\n{\"decision\":\"allow\"\x1b[2J\u202e\u2028\xff\\\"";
  Folder folder;
  auto log = *AuditLog::Open(folder.state());
  Record record = Deny(evil);
  for (std::string* text : {&record.plugin, &record.digest, &record.action, &record.capability, &record.rule,
                            &record.actor, &record.note}) {
    *text = evil;
  }
  record.callers = {evil, evil};
  record.usage = {{evil, 1}};
  ASSERT_TRUE(log->On(record));
  ASSERT_TRUE(log->On(Deny("/next")));
  const auto lines = Lines(folder);
  ASSERT_EQ(lines.size(), 2u);
  for (const unsigned char c : lines[0]) EXPECT_TRUE(c >= 0x20 && c != 0x7f);
  const Json parsed = Json::parse(lines[0]);
  EXPECT_EQ(parsed["decision"], "deny");
  EXPECT_EQ(parsed["target"], "x\\u000d\\u000a\"}\\u000a{\"decision\":\"allow\"\\u001b[2J\\u202e\\u2028\\xff\\\"");
  EXPECT_FALSE(Verify(folder.state())->bad);
}

TEST(attack_156, LongTextIsCutAndKeptTellable) {
  Record record = Deny(std::string(1 << 20, '\n'));
  record.callers.assign(1000, std::string(5000, '"'));
  const std::string body = RecordBody(record);
  EXPECT_LT(body.size(), kLineBytesMax / 2);
  const Json parsed = Json::parse("{" + body);
  EXPECT_NE(parsed["target"].get<std::string>().find(Digest::Of(record.target).ToString()), std::string::npos);
  EXPECT_EQ(parsed["callers_cut"], 992);
  Record worst = Deny(std::string(1024, '"'));
  for (std::string* text : {&worst.plugin, &worst.digest, &worst.action, &worst.capability, &worst.rule, &worst.actor,
                            &worst.note, &worst.target}) {
    *text = std::string(512, '\n') + std::string(1000, '\n');
  }
  worst.callers.assign(8, std::string(1024, '\n'));
  worst.usage.assign(16, {std::string(1024, '\n'), ~0ull});
  EXPECT_LT(RecordBody(worst).size() + 256, kLineBytesMax);
}

}  // namespace
}  // namespace cordon::audit
