#include "runtime/supervisor.h"

#include <gtest/gtest.h>

#include <vector>

namespace cordon::runtime {
namespace {

using End = Supervisor::End;
using State = Supervisor::State;
using Restart = manifest::RestartPolicy;
using std::chrono::milliseconds;
using std::chrono::seconds;

const MonotonicTime kStart = MonotonicTime() + std::chrono::hours(1);

Supervisor Made(Restart restart = Restart::kOnFailure, double chance = 0) {
  return Supervisor({.restart = restart}, [chance] { return chance; });
}

// How long it waits after each of `count` failures in a row, `apart` from one another.
std::vector<Duration> Delays(Supervisor supervisor, int count, Duration apart) {
  std::vector<Duration> delays;
  MonotonicTime now = kStart;
  for (int i = 0; i < count; ++i, now += apart) {
    supervisor.Started(now);
    supervisor.Ended(End::kFailed, now);
    if (!supervisor.next_start()) break;
    delays.push_back(*supervisor.next_start() - now);
  }
  return delays;
}

TEST(Supervisor, TheFirstRestartIsAtOnceAndTheNextWaitTwiceAsLongEach) {
  EXPECT_EQ(Delays(Made(), 4, seconds(1)),
            (std::vector<Duration>{Duration(0), milliseconds(200), milliseconds(400), milliseconds(800)}));
}

TEST(Supervisor, ChanceTakesUpToHalfOfAWait) {
  EXPECT_EQ(Delays(Made(Restart::kOnFailure, 0.5), 3, seconds(1)),
            (std::vector<Duration>{Duration(0), milliseconds(150), milliseconds(300)}));
  EXPECT_EQ(Delays(Made(Restart::kOnFailure, 1), 3, seconds(1)),
            (std::vector<Duration>{Duration(0), milliseconds(100), milliseconds(200)}));
}

TEST(Supervisor, NoWaitIsLongerThanItsBound) {
  const std::vector<Duration> delays = Delays(Made(), 40, seconds(20));
  ASSERT_EQ(delays.size(), 40u);
  EXPECT_EQ(delays.back(), seconds(30));
}

TEST(Supervisor, FiveFailuresInAMinuteAreACrashLoop) {
  Supervisor supervisor = Made();
  MonotonicTime now = kStart;
  for (int i = 0; i < 4; ++i, now += seconds(14)) {
    supervisor.Started(now);
    supervisor.Ended(End::kFailed, now);
    EXPECT_EQ(supervisor.state(), State::kBackingOff);
  }
  supervisor.Started(now);
  supervisor.Ended(End::kFailed, now);
  EXPECT_EQ(supervisor.state(), State::kQuarantined);
  EXPECT_FALSE(supervisor.MayStart(now + std::chrono::hours(100)));
  EXPECT_EQ(supervisor.next_start(), std::nullopt);
  EXPECT_EQ(supervisor.restarts(), 4u);
}

TEST(Supervisor, FiveInLongerThanAMinuteAreNot) { EXPECT_EQ(Delays(Made(), 20, seconds(15)).size(), 20u); }

TEST(Supervisor, OneThatCannotBeMadeFailsToo) {
  Supervisor supervisor = Made();
  for (int i = 0; i < 5; ++i) supervisor.Ended(End::kFailed, kStart);
  EXPECT_EQ(supervisor.state(), State::kQuarantined);
}

TEST(Supervisor, ReleaseForgetsWhatWas) {
  Supervisor supervisor = Made();
  EXPECT_FALSE(supervisor.Release());
  for (int i = 0; i < 5; ++i) supervisor.Ended(End::kFailed, kStart);
  EXPECT_TRUE(supervisor.Release());
  EXPECT_TRUE(supervisor.MayStart(kStart));
  supervisor.Started(kStart);
  supervisor.Ended(End::kFailed, kStart);
  EXPECT_EQ(supervisor.next_start(), kStart);
}

TEST(Supervisor, OneThatStoodForAWhileBeginsAgainWithoutWaiting) {
  Supervisor supervisor = Made();
  for (int i = 0; i < 3; ++i) {
    supervisor.Started(kStart);
    supervisor.Ended(End::kFailed, kStart);
  }
  supervisor.Started(kStart);
  const MonotonicTime later = kStart + seconds(60);
  supervisor.Ended(End::kFailed, later);
  EXPECT_EQ(supervisor.next_start(), later);
}

TEST(Supervisor, WhatIsNobodysFaultIsNoFailure) {
  Supervisor supervisor = Made();
  for (int i = 0; i < 100; ++i) {
    supervisor.Started(kStart);
    supervisor.Ended(End::kNotItsFault, kStart);
    EXPECT_EQ(supervisor.next_start(), kStart);
  }
  // A host without room is asked less and less often.
  for (int i = 0; i < 100; ++i) supervisor.Ended(End::kNotItsFault, kStart);
  EXPECT_EQ(supervisor.next_start(), kStart + seconds(30));
}

TEST(Supervisor, ThePolicySaysWhichEndIsTheLast) {
  const auto after = [](Restart restart, End why) {
    Supervisor supervisor = Made(restart);
    supervisor.Started(kStart);
    supervisor.Ended(why, kStart);
    return supervisor.state();
  };
  EXPECT_EQ(after(Restart::kNever, End::kFailed), State::kStopped);
  EXPECT_EQ(after(Restart::kNever, End::kLeft), State::kStopped);
  EXPECT_EQ(after(Restart::kNever, End::kNotItsFault), State::kStopped);
  EXPECT_EQ(after(Restart::kOnFailure, End::kFailed), State::kBackingOff);
  EXPECT_EQ(after(Restart::kOnFailure, End::kLeft), State::kStopped);
  EXPECT_EQ(after(Restart::kOnFailure, End::kNotItsFault), State::kBackingOff);
  EXPECT_EQ(after(Restart::kAlways, End::kFailed), State::kBackingOff);
  EXPECT_EQ(after(Restart::kAlways, End::kLeft), State::kBackingOff);
}

TEST(Supervisor, OneThatLeavesAgainAndAgainIsACrashLoopToo) {
  Supervisor supervisor = Made(Restart::kAlways);
  for (int i = 0; i < 5; ++i) {
    supervisor.Started(kStart);
    supervisor.Ended(End::kLeft, kStart);
  }
  EXPECT_EQ(supervisor.state(), State::kQuarantined);
}

TEST(Supervisor, ClosedItStartsNothing) {
  Supervisor supervisor = Made();
  supervisor.Close();
  EXPECT_FALSE(supervisor.MayStart(kStart));
  EXPECT_FALSE(supervisor.Release());
  supervisor.Reopen();
  EXPECT_TRUE(supervisor.MayStart(kStart));
}

}  // namespace
}  // namespace cordon::runtime
