#include "worker/link.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <thread>

namespace cordon::worker {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::uint32_t Any(std::uint16_t) { return kFrameBytesMax; }

// Waits for what comes within a moment, and no longer.
Link::Watch Brief() {
  return [left = 3]() mutable -> Result<Duration> {
    if (left-- == 0) return Fail(Code::kTimeout, "nothing came");
    return std::chrono::milliseconds(1);
  };
}

class Links : public testing::Test {
 protected:
  void SetUp() override {
    auto memory = Link::Memory();
    ASSERT_TRUE(memory);
    memory_ = std::move(*memory);
    host_ = std::move(*Link::Open(memory_.get(), Link::Side::kHost));
    worker_ = std::move(*Link::Open(memory_.get(), Link::Side::kWorker));
    raw_ = static_cast<std::uint8_t*>(
        ::mmap(nullptr, 4096 + 2 * kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0));
    ASSERT_NE(raw_, MAP_FAILED);
  }
  void TearDown() override { ::munmap(raw_, 4096 + 2 * kRingBytes); }

  static Status Say(Link& link, std::uint16_t type, const Bytes& body) {
    const std::span<const std::uint8_t> piece(body);
    return link.Send(type, Link::Pieces(&piece, 1), {});
  }
  // What a hostile worker can write: the counters of the ring to the host, and the ring.
  void Pretend(std::uint32_t written, const Bytes& bytes) {
    std::memcpy(raw_ + 4096 + kRingBytes, bytes.data(), bytes.size());
    std::memcpy(raw_ + 128, &written, sizeof written);
  }

  UniqueFd memory_;
  std::unique_ptr<Link> host_, worker_;
  std::uint8_t* raw_ = nullptr;
};

TEST_F(Links, FramesOfAnySizeCrossBothWays) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{kRingBytes - 8}, std::size_t{kRingBytes},
                                 std::size_t{3 * kRingBytes + 17}}) {
    Bytes body(size);
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::uint8_t>(i * 7);
    std::jthread other([&] {
      const auto asked = worker_->Receive(Any, {});
      ASSERT_TRUE(asked);
      EXPECT_EQ(asked->type, 7);
      EXPECT_TRUE(Say(*worker_, 8, Bytes(asked->body.begin(), asked->body.end())));
    });
    ASSERT_TRUE(Say(*host_, 7, body));
    const auto answer = host_->Receive(Any, {});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->type, 8);
    EXPECT_EQ(Bytes(answer->body.begin(), answer->body.end()), body);
  }
}

TEST_F(Links, WhoeverWaitsIsAskedAndMayStop) {
  const auto received = host_->Receive(Any, Brief());
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code, Code::kTimeout);
  // Nor is a writer kept whom nobody reads.
  const Bytes large(2 * kRingBytes);
  const std::span<const std::uint8_t> piece(large);
  EXPECT_EQ(host_->Send(1, Link::Pieces(&piece, 1), Brief()).error().code, Code::kTimeout);
}

TEST_F(Links, ATypeHasItsBoundAndAnUnknownOneNone) {
  const auto bound = [](std::uint16_t type) -> std::uint32_t { return type == 5 ? 10 : 0; };
  ASSERT_TRUE(Say(*worker_, 5, Bytes(10)));
  EXPECT_TRUE(host_->Receive(bound, Brief()));
  ASSERT_TRUE(Say(*worker_, 5, Bytes(11)));
  EXPECT_EQ(host_->Receive(bound, Brief()).error().code, Code::kWorkerLost);
  SetUp();
  ASSERT_TRUE(Say(*worker_, 6, Bytes(0)));
  EXPECT_EQ(host_->Receive(bound, Brief()).error().Detail("reason"), "protocol");
}

TEST_F(Links, CountersThatCannotBeAreNotBelieved) {
  for (const std::uint32_t written : {kRingBytes + 1, 1u << 31, ~0u}) {
    SetUp();
    Pretend(written, {});
    const auto received = host_->Receive(Any, Brief());
    ASSERT_FALSE(received);
    EXPECT_EQ(received.error().code, Code::kWorkerLost) << written;
  }
  // The count of what the worker read, as the writer sees it.
  SetUp();
  const std::uint32_t read = 77;
  std::memcpy(raw_ + 64, &read, sizeof read);
  EXPECT_EQ(host_->Send(1, {}, Brief()).error().code, Code::kWorkerLost);
}

// A frame of every length, cut at every byte: nothing is read of it, and nobody hangs.
TEST_F(Links, AFrameThatIsCutIsNoFrame) {
  for (std::uint32_t length = 0; length < 24; ++length) {
    for (std::uint32_t cut = 0; cut < sizeof(FrameHead) + length; ++cut) {
      SetUp();
      Bytes frame(sizeof(FrameHead) + length, 0xab);
      const FrameHead head = {length, 68, 0};
      std::memcpy(frame.data(), &head, sizeof head);
      Pretend(cut, frame);
      const auto received = host_->Receive(Any, Brief());
      ASSERT_FALSE(received);
      EXPECT_EQ(received.error().code, Code::kTimeout);
    }
  }
}

TEST_F(Links, ALengthIsReadOnce) {
  // What the worker changes after the host has read it changes nothing: the body is the host's own copy.
  ASSERT_TRUE(Say(*worker_, 68, Bytes(100, 1)));
  const auto received = host_->Receive(Any, Brief());
  ASSERT_TRUE(received);
  std::memset(raw_, 0xff, 4096 + 2 * kRingBytes);
  EXPECT_EQ(received->body.size(), 100u);
  EXPECT_EQ(received->body[99], 1);
}

// Each byte comes as soon as the last one was taken, so that no look for it is in vain.
TEST_F(Links, WhoGivesAByteAtATimeKeepsNobodyFromTheClock) {
  Bytes frame(sizeof(FrameHead));
  const FrameHead head = {1u << 20, 68, 0};
  std::memcpy(frame.data(), &head, sizeof head);
  std::uint32_t written = sizeof head;
  Pretend(written, frame);
  std::atomic<bool> runs = false;
  std::jthread worker([&](const std::stop_token& stop) {
    runs = true;
    auto& count = *reinterpret_cast<std::atomic<std::uint32_t>*>(raw_ + 128);
    const auto& read = *reinterpret_cast<std::atomic<std::uint32_t>*>(raw_ + 192);
    while (!stop.stop_requested()) {
      if (read.load() == written) count.store(++written);
    }
  });
  while (!runs) std::this_thread::yield();
  const auto received = host_->Receive(Any, []() -> Result<Duration> { return Fail(Code::kTimeout, "it is time"); });
  worker.request_stop();
  worker.join();
  EXPECT_FALSE(received);
  EXPECT_LT(written, 200u);
}

TEST_F(Links, TheMemoryKeepsItsSize) {
  EXPECT_NE(::ftruncate(memory_.get(), 0), 0);
  EXPECT_NE(::ftruncate(memory_.get(), 1 << 30), 0);
}

}  // namespace
}  // namespace cordon::worker
