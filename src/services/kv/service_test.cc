#include "services/kv/service.h"

#include <gtest/gtest.h>

#include "base/wire.h"
#include "services/kv/sqlite_backend.h"

namespace cordon::services {
namespace {

class KeptRecords final : public audit::Observer {
 public:
  Status On(const audit::Record& record) override {
    if (broken) return Fail(Code::kAuditUnavailable, "the disk is full");
    records.push_back(record);
    return {};
  }
  std::vector<audit::Record> records;
  bool broken = false;
};

policy::Authority Given(std::vector<std::string> requests, std::vector<std::string> grants) {
  std::vector<policy::Request> asked;
  for (const std::string& text : requests) {
    asked.push_back({*policy::Capability::Parse(text), policy::Need::kOptional, "", {}});
  }
  std::vector<policy::Grant> given;
  for (const std::string& text : grants) given.push_back(*policy::Grant::Parse(text));
  return *policy::Authority::Evaluate(asked, given, policy::Ceiling::Default(), policy::LinkMode::kLenient);
}

// A plugin with a bucket to write, one to read, and one that was asked for and not granted.
class KvServiceTest : public testing::Test {
 protected:
  KvServiceTest()
      : authority_(Given({"kv:write:cache", "kv:write:notes", "kv:read:never"}, {"kv:write:cache", "kv:read:notes"})),
        guard_(authority_, observer_, "acme/a", "sha256:0"),
        backend_(*SqliteBackend::InMemory()) {
    for (auto& service : MakeKvServices(guard_, backend_, BucketsOf(authority_, "acme/a", {}))) {
      services_.emplace(std::string(service->interface_name()), std::move(service));
    }
  }

  // The answer's first byte and what follows it: 0 and the value, or 1, the case of the error and its text.
  std::string Call(std::string_view interface, std::string_view function, const wire::Buffer& payload) {
    const HostReply reply = services_.at(std::string(interface))->Call({}, function, payload);
    if (reply.outcome == HostReply::Outcome::kTrap) return "trap " + std::string(CodeName(reply.code));
    if (reply.payload.empty()) return "nothing";
    wire::Reader in(reply.payload);
    if (!in.Bool()) return "ok " + std::string(reply.payload.begin() + 1, reply.payload.end());
    switch (in.Case(3)) {
      case 0: return "no-such-store";
      case 1: return "access-denied";
      default: return std::string(in.String());
    }
  }

  static wire::Buffer Payload(std::optional<std::uint32_t> rep, std::string_view key) {
    wire::Buffer bytes;
    wire::Writer out(bytes);
    if (rep) out.U32(*rep);
    out.String(key);
    return bytes;
  }
  static wire::Buffer SetPayload(std::uint32_t rep, std::string_view key, std::string_view value) {
    wire::Buffer bytes = Payload(rep, key);
    wire::Writer(bytes).String(value);
    return bytes;
  }

  std::string Open(std::string_view bucket) { return Call(kStoreInterface, "open", Payload({}, bucket)); }
  std::string Get(std::uint32_t rep, std::string_view key) {
    return Call(kStoreInterface, "[method]bucket.get", Payload(rep, key));
  }
  std::string Set(std::uint32_t rep, std::string_view key, std::string_view value) {
    return Call(kStoreInterface, "[method]bucket.set", SetPayload(rep, key, value));
  }

  KeptRecords observer_;
  policy::Authority authority_;
  Guard guard_;
  std::shared_ptr<KvBackend> backend_;
  std::map<std::string, std::unique_ptr<HostService>> services_;
};

constexpr std::uint32_t kCache = 0, kNotes = 1;  // by name

TEST_F(KvServiceTest, OnlyGrantedBucketsOpen) {
  EXPECT_EQ(Open("cache"), std::string("ok \0\0\0\0", 7));
  EXPECT_EQ(Open("notes"), std::string("ok \1\0\0\0", 7));
  for (const char* name : {"never", "other", "", "../cache", "cache/", "Cache", "cache\n", "*", "acme/b", "\x1b[2J"}) {
    EXPECT_EQ(Open(name), "access-denied") << name;
  }
  ASSERT_EQ(observer_.records.size(), 12u);
  EXPECT_EQ(observer_.records[0].capability, "kv:read:cache");
  EXPECT_EQ(observer_.records[0].rule, "grant:kv:write:cache");
  EXPECT_EQ(observer_.records[2].rule, "no-grant");
  EXPECT_EQ(observer_.records[5].rule, "kv:bucket-name");
}

TEST_F(KvServiceTest, EachFunctionIsDecidedAndAuditedOnce) {
  EXPECT_EQ(Set(kCache, "k", "v"), "ok ");
  EXPECT_EQ(Get(kCache, "k"), std::string("ok \1\1\0\0\0v", 9));
  EXPECT_EQ(Get(kCache, "absent"), std::string("ok \0", 4));
  EXPECT_EQ(Set(kNotes, "k", "v"), "access-denied");
  EXPECT_EQ(Call(kAtomicsInterface, "increment",
                 [] {
                   wire::Buffer bytes = Payload(kNotes, "n");
                   wire::Writer(bytes).S64(1);
                   return bytes;
                 }()),
            "access-denied");
  ASSERT_EQ(observer_.records.size(), 5u);
  EXPECT_EQ(observer_.records[0].capability, "kv:write:cache");
  EXPECT_EQ(observer_.records[0].target, "cache/k");
  EXPECT_EQ(observer_.records[1].capability, "kv:read:cache");
  EXPECT_EQ(observer_.records[3].decision, policy::Verdict::kDeny);
}

TEST_F(KvServiceTest, WhatCannotBeAuditedDoesNotHappen) {
  observer_.broken = true;
  EXPECT_EQ(Set(kCache, "k", "v"), "trap E_AUDIT_UNAVAILABLE");
  observer_.broken = false;
  EXPECT_EQ(Get(kCache, "k"), std::string("ok \0", 4));
}

TEST_F(KvServiceTest, attack_174_ANumberThatWasNeverGivenIsNoBucket) {
  for (const std::uint32_t rep : {2u, 3u, 1000u, 0xffffffffu}) EXPECT_EQ(Get(rep, "k"), "trap E_HANDLE") << rep;
  EXPECT_TRUE(observer_.records.empty());
}

TEST_F(KvServiceTest, attack_24_SizesAreBounded) {
  EXPECT_TRUE(Set(kCache, std::string(257, 'k'), "v").starts_with("E_LIMIT: "));
  EXPECT_TRUE(Set(kCache, "", "v").starts_with("E_NAME: "));
  EXPECT_EQ(Set(kCache, std::string(256, 'k'), std::string(kKvValueBytesMax, 'v')), "ok ");
  EXPECT_TRUE(Set(kCache, "k", std::string(kKvValueBytesMax + 1, 'v')).starts_with("E_LIMIT: "));
}

TEST_F(KvServiceTest, MalformedPayloadsEndTheCall) {
  const wire::Buffer whole = SetPayload(kCache, "k", "v");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Call(kStoreInterface, "[method]bucket.set", {whole.begin(), whole.begin() + size}), "trap E_INVALID");
  }
  EXPECT_EQ(Call(kStoreInterface, "[method]bucket.get", {0, 0, 0, 0, 1, 0, 0, 0, 0xff}), "trap E_INVALID");
  EXPECT_EQ(Call(kBatchInterface, "get-many", {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}), "trap E_INVALID");
  EXPECT_EQ(Call(kStoreInterface, "drop-everything", Payload(kCache, "k")), "trap E_LINK");
}

TEST_F(KvServiceTest, NumbersAreDecimalText) {
  const auto add = [&](std::int64_t delta) {
    wire::Buffer bytes = Payload(kCache, "n");
    wire::Writer(bytes).S64(delta);
    return Call(kAtomicsInterface, "increment", bytes);
  };
  EXPECT_EQ(add(40), std::string("ok (\0\0\0\0\0\0\0", 11));
  EXPECT_EQ(add(-41), "ok " + std::string(8, '\xff'));
  EXPECT_EQ(Get(kCache, "n"), std::string("ok \1\2\0\0\0-1", 10));
  EXPECT_TRUE(add(INT64_MIN).starts_with("E_RANGE: "));
  for (const char* text : {"", "x", "1 ", " 1", "0x1", "1.0", "9223372036854775808", "+1"}) {
    EXPECT_EQ(Set(kCache, "n", text), "ok ");
    EXPECT_TRUE(add(1).starts_with("E_TYPE: ")) << text;
  }
}

TEST_F(KvServiceTest, attack_175_AHandleSwapsOnceAndOnlyWhatItSaw) {
  const auto made = Call(kAtomicsInterface, "[static]cas.new", Payload(kCache, "k"));
  ASSERT_EQ(made.size(), 7u);
  const auto rep = static_cast<std::uint32_t>(made[3]);
  const auto swap = [&](std::uint32_t cas, std::string_view value) {
    wire::Buffer bytes;
    wire::Writer out(bytes);
    out.U32(cas);
    out.String(value);
    return services_.at(std::string(kAtomicsInterface))->Call({}, "swap", bytes).payload;
  };
  ASSERT_EQ(Set(kCache, "k", "between"), "ok ");
  // err, cas-failed, a new handle; the old one is gone.
  const wire::Buffer failed = swap(rep, "mine");
  ASSERT_EQ(failed.size(), 9u);
  EXPECT_EQ(failed[1], 1);
  EXPECT_EQ(swap(rep, "mine")[1], 0);
  EXPECT_EQ(swap(failed[5], "mine"), wire::Buffer{0});
  EXPECT_EQ(Get(kCache, "k"), std::string("ok \1\4\0\0\0mine", 12));
}

TEST_F(KvServiceTest, HandlesOfAPluginAreBounded) {
  const auto first = Call(kAtomicsInterface, "[static]cas.new", Payload(kCache, "k"));
  for (std::size_t i = 0; i < kCasMax; ++i) Call(kAtomicsInterface, "[static]cas.new", Payload(kCache, "k"));
  wire::Buffer bytes;
  wire::Writer(bytes).U32(static_cast<std::uint32_t>(first[3]));
  EXPECT_TRUE(Call(kAtomicsInterface, "[method]cas.current", bytes).starts_with("E_HANDLE: "));
}

TEST(KvBuckets, TheTightestQuotaHolds) {
  const auto quota = [](std::vector<std::string> grants, std::optional<Bytes> asked) {
    policy::Request request{*policy::Capability::Parse("kv:write:cache"), policy::Need::kOptional, "", asked};
    std::vector<policy::Grant> given;
    for (const std::string& text : grants) given.push_back(*policy::Grant::Parse(text));
    const auto authority =
        policy::Authority::Evaluate({&request, 1}, given, policy::Ceiling::Default(), policy::LinkMode::kLenient);
    const auto buckets = BucketsOf(*authority, "acme/a", {MiB(64), 10});
    return buckets.empty() ? "none" : FormatBytes(buckets.front().quota.bytes);
  };
  EXPECT_EQ(quota({"kv:write:cache"}, {}), "64MiB");
  EXPECT_EQ(quota({"kv:write:cache"}, MiB(10)), "10MiB");
  EXPECT_EQ(quota({"kv:write:cache"}, MiB(100)), "64MiB");
  EXPECT_EQ(quota({"kv:write:cache; quota=1MiB"}, MiB(10)), "1MiB");
  EXPECT_EQ(quota({"kv:write:cache; quota=20MiB"}, MiB(10)), "10MiB");
  EXPECT_EQ(quota({"kv:read:cache; quota=2MiB", "kv:write:cache"}, {}), "2MiB");
  EXPECT_EQ(quota({}, MiB(10)), "none");
  EXPECT_EQ(policy::Grant::Parse("kv:write:cache; quota=1MiB; session")->ToString(),
            "kv:write:cache; quota=1MiB; session");
  EXPECT_EQ(policy::Grant::Parse("env:A; quota=1MiB").error().code, Code::kInvalid);
  EXPECT_EQ(policy::Grant::Parse("kv:write:cache; quota=0B").error().code, Code::kRange);
  EXPECT_EQ(policy::Grant::Parse("kv:write:cache; quota").error().code, Code::kSyntax);
}

}  // namespace
}  // namespace cordon::services
