#include "services/extism.h"

#include <gtest/gtest.h>

#include "base/wire.h"
#include "services/kv/service.h"
#include "services/kv/sqlite_backend.h"
#include "services/log.h"
#include "services/settings.h"

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

policy::Authority Given(const std::vector<std::string>& grants) {
  std::vector<policy::Request> asked;
  std::vector<policy::Grant> given;
  for (const std::string& text : grants) {
    asked.push_back({*policy::Capability::Parse(text), policy::Need::kOptional, "", {}});
    given.push_back(*policy::Grant::Parse(text));
  }
  return *policy::Authority::Evaluate(asked, given, policy::Ceiling::Default(), policy::LinkMode::kLenient);
}

class ExtismServiceTest : public testing::Test {
 protected:
  explicit ExtismServiceTest(std::vector<std::string> grants = {"config", "kv:write:vars"})
      : authority_(Given(grants)), guard_(authority_, observer_, "acme/a", "sha256:0") {
    ExtismParts parts;
    std::vector<SettingValue> settings;
    settings.push_back({"vowels", SecretText(std::string("aeiou"))});
    parts.settings = std::make_unique<SettingsService>(guard_, std::move(settings));
    parts.log = std::make_unique<LogService>("acme/a", lines_);
    const KvBucket vars{"acme/a", "vars", {.bytes = Bytes{40}, .keys = 10}};
    parts.vars = std::move(MakeKvServices(guard_, *SqliteBackend::InMemory(), {vars}).front());
    service_ = std::make_unique<ExtismService>(std::move(parts));
  }

  // "none", the value, "done", or the code of the trap.
  std::string Call(std::string_view function, std::string_view key, const char* value = nullptr, bool is_set = false) {
    wire::Buffer payload;
    wire::Writer out(payload);
    out.String(key);
    if (is_set) {
      out.Bool(value != nullptr);
      if (value != nullptr) out.String(value);
    }
    const HostReply reply = service_->Call({}, function, payload);
    if (reply.outcome == HostReply::Outcome::kTrap) return std::string(CodeName(reply.code));
    if (reply.payload.empty()) return "done";
    wire::Reader in(reply.payload);
    return in.Bool() ? std::string(in.String()) : "none";
  }
  std::string Set(std::string_view key, const char* value) { return Call("var_set", key, value, true); }

  Quiet observer_;
  Lines lines_;
  policy::Authority authority_;
  Guard guard_;
  std::unique_ptr<ExtismService> service_;
};

TEST_F(ExtismServiceTest, SettingsAreThoseOfComponents) {
  EXPECT_EQ(Call("config_get", "vowels"), "aeiou");
  EXPECT_EQ(Call("config_get", "other"), "none");
  ASSERT_EQ(observer_.records.size(), 2u);
  EXPECT_EQ(observer_.records[0].capability, "config");
}

TEST_F(ExtismServiceTest, LinesHaveTheirLevels) {
  EXPECT_EQ(Call("log_trace", "a"), "done");
  EXPECT_EQ(Call("log_error", "b\x1b[2J"), "done");
  EXPECT_EQ(lines_.text, "trace:a;error:b\\u001b[2J;");
  EXPECT_EQ(Call("log_critical", "c"), "E_LINK");
  EXPECT_EQ(Call("log_", "c"), "E_LINK");
}

TEST_F(ExtismServiceTest, VariablesAreKeptWithinTheirQuota) {
  EXPECT_EQ(Call("var_get", "a"), "none");
  EXPECT_EQ(Set("a", "one"), "done");
  EXPECT_EQ(Call("var_get", "a"), "one");
  EXPECT_EQ(Set("a", nullptr), "done");
  EXPECT_EQ(Call("var_get", "a"), "none");
  EXPECT_EQ(Set("a", "more than there is room for in this bucket"), "E_LIMIT");
  EXPECT_EQ(Call("var_get", "a"), "none");
}

TEST_F(ExtismServiceTest, AMalformedMessageEndsTheCall) {
  for (const char* function : {"config_get", "var_get", "var_set", "log_info"}) {
    const wire::Buffer bad = {9, 0, 0, 0, 'a'};
    const HostReply reply = service_->Call({}, function, bad);
    EXPECT_EQ(reply.outcome, HostReply::Outcome::kTrap) << function;
    EXPECT_EQ(reply.code, Code::kInvalid) << function;
  }
  EXPECT_EQ(service_->Call({}, "alloc", {}).code, Code::kLink);
}

struct WithoutGrants : ExtismServiceTest {
  WithoutGrants() : ExtismServiceTest({"kv:read:vars"}) {}
};

TEST_F(WithoutGrants, EveryQuestionIsDecided) {
  EXPECT_EQ(Call("config_get", "vowels"), "E_DENIED");
  EXPECT_EQ(Call("var_get", "a"), "none");
  EXPECT_EQ(Set("a", "one"), "E_DENIED");
}

}  // namespace
}  // namespace cordon::services
