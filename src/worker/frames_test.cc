#include "worker/frames.h"

#include <gtest/gtest.h>

namespace cordon::worker {
namespace {

template <typename T>
wire::Buffer Encoded(const T& value) {
  wire::Buffer bytes;
  wire::Writer out(bytes);
  Encode(out, value);
  return bytes;
}

SetUp Whole() {
  SetUp set_up;
  set_up.engine.fuel = true;
  set_up.engine.stops = engine::EngineOptions::Stops::kNone;
  set_up.engine.max_memory_bytes = 1 << 20;
  set_up.link.wasi = {"wasi:io/poll", "wasi:cli/exit"};
  set_up.link.host = {{"a:b/c@1.0.0", "f", engine::HostImport::Kind::kBlocking, ""}, {"", "g", {}, "tb->n"}};
  set_up.link.stubs = {{"x:y/z", "", {}, ""}};
  set_up.link.abi = engine::LinkSpec::Abi::kExtism;
  set_up.libraries = {"extism:host/env"};
  set_up.folders = 3;
  return set_up;
}

Done Ended() {
  Done done;
  done.error = Error(Code::kTrap, std::string("ended\0here", 10), "look");
  done.error->backtrace = "0: f";
  done.error->details = {{"limit", "memory"}};
  done.poisoned = true;
  done.usage.memory_peak_bytes = 7;
  done.usage.wall = std::chrono::milliseconds(3);
  done.out = "\xff not text";
  return done;
}

TEST(Frames, ASetUpSurvives) {
  const auto got = DecodeSetUp(Encoded(Whole()));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(Encoded(*got), Encoded(Whole()));
}

TEST(Frames, AnotherVersionSaysSo) {
  wire::Buffer bytes = Encoded(Whole());
  bytes[0] ^= 1;
  EXPECT_EQ(DecodeSetUp(bytes).error().code, Code::kUnavailable);
}

TEST(Frames, WhatACallLeftSurvives) {
  const wire::Buffer bytes = Encoded(Ended());
  wire::Reader in(bytes);
  const auto got = DecodeDone(in);
  ASSERT_TRUE(got && in.Finish());
  EXPECT_EQ(Encoded(*got), bytes);
  EXPECT_EQ(got->error->code, Code::kTrap);
  EXPECT_EQ(got->out, "\xff not text");
}

TEST(Frames, TimesThatCannotBeHaveASumAllTheSame) {
  Done done;
  done.usage.wall = done.usage.cpu = Duration::max();
  wire::Buffer bytes;
  wire::Writer out(bytes);
  Encode(out, done);
  wire::Reader in(bytes);
  const auto got = DecodeDone(in);
  ASSERT_TRUE(got);
  EXPECT_LE(got->usage.wall, std::chrono::hours(24 * 366));
  EXPECT_LE(got->usage.cpu, std::chrono::hours(24 * 366));
}

TEST(Frames, NothingIsReadBehindTheEnd) {
  for (const wire::Buffer& whole : {Encoded(Whole()), Encoded(Ended())}) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      const std::span<const std::uint8_t> bytes(whole.data(), cut);
      EXPECT_FALSE(DecodeSetUp(bytes));
      wire::Reader in(bytes);
      const auto done = DecodeDone(in);
      EXPECT_FALSE(done && in.Finish() && done->error && done->out == Ended().out);
    }
  }
}

TEST(Frames, NumbersThatAreNoneAreRefused) {
  wire::Buffer bytes = Encoded(Ended());
  bytes[1] = 0xff;  // the code of the error
  bytes[2] = 0xff;
  wire::Reader in(bytes);
  EXPECT_FALSE(DecodeDone(in));
  // A count of details that the rest could not hold is not reserved for.
  bytes = Encoded(Error(Code::kTrap, "x"));
  std::fill(bytes.end() - 4, bytes.end(), 0xff);
  wire::Reader details(bytes);
  (void)DecodeError(details);
  EXPECT_FALSE(details.Finish());
}

TEST(Frames, OptionsNameFoldersByNumber) {
  engine::InstanceOptions options;
  options.environment = {{"A", "b"}};
  options.arguments = {"x"};
  options.preopens = {{11, "/data", true}};
  options.stdin_bytes = "in";
  options.clock = engine::ClockKind::kStepped;
  options.limits.memory_bytes = 12345;
  const int mine[] = {9, 11}, theirs[] = {6, 7};
  wire::Buffer bytes;
  wire::Writer out(bytes);
  Encode(out, options, mine);
  wire::Reader in(bytes);
  WhatFollows follow;
  const auto got = DecodeOptions(in, theirs, follow);
  ASSERT_TRUE(got && in.Finish());
  EXPECT_EQ(got->preopens.at(0).dir_fd, 7);
  EXPECT_TRUE(got->preopens.at(0).writable);
  EXPECT_EQ(got->limits.memory_bytes, 12345u);
  EXPECT_EQ(got->clock, engine::ClockKind::kStepped);
  EXPECT_FALSE(follow.streams || follow.network);
  // One that was not handed over.
  wire::Reader again(bytes);
  EXPECT_FALSE(DecodeOptions(again, std::span(theirs).first(1), follow));
}

}  // namespace
}  // namespace cordon::worker
