#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "audit/observer.h"
#include "base/wire.h"
#include "policy/test_authority.h"
#include "services/memory/service.h"
#include "services/memory/sqlite_memory.h"

namespace cordon::services {
namespace {

namespace fs = std::filesystem;
using Scope = Memory::Scope;

Memory::Place Place(std::string owner, Scope scope = Scope::kPlugin, std::string name = {}) {
  return {
      .owner = std::move(owner), .scope = scope, .name = std::move(name), .entries_max = 1000, .bytes_max = 1 << 20};
}

class SqliteMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cordon-memory-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file() const { return folder_ / "memory.db"; }
  std::shared_ptr<Memory> Open() const {
    auto memory = SqliteMemory::Open(file());
    EXPECT_TRUE(memory) << memory.error().message;
    return *memory;
  }
  fs::path folder_;
};

std::string Store(Memory& memory, const Memory::Place& place, std::string_view text,
                  std::vector<std::string> labels = {}) {
  auto id = memory.Store(place, text, labels);
  return id ? *id : std::string(CodeName(id.error().code));
}

std::vector<std::string> Recall(Memory& memory, const Memory::Place& place, std::string_view query,
                                std::size_t max = 10) {
  auto entries = memory.Recall(place, query, max);
  EXPECT_TRUE(entries) << entries.error().message;
  std::vector<std::string> texts;
  for (const Memory::Entry& entry : *entries) texts.push_back(entry.text);
  return texts;
}

using Texts = std::vector<std::string>;

TEST_F(SqliteMemoryTest, WhatWasStoredIsRecalledByItsWords) {
  const auto place = Place("acme/a");
  {
    auto memory = Open();
    Store(*memory, place, "The parcels arrive on Tuesday", {"logistics"});
    Store(*memory, place, "Ada likes green tea");
    Store(*memory, place, "Tuesday is Ada's birthday");
  }
  auto memory = Open();
  EXPECT_EQ(Recall(*memory, place, "tuesday"), (Texts{"Tuesday is Ada's birthday", "The parcels arrive on Tuesday"}));
  // More words in common come first; forms of a word are one word; labels are words too.
  EXPECT_EQ(Recall(*memory, place, "parcel arriving tuesday").front(), "The parcels arrive on Tuesday");
  EXPECT_EQ(Recall(*memory, place, "logistics"), Texts{"The parcels arrive on Tuesday"});
  EXPECT_EQ(Recall(*memory, place, "coffee"), Texts{});
  EXPECT_EQ(Recall(*memory, place, " \n", 2), (Texts{"Tuesday is Ada's birthday", "Ada likes green tea"}));
  struct stat status{};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SqliteMemoryTest, attack_174_NoQueryLeavesItsPlace) {
  auto memory = Open();
  const std::vector<Memory::Place> others = {Place("acme/b"),
                                             Place("acme/a", Scope::kSession, "s1"),
                                             Place("acme/a", Scope::kAgent, "s1"),
                                             Place("acme/a", Scope::kSession, "s2"),
                                             Place("acme/", Scope::kPlugin, "a"),
                                             Place("acme/a0", Scope::kPlugin)};
  for (const auto& place : others) Store(*memory, place, "secret of " + place.owner + "/" + place.name, {"secret"});
  const auto mine = Place("acme/a");
  const std::string id = Store(*memory, mine, "my secret");
  for (const char* query :
       {"secret", "\"secret\"", "secret OR place:*", "place : p*", "\" OR \"secret", "NEAR(secret of)", "sec*",
        "text:secret", "') OR 1=1; --", "^secret", "{text place} : secret", "secret AND NOT mine"}) {
    for (const std::string& text : Recall(*memory, mine, query)) EXPECT_EQ(text, "my secret") << query;
  }
  EXPECT_EQ(Recall(*memory, mine, ""), Texts{"my secret"});
  for (const auto& place : others) {
    EXPECT_EQ(Recall(*memory, place, "").size(), 1u);
    EXPECT_EQ(*memory->Forget(place, id), false);
    EXPECT_EQ(*memory->Forget(place, ""), false);
  }
  EXPECT_EQ(*memory->ForgetAll(others[1]), 1u);
  EXPECT_EQ(Recall(*memory, mine, "secret"), Texts{"my secret"});
  EXPECT_EQ(Recall(*memory, others[3], "secret").size(), 1u);
  EXPECT_TRUE(*memory->Forget(mine, id));
  EXPECT_FALSE(*memory->Forget(mine, id));
  EXPECT_EQ(Recall(*memory, mine, "secret"), Texts{});
}

TEST_F(SqliteMemoryTest, attack_24_AQuotaHoldsOverAllPlacesOfAPlugin) {
  auto memory = Open();
  auto one = Place("acme/a"), two = Place("acme/a", Scope::kSession, "s1");
  one.entries_max = two.entries_max = 3;
  one.bytes_max = two.bytes_max = 100;
  Store(*memory, one, "first");
  const std::string second = Store(*memory, two, "second");
  Store(*memory, two, "third");
  EXPECT_EQ(Store(*memory, one, "fourth"), "E_LIMIT");
  EXPECT_TRUE(*memory->Forget(two, second));
  EXPECT_EQ(Store(*memory, one, std::string(91, 'x')), "E_LIMIT");
  EXPECT_EQ(Store(*memory, one, std::string(80, 'x')).size(), 32u);
  EXPECT_EQ(Store(*memory, Place("acme/b"), "theirs").size(), 32u);
  EXPECT_EQ(*memory->ForgetAll(one), 2u);
  EXPECT_EQ(Store(*memory, one, std::string(90, 'x')).size(), 32u);
}

TEST_F(SqliteMemoryTest, attack_175_WhatWasAcknowledgedIsThereAfterAKill) {
  { ASSERT_NE(Open(), nullptr); }
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const pid_t writer = ::fork();
  if (writer == 0) {
    auto memory = SqliteMemory::Open(file());
    for (int i = 0; memory; ++i) {
      auto place = Place("acme/a");
      place.entries_max = 1'000'000;
      if ((*memory)->Store(place, "entry " + std::to_string(i), {})) (void)!::write(pipe[1], "x", 1);
    }
    ::_exit(1);
  }
  ::close(pipe[1]);
  ::usleep(200'000);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  std::size_t told = 0;
  char bytes[4096];
  for (ssize_t got; (got = ::read(pipe[0], bytes, sizeof bytes)) > 0;) told += static_cast<std::size_t>(got);
  ::close(pipe[0]);
  auto memory = Open();
  const std::size_t kept = Recall(*memory, Place("acme/a"), "entry", 100'000).size();
  EXPECT_GT(told, 0u);
  EXPECT_GE(kept, std::min<std::size_t>(told, 2000));  // as many of one word as are looked at
  EXPECT_LE(kept, told + 1);
}

TEST_F(SqliteMemoryTest, attack_24_AFullDiskLosesNothing) {
  { Store(*Open(), Place("acme/a"), "before"); }
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    auto memory = SqliteMemory::Open(file());
    if (!memory) ::_exit(2);
    const rlimit none{32 << 10, 32 << 10};
    ::setrlimit(RLIMIT_FSIZE, &none);
    const auto written = (*memory)->Store(Place("acme/a"), std::string(60'000, 'x'), {});
    if (written) ::_exit(3);
    ::_exit(written.error().code == Code::kIo ? 0 : 4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  auto memory = Open();
  EXPECT_EQ(Recall(*memory, Place("acme/a"), ""), Texts{"before"});
  EXPECT_EQ(Store(*memory, Place("acme/a"), std::string(60'000, 'x')).size(), 32u);
}

// Whoever may write to the state folder can spoil the file, and not more than that.
TEST_F(SqliteMemoryTest, ADamagedFileIsAnErrorAndNoCrash) {
  {
    auto memory = Open();
    for (int i = 0; i < 50; ++i)
      Store(*memory, Place("acme/a"), "entry number " + std::to_string(i) + " of many words");
  }
  std::ifstream in(file(), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(whole.size(), 8192u);
  for (std::size_t round = 0; round < 40; ++round) {
    std::string damaged = whole;
    for (std::size_t i = 0; i < 64; ++i) {
      damaged[100 + (round * 7919 + i * 104'729) % (damaged.size() - 100)] ^= static_cast<char>(1 + (round + i) % 255);
    }
    for (const char* end : {"-wal", "-shm"}) fs::remove(file().string() + end);
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << damaged;
    auto memory = SqliteMemory::Open(file());
    if (!memory) continue;
    (void)(*memory)->Recall(Place("acme/a"), "entry words", 100);
    (void)(*memory)->Store(Place("acme/a"), "another", {});
    (void)(*memory)->ForgetAll(Place("acme/a"));
  }
}

// A plugin with some grants, and what keeps its memories.
class MemoryServiceTest : public testing::Test {
 protected:
  MemoryServiceTest()
      : authority_(policy::AuthorityOf(
            {"memory:store:plugin", "memory:recall:plugin", "memory:store:session", "memory:recall:session"})),
        guard_(authority_, observer_, "acme/a", "sha256:0"),
        service_(guard_, *SqliteMemory::InMemory(), {10, 1 << 20}) {}

  // "ok", or the case of the error and its text.
  std::string Call(std::string_view function, const wire::Buffer& payload, Principal principal = {}) {
    Caller caller;
    caller.principal = std::make_shared<const Principal>(std::move(principal));
    const HostReply reply = service_.Call(caller, function, payload);
    if (reply.outcome == HostReply::Outcome::kTrap) return "trap " + std::string(CodeName(reply.code));
    wire::Reader in(reply.payload);
    if (!in.Bool()) return "ok";
    const std::uint32_t error = in.Case(3);
    return error == 0 ? "access-denied" : error == 1 ? "no-scope" : std::string(in.String());
  }
  static wire::Buffer StorePayload(std::uint32_t scope, std::string_view text, std::vector<std::string> labels = {}) {
    wire::Buffer bytes;
    wire::Writer out(bytes);
    out.U32(scope);
    out.String(text);
    out.Count(labels.size());
    for (const std::string& label : labels) out.String(label);
    return bytes;
  }

  audit::MemoryObserver observer_;
  policy::Authority authority_;
  Guard guard_;
  MemoryService service_;
};

TEST_F(MemoryServiceTest, EachFunctionIsDecidedAndAuditedOnce) {
  EXPECT_EQ(Call("store", StorePayload(0, "x")), "ok");
  EXPECT_EQ(Call("store", StorePayload(1, "x"), {.session = "s1"}), "ok");
  EXPECT_EQ(Call("store", StorePayload(2, "x"), {.agent = "a1"}), "access-denied");
  wire::Buffer all;
  wire::Writer(all).U32(0);
  EXPECT_EQ(Call("forget-all", all), "access-denied");
  std::vector<std::string> rules;
  for (const audit::Record& record : observer_.records()) rules.push_back(record.rule + " " + record.target);
  EXPECT_EQ(rules, (std::vector<std::string>{"grant:memory:store:plugin plugin", "grant:memory:store:session session",
                                             "not-requested agent", "not-requested plugin"}));
}

TEST_F(MemoryServiceTest, ASessionThatTheHostDidNotNameIsNone) {
  EXPECT_EQ(Call("store", StorePayload(1, "x"), {.user = "alice", .agent = "a1"}), "no-scope");
}

TEST_F(MemoryServiceTest, attack_24_SizesAreBounded) {
  EXPECT_EQ(Call("store", StorePayload(0, std::string(kMemoryTextBytesMax, 'x'))), "ok");
  EXPECT_TRUE(Call("store", StorePayload(0, std::string(kMemoryTextBytesMax + 1, 'x'))).starts_with("E_LIMIT: "));
  EXPECT_TRUE(Call("store", StorePayload(0, "")).starts_with("E_INVALID: "));
  EXPECT_EQ(Call("store", StorePayload(0, "x", std::vector<std::string>(16, "l"))), "ok");
  EXPECT_TRUE(Call("store", StorePayload(0, "x", std::vector<std::string>(17, "l"))).starts_with("E_LIMIT: "));
  for (const std::string& label :
       {std::string("a\nb"), std::string(), std::string(129, 'l'), std::string("\x1b[31m")}) {
    EXPECT_TRUE(Call("store", StorePayload(0, "x", {label})).starts_with("E_INVALID: "));
  }
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Call("store", StorePayload(0, "x")), "ok");
  EXPECT_TRUE(Call("store", StorePayload(0, "x")).starts_with("E_LIMIT: "));
}

TEST_F(MemoryServiceTest, MalformedPayloadsEndTheCall) {
  const wire::Buffer good = StorePayload(0, "text", {"label"});
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_EQ(Call("store", {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut)}), "trap E_INVALID") << cut;
  }
  EXPECT_EQ(Call("store", StorePayload(3, "x")), "trap E_INVALID");
  EXPECT_EQ(Call("drop", good), "trap E_LINK");
  EXPECT_TRUE(observer_.records().empty());
}

}  // namespace
}  // namespace cordon::services
