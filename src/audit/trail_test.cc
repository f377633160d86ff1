// Checkpoints, rotation, and what a reader of several files finds.
#include "audit/trail.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "audit/checkpoint.h"
#include "audit/record_text.h"
#include "audit/test_folder.h"
#include "base/digest.h"
#include "base/file.h"
#include "formats/json.h"

namespace cordon::audit {
namespace {

namespace fs = std::filesystem;

void WriteRotated(const Folder& folder, int count, const Rotation& rotation) {
  auto log = *AuditLog::Open(folder.state(), {}, rotation);
  for (int i = 0; i < count; ++i) ASSERT_TRUE(log->On(Allow("/data/" + std::to_string(i))));
}

std::vector<std::string> Names(const Folder& folder) {
  std::vector<std::string> names;
  const auto files = TrailFiles(folder.state());
  for (const TrailFile& file : *files) names.push_back(file.path.filename().string());
  return names;
}

// The chain as somebody would write it who can do everything but sign.
void Forge(const Folder& folder, std::vector<std::string> lines) {
  ChainEnd end;
  for (std::string& line : lines) {
    const auto fields = ReadChainFields(line);
    const std::string body = line.substr(line.find("\"event\""));
    std::string made;
    AppendLine(made, end.sequence + 1, fields->time, end.hash, body);
    line = made;
    end = {end.sequence + 1, Digest::Of(line).Hex()};
  }
  Rewrite(folder, lines);
  ASSERT_TRUE(WriteFileAtomically(folder.state() / kHeadFile, HeadText(end), FileMode::kPrivate));
}

TEST(Checkpoint, TheKeyIsMadeOnFirstUseAndForThisUserAlone) {
  Folder folder;
  WriteSome(folder, 1);
  struct stat st{};
  ASSERT_EQ(::stat((folder.state() / kKeyFile).c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  const auto key = PublicKey::Load(folder.state() / kPublicKeyFile);
  ASSERT_TRUE(key);
  EXPECT_TRUE(key->Pem().starts_with("-----BEGIN PUBLIC KEY-----"));
  EXPECT_EQ(Verify(folder.state())->key, key->Fingerprint());
  WriteSome(folder, 1);
  EXPECT_EQ(Verify(folder.state())->checkpoints, 2u);
}

TEST(Checkpoint, ComesAfterAThousandRecordsAndAtTheEnd) {
  Folder folder;
  WriteRotated(folder, 3000, {});
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->why;
  EXPECT_EQ(checked->checkpoints, 3u);
  EXPECT_EQ(checked->unsigned_records, 0u);
}

TEST(Checkpoint, AKeyThatOthersReadSignsNothing) {
  Folder folder;
  WriteSome(folder, 1);
  fs::permissions(folder.state() / kKeyFile, fs::perms::group_read, fs::perm_options::add);
  auto log = *AuditLog::Open(folder.state());
  ASSERT_TRUE(log->On(Allow("/x")));
  EXPECT_EQ(log->Flush().error().code, Code::kAuditUnavailable);
  fs::permissions(folder.state() / kKeyFile, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(log->Flush());
}

TEST(Checkpoint, AKeyThatIsGoneIsNotReplaced) {
  Folder folder;
  WriteSome(folder, 1);
  fs::remove(folder.state() / kKeyFile);
  auto log = *AuditLog::Open(folder.state());
  ASSERT_TRUE(log->On(Allow("/x")));
  const Status flushed = log->Flush();
  ASSERT_FALSE(flushed);
  EXPECT_NE(flushed.error().message.find("audit.pub is there and audit.key is not"), std::string::npos);
}

TEST(attack_102, AChainThatIsWrittenAnewWithItsHeadFailsAtItsFirstCheckpoint) {
  Folder folder;
  WriteSome(folder, 6);
  auto lines = Lines(folder);
  lines[2].replace(lines[2].find("deny"), 4, "none");
  Forge(folder, lines);
  const auto checked = Verify(folder.state());
  ASSERT_TRUE(checked->bad);
  EXPECT_EQ(checked->bad->line, 7u);
  EXPECT_NE(checked->bad->why.find("signature"), std::string::npos);
}

TEST(attack_102, AChainWithoutItsCheckpointsIsNotWhole) {
  Folder folder;
  WriteRotated(folder, 3000, {});
  Forge(folder, Records(folder));
  const auto checked = Verify(folder.state());
  ASSERT_TRUE(checked->bad);
  EXPECT_EQ(checked->bad->sequence, 2 * kCheckpointRecords + 1);
}

TEST(attack_102, ACheckpointOfAnotherKeyDoesNotHold) {
  Folder folder, other;
  WriteSome(folder, 2);
  WriteSome(other, 2);
  const auto key = PublicKey::Load(other.state() / kPublicKeyFile);
  EXPECT_EQ(Verify(folder.state(), *key)->bad->line, 3u);
  fs::remove(folder.state() / kPublicKeyFile);
  EXPECT_EQ(Verify(folder.state())->bad->line, 3u);
}

TEST(Rotation, TheChainGoesOnFromFileToFile) {
  Folder folder;
  WriteRotated(folder, 1000, {.file_bytes = 64 << 10, .file_age = {}, .keep_files = {}, .keep_bytes = {}});
  const auto names = Names(folder);
  ASSERT_GT(names.size(), 3u);
  EXPECT_EQ(names.front(), "audit-00000000000000000001.jsonl");
  EXPECT_EQ(names.back(), "audit.jsonl");
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->file << ":" << checked->bad->line << " " << checked->bad->why;
  EXPECT_EQ(checked->records - checked->checkpoints, 1000u);
  EXPECT_EQ(checked->files, names.size());
  // Each of them ends with a checkpoint, and can be archived by itself.
  for (const std::string& name : names) {
    EXPECT_NE(Lines(folder, name).back().find(kCheckpointMark), std::string::npos) << name;
  }
  std::size_t lines = 0;
  ASSERT_TRUE(ForEachLine(folder.state(), [&](const TrailFile&, std::string_view) { return ++lines > 0; }));
  EXPECT_EQ(lines, checked->records);
}

TEST(Rotation, AFileThatIsOldIsMovedAside) {
  Folder folder;
  auto now = std::chrono::system_clock::now();
  Seams seams;
  seams.now = [&now] { return now; };
  Rotation rotation;
  rotation.file_age = std::chrono::hours(24);
  auto log = *AuditLog::Open(folder.state(), seams, rotation);
  ASSERT_TRUE(log->On(Deny("/first")));
  now += std::chrono::hours(23);
  ASSERT_TRUE(log->On(Deny("/second")));
  EXPECT_EQ(Names(folder).size(), 1u);
  now += std::chrono::hours(2);
  ASSERT_TRUE(log->On(Deny("/third")));
  EXPECT_EQ(Names(folder).size(), 2u);
  EXPECT_FALSE(Verify(folder.state())->bad);
}

TEST(Rotation, WhatIsTooMuchGoesAfterARecordOfIt) {
  Folder folder;
  WriteRotated(folder, 2000, {.file_bytes = 32 << 10, .file_age = {}, .keep_files = 2, .keep_bytes = {}});
  EXPECT_EQ(Names(folder).size(), 3u);
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->file << ":" << checked->bad->line << " " << checked->bad->why;
  EXPECT_GT(checked->first_sequence, 1u);
  EXPECT_GE(checked->last_sequence, 2000u);
}

TEST(Rotation, ACrashWhileFilesAreRemovedLeavesALogThatIsWhole) {
  Folder folder;
  WriteRotated(folder, 700, {.file_bytes = 32 << 10, .file_age = {}, .keep_files = {}, .keep_bytes = {}});
  fs::copy(folder.state(), folder.path() / "before");
  WriteRotated(folder, 100, {.file_bytes = 16 << 10, .file_age = {}, .keep_files = 2, .keep_bytes = {}});
  const std::string first_kept = Names(folder).at(0);
  std::vector<std::string> removed;
  for (const auto& entry : fs::directory_iterator(folder.path() / "before")) {
    const std::string name = entry.path().filename();
    if (name.starts_with("audit-") && name < first_kept) removed.push_back(name);
  }
  std::ranges::sort(removed);
  ASSERT_GE(removed.size(), 2u);
  EXPECT_FALSE(Verify(folder.state())->bad);
  fs::copy(folder.path() / "before" / removed.front(), folder.state() / removed.front());
  EXPECT_TRUE(Verify(folder.state())->bad);  // what is between is gone
  fs::remove(folder.state() / removed.front());
  fs::copy(folder.path() / "before" / removed.back(), folder.state() / removed.back());
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->file << ":" << checked->bad->line << " " << checked->bad->why;
}

TEST(attack_102, AFileOfARotatedLogThatIsAlteredOrGoneIsFound) {
  const Rotation rotation{.file_bytes = 32 << 10, .file_age = {}, .keep_files = {}, .keep_bytes = {}};
  const auto bad_after = [&](auto change) {
    Folder folder;
    WriteRotated(folder, 400, rotation);
    change(folder);
    const auto checked = Verify(folder.state());
    return checked->bad ? checked->bad->file + ":" + std::to_string(checked->bad->line) : "";
  };
  EXPECT_EQ(bad_after([](const Folder&) {}), "");
  const std::string first = RotatedName(1);
  EXPECT_EQ(bad_after([&](const Folder& folder) {
              auto lines = Lines(folder, first);
              lines[4].replace(lines[4].find("allow"), 5, "never");
              Rewrite(folder, lines, first);
            }),
            first + ":6");
  std::string second;
  // Nobody removes the oldest but the log itself, which says so.
  const auto oldest = [&](const Folder& folder) {
    second = Names(folder)[1];
    fs::remove(folder.state() / first);
  };
  const std::string found = bad_after(oldest);
  EXPECT_EQ(found, second + ":1");
  std::string third;
  const auto middle = [&](const Folder& folder) {
    third = Names(folder)[2];
    fs::remove(folder.state() / Names(folder)[1]);
  };
  const std::string gap = bad_after(middle);
  EXPECT_EQ(gap, third + ":1");
  EXPECT_NE(bad_after([&](const Folder& folder) { fs::remove(folder.state() / kAuditFile); }), "");
}

TEST(Rotation, ACrashBetweenTwoFilesLosesNothing) {
  Folder folder;
  WriteSome(folder, 3);
  fs::rename(folder.state() / kAuditFile, folder.state() / RotatedName(1));
  WriteSome(folder, 2);
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->why;
  EXPECT_EQ(checked->last_sequence, 7u);
}

TEST(Rotation, WritersOfOneChainFollowTheOneThatRotates) {
  Folder folder;
  const Rotation small{.file_bytes = 8 << 10, .file_age = {}, .keep_files = {}, .keep_bytes = {}};
  auto one = *AuditLog::Open(folder.state(), {}, small);
  auto other = *AuditLog::Open(folder.state());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(one->On(Deny("/one")));
    ASSERT_TRUE(other->On(Deny("/other")));
  }
  one.reset();
  other.reset();
  const auto checked = Verify(folder.state());
  EXPECT_FALSE(checked->bad) << checked->bad->file << ":" << checked->bad->line << " " << checked->bad->why;
  EXPECT_EQ(checked->records - checked->checkpoints, 200u);
  EXPECT_GT(Names(folder).size(), 3u);
}

TEST(attack_103, AFolderThatIsRemovedStopsWhatIsAudited) {
  Folder folder;
  auto log = *AuditLog::Open(folder.state());
  ASSERT_TRUE(log->On(Deny("/before")));
  fs::remove_all(folder.state());
  EXPECT_EQ(log->On(Deny("/after")).error().code, Code::kAuditUnavailable);
  EXPECT_EQ(log->Flush().error().code, Code::kAuditUnavailable);
}

TEST(Verify, NamesALogThatIsNotThere) {
  Folder folder;
  EXPECT_EQ(Verify(folder.state()).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace cordon::audit
