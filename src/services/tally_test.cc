#include "services/tally.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "policy/test_authority.h"
#include "services/guard.h"

namespace cordon::services {
namespace {

namespace fs = std::filesystem;
using Answer = Tally::Answer;

policy::LimitedGrant Limited(const char* text) {
  const policy::Grant grant = *policy::Grant::Parse(text);
  return {grant.ToString(), grant.limits, policy::LimitedGrant::Keep::kDisk};
}

class TallyFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tally.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(TallyFile, UsesStayUsedWhenItIsOpenedAgain) {
  const auto grant = Limited("secret:key; uses=2");
  EXPECT_EQ((*Tally::Open(folder_ / "t.db"))->Take("acme/x", grant, {.uses = 1}), Answer::kTaken);
  const auto tally = *Tally::Open(folder_ / "t.db");
  EXPECT_EQ(tally->Take("acme/x", grant, {.uses = 1}), Answer::kTaken);
  EXPECT_EQ(tally->Take("acme/x", grant, {.uses = 1}), Answer::kUsesGone);
  EXPECT_EQ(tally->Take("acme/other", grant, {.uses = 1}), Answer::kTaken);
  ASSERT_TRUE(tally->Forget("acme/x", grant.text));
  EXPECT_EQ(tally->Take("acme/x", grant, {.uses = 1}), Answer::kTaken);
  struct stat st{};
  ASSERT_EQ(::stat((folder_ / "t.db").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
}

// Two processes that share the file, as far as SQLite can tell: two connections.
TEST_F(TallyFile, NobodyTakesMoreThanThereIs) {
  const auto grant = Limited("secret:key; uses=40");
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto tally = *Tally::Open(folder_ / "t.db");
      for (int n = 0; n < 20; ++n) {
        if (tally->Take("acme/x", grant, {.uses = 1}) == Answer::kTaken) ++taken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken.load(), 40);
}

TEST_F(TallyFile, AFileThatIsNotOursIsNotTouched) {
  std::ofstream(folder_ / "t.db") << "not a database, and longer than its header: " << std::string(4096, 'x');
  EXPECT_EQ(Tally::Open(folder_ / "t.db").error().code, Code::kIo);
}

TEST(Tally, BytesAreTakenWholeOrNotAtAll) {
  const auto tally = *Tally::InMemory();
  const auto grant = Limited("kv:write:c; bytes=10B");
  EXPECT_EQ(tally->Take("p", grant, {.bytes = 6}), Answer::kTaken);
  EXPECT_EQ(tally->Take("p", grant, {.bytes = 5}), Answer::kBytesGone);
  EXPECT_EQ(tally->BytesLeft("p", grant), 4u);
  EXPECT_EQ(tally->Take("p", grant, {.uses = 1}), Answer::kTaken);
  EXPECT_EQ(tally->Take("p", grant, {.bytes = 4}), Answer::kTaken);
  EXPECT_EQ(tally->Take("p", grant, {.uses = 1}), Answer::kBytesGone);
  EXPECT_EQ(tally->Take("p", grant, {.bytes = UINT64_MAX}), Answer::kBytesGone);
}

TEST(Tally, ARateAllowsABurstAndThenItsPace) {
  const auto tally = *Tally::InMemory();
  const auto grant = Limited("secret:key; rate=5/h");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(tally->Take("p", grant, {.uses = 1}), Answer::kTaken) << i;
  EXPECT_EQ(tally->Take("p", grant, {.uses = 1}), Answer::kTooOften);
  const auto fast = Limited("secret:key; rate=1000000/s");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(tally->Take("p", fast, {.uses = 1}), Answer::kTaken) << i;
}

class Withdrawn final : public Standing {
 public:
  const policy::Authority* Now() override { return left ? &*left : nullptr; }
  std::optional<policy::Authority> left;
};

TEST(Guard, AGrantIsUsedUpByItsUses) {
  const policy::Authority authority = policy::AuthorityOf({"secret:key; uses=2", "secret:other"});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "", {.run = *Tally::InMemory()});
  const auto ask = [&](const char* text) { return guard.Check({}, *policy::Capability::Parse(text), "t"); };
  EXPECT_TRUE(ask("secret:key").allowed());
  EXPECT_TRUE(ask("secret:key").allowed());
  const policy::Decision third = ask("secret:key");
  EXPECT_FALSE(third.allowed());
  EXPECT_EQ(third.rule, "limit:uses");
  EXPECT_NE(third.remedy.find("'secret:key; uses=2'"), std::string::npos);
  EXPECT_TRUE(ask("secret:other").allowed());
  EXPECT_EQ(observer.records().size(), 4u);
}

TEST(Guard, WhatNobodyCountsIsDenied) {
  const policy::Authority authority = policy::AuthorityOf({"secret:key; uses=2"});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "");
  EXPECT_EQ(guard.Check({}, *policy::Capability::Parse("secret:key"), "t").rule, "limit:uncounted");
}

TEST(Guard, AGrantEndsWithItsTime) {
  std::vector<policy::Grant> grants = {*policy::Grant::Parse("secret:key; until=2026-01-01T00:00:00Z")};
  const policy::Request request{grants[0].capability, policy::Need::kOptional, "", {}};
  // Loaded before it ended.
  const policy::Authority authority =
      *policy::Authority::Evaluate({&request, 1}, grants, policy::Ceiling::Default(), policy::LinkMode::kLenient);
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "");
  EXPECT_EQ(guard.Check({}, request.capability, "t").rule, "limit:until");
}

TEST(Guard, BytesAreCountedAndTheirDenialRecorded) {
  const policy::Authority authority = policy::AuthorityOf({"kv:write:c; bytes=10B"});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "", {.run = *Tally::InMemory()});
  const auto write = *policy::Capability::Parse("kv:write:c");
  EXPECT_TRUE(guard.Check({}, write, "c/k").allowed());
  EXPECT_TRUE(guard.Spend({}, write, "c/k", 8).allowed());
  EXPECT_EQ(guard.BytesLeft(write), 2u);
  EXPECT_EQ(guard.Spend({}, write, "c/k", 3).rule, "limit:bytes");
  guard.GiveBack(write, 3);
  EXPECT_EQ(guard.BytesLeft(write), 5u);
  EXPECT_TRUE(guard.Spend({}, write, "c/k", 5).allowed());
  EXPECT_EQ(guard.BytesLeft(write), 0u);
  EXPECT_EQ(guard.Check({}, write, "c/k").rule, "limit:bytes");
  EXPECT_EQ(observer.records().size(), 3u);
}

TEST(Guard, WhatWasTakenBackIsDeniedFromTheNextQuestionOn) {
  const policy::Authority authority = policy::AuthorityOf({"secret:key", "secret:other"});
  audit::MemoryObserver observer;
  const auto standing = std::make_shared<Withdrawn>();
  const Guard guard(authority, observer, "acme/x", "", {.standing = standing});
  const auto key = *policy::Capability::Parse("secret:key");
  EXPECT_TRUE(guard.Check({}, key, "t").allowed());
  standing->left = policy::AuthorityOf({"secret:other", "secret:third"});
  EXPECT_EQ(guard.Check({}, key, "t").rule, "revoked");
  EXPECT_TRUE(guard.Check({}, *policy::Capability::Parse("secret:other"), "t").allowed());
  // What is new was not linked, and is not given behind the plan's back.
  EXPECT_FALSE(guard.Check({}, *policy::Capability::Parse("secret:third"), "t").allowed());
  EXPECT_EQ(observer.records()[1].code, Code::kDenied);
}

}  // namespace
}  // namespace cordon::services
