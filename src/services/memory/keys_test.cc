// Texts by a key: what zeroclaw's functions ask of memory.
#include <gtest/gtest.h>

#include "audit/observer.h"
#include "base/wire.h"
#include "policy/test_authority.h"
#include "services/memory/service.h"
#include "services/memory/sqlite_memory.h"

namespace cordon::services {
namespace {

struct Keeper {
  Keeper(policy::Authority granted, std::shared_ptr<Memory> memory, std::uint64_t entries = 1000)
      : authority(std::move(granted)),
        guard(authority, observer, "acme/a", "sha256:0"),
        service(guard, std::move(memory), {entries, 1 << 20}) {}

  // "ok", "no" for what is not there, or the case of the error and its text.
  std::string Call(std::string_view function, std::vector<std::string> texts) {
    wire::Buffer payload;
    wire::Writer out(payload);
    out.U32(0);
    for (const std::string& text : texts) out.String(text);
    const HostReply reply = service.Call({}, function, payload);
    if (reply.outcome == HostReply::Outcome::kTrap) return "trap " + std::string(CodeName(reply.code));
    wire::Reader in(reply.payload);
    if (!in.Bool()) return function == kMemoryForgetKey && !in.Bool() ? "no" : "ok";
    const std::uint32_t error = in.Case(3);
    return error == 0 ? "access-denied" : std::string(in.String());
  }
  std::string Store(std::string_view key, std::string_view text) {
    return Call(kMemoryStoreKey, {std::string(text), std::string(key)});
  }
  std::string Forget(std::string_view key) { return Call(kMemoryForgetKey, {std::string(key)}); }

  audit::MemoryObserver observer;
  policy::Authority authority;
  Guard guard;
  MemoryService service;
};

const policy::Authority kStoreOnly = policy::AuthorityOf({"memory:store:plugin"});
const policy::Authority kAll =
    policy::AuthorityOf({"memory:store:plugin", "memory:recall:plugin", "memory:forget:plugin"});
const Memory::Place kPlace = {.owner = "acme/a", .scope = Memory::Scope::kPlugin, .name = {}};

std::vector<std::string> Kept(Memory& memory) {
  std::vector<std::string> texts;
  const auto entries = memory.Recall(kPlace, "", 1000);  // a temporary would be gone before the loop begins
  for (const Memory::Entry& entry : *entries) texts.push_back(entry.text);
  return texts;
}
using Texts = std::vector<std::string>;

TEST(MemoryKeys, AKeyIsReplacedByWhoMayForget) {
  auto memory = *SqliteMemory::InMemory();
  Keeper whole(kAll, memory);
  EXPECT_EQ(whole.Store("k", "one"), "ok");
  EXPECT_EQ(whole.Store("other", "k k k"), "ok");
  EXPECT_EQ(whole.Store("k", "two"), "ok");
  EXPECT_EQ(Kept(*memory), (Texts{"two", "k k k"}));
  Keeper half(kStoreOnly, memory);
  EXPECT_EQ(half.Store("k", "three"), "ok");
  EXPECT_EQ(Kept(*memory), (Texts{"three", "two", "k k k"}));
  EXPECT_EQ(half.Forget("k"), "access-denied");
  // A text that is refused takes nothing away.
  EXPECT_TRUE(whole.Store("k", "").starts_with("E_INVALID: "));
  EXPECT_EQ(Kept(*memory).size(), 3u);
  EXPECT_EQ(whole.Forget("k"), "ok");
  EXPECT_EQ(whole.Forget("k"), "no");
  EXPECT_EQ(Kept(*memory), Texts{"k k k"});
}

TEST(MemoryKeys, AnyNumberIsForgottenAndAnIdIsAKeyToo) {
  auto memory = *SqliteMemory::InMemory();
  Keeper half(kStoreOnly, memory), whole(kAll, memory);
  for (int i = 0; i < 250; ++i) EXPECT_EQ(half.Store("a key", "a text with a key"), "ok");
  EXPECT_EQ(half.Store("another key", "kept"), "ok");
  EXPECT_EQ(whole.Forget("a key"), "ok");
  EXPECT_EQ(Kept(*memory), Texts{"kept"});
  EXPECT_EQ(whole.Forget(memory->Recall(kPlace, "kept", 1)->front().id), "ok");
  EXPECT_EQ(Kept(*memory), Texts());
}

TEST(MemoryKeys, attack_24_KeysAreBounded) {
  Keeper whole(kAll, *SqliteMemory::InMemory());
  EXPECT_EQ(whole.Store(std::string(kMemoryLabelBytesMax, 'k'), "x"), "ok");
  for (const std::string& key : {std::string(kMemoryLabelBytesMax + 1, 'k'), std::string(), std::string("a\nb")}) {
    EXPECT_TRUE(whole.Store(key, "x").starts_with("E_INVALID: ")) << key;
  }
  EXPECT_EQ(whole.Forget(std::string(1 << 20, 'k')), "no");
  EXPECT_EQ(whole.Call(kMemoryStoreKey, {"only a text"}), "trap E_INVALID");
}

// It says that whatever is asked for is there, however often it was forgotten.
class Endless final : public Memory {
 public:
  explicit Endless(bool forgets) : forgets_(forgets) {}
  Result<std::string> Store(const Place&, std::string_view, std::span<const std::string>) override { return "id"; }
  Result<std::vector<Entry>> Recall(const Place&, std::string_view, std::size_t) override {
    return std::vector<Entry>{{"id", "text", {"k"}, 0}};
  }
  Result<bool> Forget(const Place&, std::string_view) override { return forgets_; }
  Result<std::uint64_t> ForgetAll(const Place&) override { return 0; }

 private:
  const bool forgets_;
};

TEST(MemoryKeys, attack_24_WhatKeepsThemDoesNotKeepTheHostBusy) {
  Keeper whole(kAll, std::make_shared<Endless>(true), 500);
  EXPECT_TRUE(whole.Forget("k").starts_with("E_LIMIT: "));
  Keeper stubborn(kAll, std::make_shared<Endless>(false), 500);
  EXPECT_TRUE(stubborn.Forget("k").starts_with("E_IO: "));
}

}  // namespace
}  // namespace cordon::services
