#include "services/guard.h"

#include <gtest/gtest.h>

#include "base/message_codec.h"
#include "base/wire.h"
#include "policy/test_authority.h"
#include "services/files.h"
#include "services/router.h"

namespace cordon::services {
namespace {

class BrokenObserver final : public audit::Observer {
 public:
  Status On(const audit::Record&) override { return Fail(Code::kAuditUnavailable, "disk full"); }
};

std::vector<std::uint8_t> OpenPayload(std::string_view mount, std::string_view path, FileAccess access) {
  std::vector<std::uint8_t> bytes;
  wire::Writer out(bytes);
  out.String(mount);
  out.String(path);
  out.U32(static_cast<std::uint32_t>(access));
  return bytes;
}

TEST(Guard, EachQuestionIsDecidedAndAuditedOnce) {
  const policy::Authority authority = policy::AuthorityOf({"fs:read:/data=workspace"});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/linkcheck", "sha256:x");
  const Caller caller{7, {"cli"}};
  EXPECT_TRUE(guard.Check(caller, *policy::Capability::Parse("fs:read:/data=workspace/a"), "/data/a").allowed());
  EXPECT_FALSE(guard.Check(caller, *policy::Capability::Parse("env:TOKEN"), "TOKEN").allowed());
  const auto records = observer.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].rule, "grant:fs:read:/data=workspace");
  EXPECT_EQ(records[0].callers, std::vector<std::string>{"cli"});
  EXPECT_EQ(records[1].rule, "not-requested");
  EXPECT_EQ(records[1].code, Code::kDenied);
}

TEST(Guard, WhatCannotBeAuditedDoesNotHappen) {
  const policy::Authority authority = policy::AuthorityOf({"fs:read:/data=workspace"});
  BrokenObserver observer;
  const Guard guard(authority, observer, "acme/linkcheck", "");
  const auto decision = guard.Check({}, *policy::Capability::Parse("fs:read:/data=workspace"), "/data");
  EXPECT_FALSE(decision.allowed());
  EXPECT_EQ(decision.code, Code::kAuditUnavailable);
}

struct FilesCase {
  std::string_view mount, path;
  FileAccess access;
  std::vector<std::uint8_t> reply;
  std::string_view rule, target;
};

TEST(Files, OpenAnswersByTheGrants) {
  const policy::Authority authority = policy::AuthorityOf({"fs:read:/data=workspace/in", "fs:write:/out=temp"});
  const std::vector<std::uint8_t> ok = {0}, not_granted = {1, 0, 0, 0, 0}, read_only = {1, 1, 0, 0, 0};
  const FilesCase cases[] = {
      {"/data", "a/./b", FileAccess::kRead, ok, "grant:fs:read:/data=workspace/in", "/data/a/b"},
      {"/data", "a", FileAccess::kWrite, read_only, "fs:read-only", "/data/a"},
      {"/data", "a", FileAccess::kMutate, read_only, "fs:read-only", "/data/a"},
      {"/out", "x\n\"", FileAccess::kCreate, ok, "grant:fs:write:/out=temp", "/out/x\n\""},
      {"/out", "", FileAccess::kRead, ok, "grant:fs:write:/out=temp", "/out"},
      {"/etc", "passwd", FileAccess::kRead, not_granted, "no-grant", "/etc/passwd"},
      {"/data/", "a", FileAccess::kRead, not_granted, "no-grant", "/data//a"},
      {"", "../x", FileAccess::kRead, not_granted, "no-grant", "/../x"},
  };
  for (const FilesCase& one : cases) {
    audit::MemoryObserver observer;
    const Guard guard(authority, observer, "acme/x", "");
    ServiceRouter router(guard);
    router.Add(std::make_unique<FilesService>(guard));
    CodecChannel coded(router);
    for (HostChannel* channel : {static_cast<HostChannel*>(&router), static_cast<HostChannel*>(&coded)}) {
      const auto payload = OpenPayload(one.mount, one.path, one.access);
      const HostReply reply = channel->Send({1, kFilesInterface, "open", payload, 0});
      EXPECT_EQ(reply.outcome, HostReply::Outcome::kDone) << reply.message;
      EXPECT_EQ(reply.payload, one.reply) << one.mount << " " << one.path;
    }
    const auto records = observer.records();
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].rule, one.rule);
    EXPECT_EQ(records[0].target, one.target);
  }
}

TEST(Files, AReportIsOneDenialWithItsRule) {
  const policy::Authority authority = policy::AuthorityOf({"fs:read:/data=workspace"});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "");
  FilesService files(guard);
  for (const char* rule : {"fs:beneath", "fs:not-regular", "made up"}) {
    std::vector<std::uint8_t> payload;
    wire::Writer out(payload);
    out.String("/data");
    out.String("a/../../../etc/passwd");
    out.String(rule);
    EXPECT_TRUE(files.Call({}, "report", payload).payload.empty());
  }
  const auto records = observer.records();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].rule, "fs:beneath");
  EXPECT_EQ(records[0].target, "/data/../../etc/passwd");
  EXPECT_EQ(records[0].capability, "fs:read:/data=workspace");
  EXPECT_EQ(records[1].code, Code::kNotRegular);
  EXPECT_EQ(records[2].rule, "fs:unknown");
}

TEST(Files, HostilePayloadsTrap) {
  const policy::Authority authority = policy::AuthorityOf({"fs:read:/data=workspace"});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "");
  FilesService files(guard);
  const auto whole = OpenPayload("/data", "a", FileAccess::kRead);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(files.Call({}, "open", std::span(whole).first(size)).code, Code::kInvalid);
  }
  EXPECT_EQ(files.Call({}, "open", OpenPayload("/data", "a", static_cast<FileAccess>(4))).code, Code::kInvalid);
  EXPECT_EQ(files.Call({}, "open", OpenPayload("/data", "a\xff", FileAccess::kRead)).code, Code::kInvalid);
  EXPECT_EQ(files.Call({}, "close", whole).code, Code::kLink);
  EXPECT_TRUE(observer.records().empty());
}

TEST(Router, AStubDeniesInTheWordsOfItsInterfaceAndIsAudited) {
  const policy::Authority authority = policy::AuthorityOf({});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "");
  ServiceRouter router(guard);
  router.SetStub("wasi:keyvalue/store@0.2.0", "open", {{1, 2, 0, 0, 0}, "kv:read:cache", "unenforceable"});
  const HostReply reply = router.Send({1, "wasi:keyvalue/store@0.2.0", "deny:open", {}, 0});
  EXPECT_EQ(reply.outcome, HostReply::Outcome::kDone);
  EXPECT_EQ(reply.payload, (std::vector<std::uint8_t>{1, 2, 0, 0, 0}));
  const HostReply unknown = router.Send({1, "wasi:keyvalue/store@0.2.0", "deny:close", {}, 0});
  EXPECT_EQ(unknown.code, Code::kDenied);
  const auto records = observer.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].capability, "kv:read:cache");
  EXPECT_EQ(records[0].target, "wasi:keyvalue/store@0.2.0#open");
  EXPECT_EQ(records[0].decision, policy::Verdict::kDeny);
}

// A stub must not reach a service even when one of that name is there.
TEST(Router, AStubHoldsNoService) {
  struct Trapdoor final : HostService {
    std::string_view interface_name() const override { return "a:b/c"; }
    HostReply Call(const Caller&, std::string_view, std::span<const std::uint8_t>) override {
      ADD_FAILURE() << "a stub reached a service";
      return {};
    }
  };
  const policy::Authority authority = policy::AuthorityOf({});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "");
  ServiceRouter router(guard);
  router.Add(std::make_unique<Trapdoor>());
  EXPECT_EQ(router.Send({1, "a:b/c", "deny:f", {}, 0}).code, Code::kDenied);
  EXPECT_EQ(router.Send({1, "a:b/c", "deny:deny:f", {}, 0}).code, Code::kDenied);
  EXPECT_EQ(router.Send({1, "a:b/d", "f", {}, 0}).code, Code::kLink);
}

TEST(Router, AServiceAnswersEveryVersionOfItsInterfaceAndThrowsNothingOut) {
  struct Thrower final : HostService {
    std::string_view interface_name() const override { return "a:b/c"; }
    HostReply Call(const Caller&, std::string_view, std::span<const std::uint8_t>) override {
      throw std::runtime_error("boom");
    }
  };
  const policy::Authority authority = policy::AuthorityOf({});
  audit::MemoryObserver observer;
  const Guard guard(authority, observer, "acme/x", "");
  ServiceRouter router(guard);
  router.Add(std::make_unique<Thrower>());
  EXPECT_EQ(router.Send({1, "a:b/c@0.1.0", "f", {}, 0}).code, Code::kInternal);
}

}  // namespace
}  // namespace cordon::services
