#include "services/fledge.h"

#include <gtest/gtest.h>

#include "base/wire.h"
#include "services/kv/service.h"
#include "services/kv/sqlite_backend.h"
#include "services/log.h"

namespace cordon::services {
namespace {

class Quiet final : public audit::Observer {
 public:
  Status On(const audit::Record& record) override {
    records.push_back(record);
    return {};
  }
  std::vector<audit::Record> records;
};

class Lines final : public LogSink {
 public:
  void Write(const LogLine& line) override { text += std::string(LogLevelName(line.level)) + ":" + line.message + ";"; }
  std::string text;
};

// Stands for cordon:exec/runner: echoes what was asked, or answers as it is told.
class Programs final : public HostService {
 public:
  explicit Programs(std::vector<std::string>& asked) : asked_(asked) {}
  std::string_view interface_name() const override { return "cordon:exec/runner"; }
  HostReply Call(const Caller&, std::string_view, std::span<const std::uint8_t> payload) override {
    wire::Reader in(payload);
    std::string words(in.String());
    for (std::uint32_t left = in.Count(4); left > 0; --left) words += "|" + std::string(in.String());
    const std::string directory = in.Bool() ? std::string(in.String()) : "-";
    in.Raw(in.Count(1));
    in.Bool();
    asked_.push_back(words + " @" + directory + " " + std::to_string(in.U32()));
    HostReply reply;
    wire::Writer out(reply.payload);
    if (words == "denied") {
      out.Bool(true);
      out.U32(0);
      out.String("no-grant");
    } else if (words == "busy") {
      out.Bool(true);
      out.U32(1);
      out.String("E_BUSY: 8 programs run already");
    } else {
      out.Bool(false);
      out.U32(words == "late" ? 2 : words == "killed" ? 1 : 0);
      if (words != "late") out.U32(words == "killed" ? 9 : 3);
      out.String("out");
      out.String("");
      out.Bool(false);
      out.Bool(false);
    }
    return reply;
  }

 private:
  std::vector<std::string>& asked_;
};

policy::Authority Given(const std::vector<std::string>& grants) {
  std::vector<policy::Request> asked;
  std::vector<policy::Grant> given;
  for (const std::string& text : grants) {
    asked.push_back({*policy::Capability::Parse(text), policy::Need::kOptional, "", {}});
    given.push_back(*policy::Grant::Parse(text));
  }
  return *policy::Authority::Evaluate(asked, given, policy::Ceiling::Default(), policy::LinkMode::kLenient);
}

class FledgeServiceTest : public testing::Test {
 protected:
  explicit FledgeServiceTest(bool is_granted = true)
      : authority_(Given(is_granted ? std::vector<std::string>{"kv:write:fledge", "ctx:project"}
                                    : std::vector<std::string>{})),
        guard_(authority_, observer_, "acme/a", "sha256:0") {
    FledgeParts parts;
    parts.name = "acme/a";
    parts.version = "1.2.3";
    parts.log = std::make_unique<LogService>("acme/a", lines_);
    if (is_granted) {
      parts.programs = std::make_unique<Programs>(asked_);
      const KvBucket bucket{"acme/a", "fledge", {.bytes = Bytes{100}, .keys = 10}};
      parts.store = std::move(MakeKvServices(guard_, *SqliteBackend::InMemory(), {bucket}).front());
      parts.metadata = FledgeParts::Metadata::kGranted;
      parts.environment = {{"MODE", "fast"}};
    }
    service_ = std::make_unique<FledgeService>(guard_, std::move(parts));
  }

  // The text, or the code of the trap.
  std::string Call(std::string_view function, std::string_view text) {
    const HostReply reply =
        service_->Call({}, function, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    if (reply.outcome == HostReply::Outcome::kTrap) return std::string(CodeName(reply.code));
    return {reply.payload.begin(), reply.payload.end()};
  }
  Json Exec(std::string_view request) { return *json::Parse(Call("exec", request)); }

  Quiet observer_;
  Lines lines_;
  std::vector<std::string> asked_;
  policy::Authority authority_;
  Guard guard_;
  std::unique_ptr<FledgeService> service_;
};

TEST_F(FledgeServiceTest, TheFirstMessageTellsWhatIsGranted) {
  wire::Buffer payload;
  wire::Writer out(payload);
  out.Count(1);
  out.String("a \"b\"");
  const Json init = *json::Parse(Call("init", {reinterpret_cast<const char*>(payload.data()), payload.size()}));
  EXPECT_EQ(init["args"], Json::array({"a \"b\""}));
  EXPECT_EQ(init["plugin"]["version"], "1.2.3");
  EXPECT_EQ(init["capabilities"], Json({{"exec", true}, {"store", true}, {"metadata", true}, {"filesystem", "none"}}));
  EXPECT_TRUE(init["project"].is_null());
  EXPECT_EQ(Call("init", "\x09"), "E_INVALID");
}

TEST_F(FledgeServiceTest, EachEndOfAProgramHasItsCode) {
  EXPECT_EQ(Exec(R"({"command":"ls -l 'a b'"})"), Json({{"code", 3}, {"stdout", "out"}, {"stderr", ""}}));
  EXPECT_EQ(Exec(R"({"command":"killed"})")["code"], 128 + 9);
  EXPECT_EQ(Exec(R"({"command":"late"})")["code"], 124);
  EXPECT_EQ(Exec(R"({"command":"denied"})")["code"], 126);
  EXPECT_EQ(Exec(R"({"command":"busy"})")["stderr"], "E_BUSY: 8 programs run already");
  EXPECT_EQ(asked_[0], "ls|-l|a b @- 30000");
}

TEST_F(FledgeServiceTest, TheTimeOfAProgramIsBounded) {
  for (const auto& [timeout, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"5", "5000"}, {"100000", "300000"}, {"-1", "0"}, {"\"5\"", "30000"}, {"1e3", "30000"}}) {
    Exec(R"({"command":"x","cwd":"/data","timeout":)" + timeout + "}");
    EXPECT_EQ(asked_.back(), "x @/data " + wanted) << timeout;
  }
}

TEST_F(FledgeServiceTest, attack_107_WhatNeedsAShellReachesNoProgram) {
  EXPECT_EQ(Exec(R"({"command":"x; y"})")["code"], 126);
  EXPECT_EQ(Exec(R"({"command":"`x`"})")["code"], 126);
  EXPECT_EQ(Exec("{}")["code"], 126);
  EXPECT_TRUE(asked_.empty());
  ASSERT_EQ(observer_.records.size(), 3u);
  EXPECT_EQ(observer_.records[0].rule, "exec:shell");
}

TEST_F(FledgeServiceTest, TheStoreTakesTextsWithinItsLimits) {
  EXPECT_EQ(Call("store_set", R"({"key":"k","value":"v"})"), "");
  EXPECT_EQ(Call("store_get", "k"), R"("v")");
  EXPECT_EQ(Call("store_get", "other"), "null");
  EXPECT_EQ(Call("store_set", R"({"key":"k","value":")" + std::string(101, 'v') + "\"}"), "E_LIMIT");
  EXPECT_EQ(Call("store_set", R"({"key":"a\u0001","value":"v"})"), "E_LIMIT");
  EXPECT_EQ(Call("store_get", std::string(257, 'k')), "E_LIMIT");
  EXPECT_EQ(Call("store_get", "\xff"), "E_LIMIT");
  for (const char* bad : {"", "5", "[]", R"({"key":"k"})", R"({"key":1,"value":"v"})"}) {
    EXPECT_EQ(Call("store_set", bad), "E_INVALID") << bad;
  }
}

TEST_F(FledgeServiceTest, MetadataIsAskedForByKey) {
  EXPECT_EQ(Call("metadata", R"(["env","other","env",5])"), R"({"env":{"MODE":"fast"},"other":null})");
  EXPECT_EQ(Call("metadata", "{}"), "{}");
  EXPECT_EQ(Call("metadata", "nonsense"), "{}");
  std::string many = "[";
  for (int i = 0; i < 70; ++i) many += "\"k" + std::to_string(i) + "\",";
  EXPECT_EQ(Call("metadata", many + "\"x\"]"), "E_LIMIT");
}

TEST_F(FledgeServiceTest, AnUnknownLevelIsInfo) {
  wire::Buffer payload;
  wire::Writer out(payload);
  out.String("shout");
  out.String("x\x1b");
  EXPECT_EQ(Call("log", {reinterpret_cast<const char*>(payload.data()), payload.size()}), "");
  EXPECT_EQ(lines_.text, "info:x\\u001b;");
  EXPECT_EQ(Call("dance", ""), "E_LINK");
}

struct FledgeWithoutGrants : FledgeServiceTest {
  FledgeWithoutGrants() : FledgeServiceTest(false) {}
};

TEST_F(FledgeWithoutGrants, EachDenialIsAnAnswerAndARecord) {
  EXPECT_EQ(Call("exec", R"({"command":"id"})"), R"({"code":126,"stdout":"","stderr":"exec capability not granted"})");
  EXPECT_EQ(Call("store_set", R"({"key":"k","value":"v"})"), "");
  EXPECT_EQ(Call("store_get", "k"), "null");
  EXPECT_EQ(Call("metadata", R"(["env"])"), "{}");
  ASSERT_EQ(observer_.records.size(), 4u);
  for (const audit::Record& record : observer_.records) EXPECT_EQ(record.decision, policy::Verdict::kDeny);
}

}  // namespace
}  // namespace cordon::services
