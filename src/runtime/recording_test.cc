// Fixtures as text, and what a replay makes of questions that differ.
#include "runtime/recording.h"

#include <gtest/gtest.h>

namespace cordon::runtime {
namespace {

using Bytes = std::vector<std::uint8_t>;

Fixture Some() {
  Fixture fixture{.plugin = "acme/x",
                  .digest = Digest::Of("x"),
                  .source = "/plugins/x",
                  .action = "check",
                  .input = "{\"text\": \"a\\nb\"}",
                  .exchanges = {},
                  .code = {},
                  .output = "[1]"};
  fixture.exchanges.push_back({"wasi:clocks/wall-clock@0.2.0", "now", {}, {1, 2, 3}, {}});
  fixture.exchanges.push_back({"wasi:sockets/tcp@0.2.0", "deny:create", {}, {1}, {}});
  fixture.exchanges.push_back({"wasi:cli/exit@0.2.0", "exit", {0}, {}, Code::kExit});
  return fixture;
}

HostReply Ask(Replayer& replayer, std::string_view interface_name, std::string_view function, const Bytes& payload) {
  return replayer.Send({1, interface_name, function, payload, 0});
}

TEST(Fixture, IsReadAsItWasWritten) {
  const Fixture fixture = Some();
  const auto read = ParseFixture(FixtureText(fixture), "a.fixture");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->plugin, fixture.plugin);
  EXPECT_EQ(read->digest, fixture.digest);
  EXPECT_EQ(read->input, fixture.input);
  EXPECT_EQ(read->output, "[1]");
  ASSERT_EQ(read->exchanges.size(), 3u);
  EXPECT_EQ(read->exchanges[0].interface_name, "wasi:clocks/wall-clock@0.2.0");
  EXPECT_EQ(read->exchanges[0].answered, (Bytes{1, 2, 3}));
  EXPECT_EQ(read->exchanges[2].trap, Code::kExit);
  EXPECT_FALSE(read->code);
}

TEST(Fixture, HostileOnesAreErrors) {
  const std::string good = FixtureText(Some());
  for (std::size_t i = 0; i + 1 < good.size(); i += 7) EXPECT_FALSE(ParseFixture(good.substr(0, i), "f")) << i;
  EXPECT_FALSE(ParseFixture(good + good, "f"));
  EXPECT_FALSE(ParseFixture(good + "\n", "f"));
  std::string upper = good;
  upper.replace(upper.find("010203"), 6, "01020G");
  EXPECT_EQ(ParseFixture(upper, "f").error().code, Code::kInvalid);
}

TEST(Replay, AnswersWhatWasRecordedAndNothingElse) {
  Replayer replayer(Some().exchanges);
  EXPECT_EQ(Ask(replayer, "wasi:clocks/wall-clock@0.2.0", "now", {}).payload, (Bytes{1, 2, 3}));
  // What a stub was asked is not compared.
  EXPECT_EQ(Ask(replayer, "wasi:sockets/tcp@0.2.0", "create", {7, 7}).payload, Bytes{1});
  EXPECT_TRUE(replayer.Divergence());  // not all was asked yet
  EXPECT_EQ(Ask(replayer, "wasi:cli/exit@0.2.0", "exit", {0}).code, Code::kExit);
  EXPECT_FALSE(replayer.Divergence());
  const HostReply more = Ask(replayer, "wasi:cli/exit@0.2.0", "exit", {0});
  EXPECT_EQ(more.outcome, HostReply::Outcome::kTrap);
  EXPECT_NE(replayer.Divergence()->find("call 4 of the host is wasi:cli/exit@0.2.0#exit"), std::string::npos);
}

TEST(Replay, AfterTheFirstDifferenceNothingIsAnswered) {
  Replayer replayer(Some().exchanges);
  EXPECT_EQ(Ask(replayer, "wasi:clocks/wall-clock@0.2.0", "now", {9}).outcome, HostReply::Outcome::kTrap);
  EXPECT_EQ(Ask(replayer, "wasi:clocks/wall-clock@0.2.0", "now", {}).outcome, HostReply::Outcome::kTrap);
  EXPECT_NE(replayer.Divergence()->find("call 1 of the host"), std::string::npos);
  EXPECT_NE(replayer.Divergence()->find("asks 09 (1 bytes)"), std::string::npos);
}

TEST(Recorder, KeepsWhatTheGuestAskedAndNotWhatTheEngineAsks) {
  Recorder recorder;
  HostReply reply;
  reply.payload = {5};
  const Bytes asked = {1};
  recorder.After({}, {1, "cordon:host/files", "open", asked, 0}, reply, {});
  recorder.After({}, {1, "acme:x/y", "f", asked, 0}, reply, {});
  const auto kept = recorder.Take();
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ((*kept)[0].function, "f");
  EXPECT_EQ((*kept)[0].answered, Bytes{5});
}

}  // namespace
}  // namespace cordon::runtime
