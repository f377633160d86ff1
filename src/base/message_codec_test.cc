#include "base/message_codec.h"

#include <gtest/gtest.h>

namespace cordon {
namespace {

// Answers with what it was asked.
class Echo final : public HostChannel {
 public:
  HostReply Send(const HostRequest& request) override {
    HostReply reply;
    reply.payload.assign(request.payload.begin(), request.payload.end());
    reply.message = std::string(request.interface_name) + "|" + std::string(request.function) + "|" +
                    std::to_string(request.call_id) + "|" + std::to_string(request.deadline_ns);
    reply.outcome = HostReply::Outcome::kTrap;
    reply.code = Code::kDenied;
    return reply;
  }
};

TEST(Codec, AMessageSurvivesTheWayThereAndBack) {
  Echo echo;
  CodecChannel channel(echo);
  const std::vector<std::uint8_t> payload = {0, 1, 255};
  const HostRequest request{~0ull, "wasi:logging/logging@0.1.0-draft", "log", payload, -5};
  const HostReply direct = echo.Send(request), coded = channel.Send(request);
  EXPECT_EQ(coded.payload, direct.payload);
  EXPECT_EQ(coded.message, direct.message);
  EXPECT_EQ(coded.code, direct.code);
  EXPECT_EQ(coded.outcome, direct.outcome);
}

TEST(Codec, EveryCutAndEveryFlippedBitIsAnErrorOrAMessage) {
  const std::vector<std::uint8_t> payload = {1, 2, 3};
  const auto bytes = *EncodeRequest({1, "a:b/c", "f", payload, 2});
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeRequest(std::span(bytes).first(size)));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    const auto decoded = DecodeRequest(flipped);
    if (decoded) {
      EXPECT_EQ(*EncodeRequest(decoded->Views()), flipped);
    }
    EXPECT_FALSE(DecodeReply(flipped));
  }
  HostReply reply;
  reply.payload = payload;
  const auto answer = *EncodeReply(reply);
  for (std::size_t size = 0; size < answer.size(); ++size) EXPECT_FALSE(DecodeReply(std::span(answer).first(size)));
  for (std::size_t bit = 0; bit < answer.size() * 8; ++bit) {
    auto flipped = answer;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    const auto decoded = DecodeReply(flipped);
    if (decoded) {
      EXPECT_EQ(*EncodeReply(*decoded), flipped);
    }
  }
}

TEST(Codec, PartsAreBounded) {
  Echo echo;
  CodecChannel channel(echo);
  const std::vector<std::uint8_t> huge(kMessagePayloadMax + 1);
  EXPECT_EQ(channel.Send({1, "a", "f", huge, 0}).code, Code::kLimit);
  EXPECT_EQ(channel.Send({1, std::string(kMessageNameMax + 1, 'a'), "f", {}, 0}).code, Code::kLimit);
  EXPECT_EQ(channel.Send({1, "a\xff", "f", {}, 0}).code, Code::kInvalid);
}

}  // namespace
}  // namespace cordon
