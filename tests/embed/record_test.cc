// Record and replay of calls that ask the embedding program.
#include "shop.h"

namespace {

using cordon::Code;
using shop::CodeOf;

constexpr const char* kAsk = "acme:shop/till#ask-often";

cordon::Host HostWith(std::function<std::optional<std::uint32_t>()> price) {
  cordon::HostOptions options;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  auto host = cordon::Host::Create(options);
  EXPECT_TRUE(host->Register(shop::PricesWith(std::move(price))));
  return std::move(*host);
}

TEST(Record, AServiceOfTheProgramIsInTheRecordAndIsNotCalledAgain) {
  int asked = 0;
  cordon::Host host =
      HostWith([&]() -> std::optional<std::uint32_t> { return ++asked % 2 ? std::optional(80u) : std::nullopt; });
  const auto recorded = host.Record(shop::Guest(), kAsk, R"({"times": 5})", {.grants = {"host:prices"}});
  ASSERT_TRUE(recorded) << recorded.error().message;
  EXPECT_EQ(recorded->answer.json, "3");
  EXPECT_EQ(recorded->grants, std::vector<std::string>{"host:prices"});
  EXPECT_EQ(asked, 5);
  // In a host that would answer otherwise, and one that has no such service.
  cordon::Host other = HostWith([&]() -> std::optional<std::uint32_t> { return ++asked, 1; });
  auto bare = cordon::Host::Create({.compiler = cordon::HostOptions::Compiler::kInProcess});
  for (cordon::Host* replaying : {&other, &*bare}) {
    const auto again = replaying->Replay(recorded->fixture);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->json, "3");
  }
  EXPECT_EQ(asked, 5);
}

TEST(Record, AReplayThatDivergesFails) {
  cordon::Host host = HostWith([]() -> std::optional<std::uint32_t> { return 80; });
  const auto recorded = host.Record(shop::Guest(), kAsk, R"({"times": 2})", {.grants = {"host:prices"}});
  ASSERT_TRUE(recorded) << recorded.error().message;
  std::string changed = recorded->fixture;
  const std::size_t at = changed.find("times");
  ASSERT_NE(at, std::string::npos);
  changed.replace(changed.find('2', at), 1, "3");
  EXPECT_EQ(CodeOf(host.Replay(changed)), Code::kDigest);
  EXPECT_EQ(CodeOf(host.Replay(recorded->fixture.substr(0, recorded->fixture.size() / 2))), Code::kSyntax);
  EXPECT_EQ(CodeOf(host.Replay("")), Code::kInvalid);
  EXPECT_EQ(CodeOf(host.Replay(recorded->fixture, shop::Guest("logging"))), Code::kChanged);
}

TEST(Record, ACallThatFailsFailsAgain) {
  cordon::Host host = HostWith([]() -> std::optional<std::uint32_t> { return 80; });
  const auto recorded = host.Record(shop::Guest(), "acme:shop/till#trap", "{}", {.grants = {"host:prices"}});
  ASSERT_TRUE(recorded) << recorded.error().message;
  EXPECT_EQ(recorded->failure->code, Code::kTrap);
  EXPECT_EQ(CodeOf(host.Replay(recorded->fixture)), Code::kTrap);
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(50);
  const auto cut = host.Record(shop::Guest(), "acme:shop/till#spin", "{}", {.grants = {"host:prices"}}, brief);
  EXPECT_EQ(CodeOf(cut), Code::kTimeout);
}

}  // namespace
