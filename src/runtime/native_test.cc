#include "runtime/native.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/wire.h"
#include "runtime/host.h"
#include "runtime/native_session.h"

namespace cordon::runtime {
namespace {

namespace fs = std::filesystem;
using Native = manifest::Config::Native;

class Quiet final : public services::LogSink {
  void Write(const services::LogLine&) override {}
};

class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/cordon-native-XXXXXX";
    path_ = ::mkdtemp(name);
    std::ofstream(path_ / "plugin.yaml") << "manifest: 1\nname: acme/tool\nversion: 1.0.0\n"
                                            "runtime: { abi: native, artifact: tool }\n";
    std::ofstream(path_ / "tool") << "#!/bin/sh\nexit 0\n";
  }
  ~Scratch() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Result<std::shared_ptr<const Plugin>> Load(const Scratch& scratch, Native native, const fs::path& bubblewrap,
                                           LoadRequest request = {}) {
  HostOptions options;
  options.observer = std::make_shared<audit::MemoryObserver>();
  options.log_sink = std::make_shared<Quiet>();
  options.config.native = native;
  options.bubblewrap = bubblewrap;
  auto host = Host::Create(std::move(options));
  EXPECT_TRUE(host);
  request.source = scratch.path();
  return (*host)->Load(request);
}

// Tested everywhere: it needs no namespaces to be refused.
TEST(NativePlugin, WithoutItsBackendItIsRefusedNamingWhatIsMissing) {
  const Scratch scratch;
  const auto absent = Load(scratch, Native::kAllow, scratch.path() / "bwrap");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kUnavailable);
  EXPECT_NE(absent.error().message.find((scratch.path() / "bwrap").string()), std::string::npos);
  EXPECT_EQ(absent.error().remedy, "install the package bubblewrap");
  const auto unable = Load(scratch, Native::kAllow, "/usr/bin/false");
  ASSERT_FALSE(unable);
  EXPECT_EQ(unable.error().code, Code::kUnavailable);
  EXPECT_NE(unable.error().remedy.find("user namespaces"), std::string::npos);
}

TEST(NativePlugin, TheConfigurationIsAskedBeforeTheBackend) {
  const Scratch scratch;
  EXPECT_EQ(Load(scratch, Native::kRefuse, "/usr/bin/false").error().code, Code::kDenied);
  EXPECT_EQ(Load(scratch, Native::kConfirm, "/usr/bin/false").error().code, Code::kDenied);
  LoadRequest confirmed;
  confirmed.native = LoadRequest::Native::kConfirmed;
  EXPECT_EQ(Load(scratch, Native::kRefuse, "/usr/bin/false", confirmed).error().code, Code::kDenied);
  EXPECT_EQ(Load(scratch, Native::kConfirm, "/usr/bin/false", confirmed).error().code, Code::kUnavailable);
  EXPECT_EQ(Load(scratch, Native::kWarn, "/usr/bin/false").error().code, Code::kUnavailable);
}

TEST(NativePlugin, LookedAtItTellsItsRisk) {
  const Scratch scratch;
  LoadRequest look;
  look.purpose = LoadRequest::Purpose::kInspect;
  const auto plugin = Load(scratch, Native::kRefuse, "/nowhere", look);
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ((*plugin)->risk(), policy::RiskLevel::kHigh);
  EXPECT_EQ((*plugin)->Runnable().error().code, Code::kDenied);
  EXPECT_TRUE((*plugin)->is_command());
}

// Answers what the messages ask, and keeps what was asked.
class Channel final : public HostChannel {
 public:
  HostReply Send(const HostRequest& request) override {
    const std::string payload(request.payload.begin(), request.payload.end());
    asked.push_back(std::string(request.function) + " " + payload);
    HostReply reply;
    if (request.function == "store_set") return {HostReply::Outcome::kTrap, {}, Code::kLimit, "full"};
    const std::string text = request.function == "init" ? R"({"type":"init"})" : "[1]";
    reply.payload.assign(text.begin(), text.end());
    return reply;
  }
  std::vector<std::string> asked;
};

class Session : public testing::Test {
 protected:
  Session() { options_.arguments = {"tool", "a"}; }
  // The answer, or the code of what ends the call.
  std::string Take(std::string_view line) {
    const auto answer = session_.Take(line);
    return answer ? *answer : std::string(CodeName(answer.error().code));
  }
  engine::InstanceOptions options_;
  NativeCall call_{.options = &options_, .limits = {}, .call_id = 0};
  const std::shared_ptr<Channel> channel_ = std::make_shared<Channel>();
  std::string printed_;
  NativeSession session_{call_, INT64_MAX, channel_, [this](std::string_view text) {
                           printed_ += text;
                           return Status();
                         }};
};

TEST_F(Session, ItBeginsWithTheArguments) {
  EXPECT_EQ(*session_.Init(), "{\"type\":\"init\"}\n");
  EXPECT_EQ(channel_->asked[0], std::string("init \x01\0\0\0\x01\0\0\0a", 14));
}

TEST_F(Session, IdentifiersComeBackAsTheyWere) {
  EXPECT_EQ(Take(R"({"type":"exec","id":{"a":[1]},"command":"id","cwd":"/x","timeout":5})"),
            "{\"type\":\"response\",\"id\":{\"a\":[1]},\"value\":[1]}\n");
  EXPECT_EQ(channel_->asked[0], R"(exec {"command":"id","cwd":"/x","timeout":5})");
  EXPECT_EQ(Take(R"({"type":"metadata","id":null,"keys":["env"]})"),
            "{\"type\":\"response\",\"id\":null,\"value\":[1]}\n");
  EXPECT_EQ(channel_->asked[1], R"(metadata ["env"])");
}

TEST_F(Session, OutputIsPrintedAndTheStoreMayEndTheCall) {
  EXPECT_EQ(Take(R"({"type":"output","text":"x"})"), "");
  EXPECT_EQ(printed_, "x");
  EXPECT_EQ(Take(R"({"type":"store","key":"k","value":"v"})"), "E_LIMIT");
}

TEST_F(Session, attack_19_WhatIsNoMessageIsSkippedAndLogged) {
  for (const char* line : {"{", "[]", "\"x\"", R"({"type":5})", R"({"type":"load","key":"k"})", R"({"id":1})"}) {
    EXPECT_EQ(Take(line), "") << line;
  }
  EXPECT_EQ(channel_->asked.size(), 6u);
  for (const std::string& asked : channel_->asked) EXPECT_TRUE(asked.starts_with("log ")) << asked;
  EXPECT_EQ(Take(std::string(100'000, '[')), "");
  EXPECT_EQ(Take("  \r"), "");
}

TEST_F(Session, NobodyIsAsked) {
  EXPECT_EQ(Take(R"({"type":"prompt","id":1,"message":"m"})"), "E_UNAVAILABLE");
  EXPECT_EQ(Take(R"({"type":"select","id":1,"message":"m","options":"a"})"), "E_INVALID");
  EXPECT_EQ(Take(R"({"type":"select","id":1,"options":["a","b"],"default":-1})"),
            "{\"type\":\"response\",\"id\":1,\"value\":\"a\"}\n");
}

}  // namespace
}  // namespace cordon::runtime
