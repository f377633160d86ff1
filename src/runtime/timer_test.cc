#include "runtime/timer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace cordon::runtime {
namespace {

using Clock = std::chrono::steady_clock;

class Ticked final : public Timed {
 public:
  explicit Ticked(std::function<MonotonicTime(int)> next) : next_(std::move(next)) {}
  MonotonicTime Tick(MonotonicTime) override { return next_(++ticks); }
  std::atomic<int> ticks = 0;

 private:
  std::function<MonotonicTime(int)> next_;
};

MonotonicTime Never(int) { return MonotonicTime::max(); }

bool Soon(const std::function<bool()>& holds) {
  for (int i = 0; i < 5000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return holds();
}

TEST(Timer, ComesAsOftenAsItIsAskedAndNoMore) {
  Timer timer;
  const auto often = std::make_shared<Ticked>([](int n) { return n < 3 ? Clock::now() : MonotonicTime::max(); });
  const auto once = std::make_shared<Ticked>(Never);
  ASSERT_TRUE(timer.Set(often, Clock::now()));
  ASSERT_TRUE(timer.Set(once, Clock::now()));
  EXPECT_TRUE(Soon([&] { return often->ticks == 3 && once->ticks == 1; }));
  ASSERT_TRUE(timer.Set(once, Clock::now()));
  EXPECT_TRUE(Soon([&] { return once->ticks == 2; }));
  timer.Stop();
  EXPECT_EQ(often->ticks, 3);
}

TEST(Timer, TheEarlierOfTwoTimesCounts) {
  Timer timer;
  const auto what = std::make_shared<Ticked>(Never);
  ASSERT_TRUE(timer.Set(what, Clock::now() + std::chrono::hours(1)));
  ASSERT_TRUE(timer.Set(what, Clock::now()));
  ASSERT_TRUE(timer.Set(what, Clock::now() + std::chrono::hours(2)));
  EXPECT_TRUE(Soon([&] { return what->ticks == 1; }));
}

TEST(Timer, WhatIsGoneIsNotLookedAt) {
  Timer timer;
  auto gone = std::make_shared<Ticked>(Never);
  const std::weak_ptr<Ticked> seen = gone;
  ASSERT_TRUE(timer.Set(gone, Clock::now() + std::chrono::milliseconds(20)));
  gone.reset();
  EXPECT_TRUE(seen.expired());
  const auto other = std::make_shared<Ticked>(Never);
  ASSERT_TRUE(timer.Set(other, Clock::now() + std::chrono::milliseconds(40)));
  EXPECT_TRUE(Soon([&] { return other->ticks == 1; }));
}

TEST(Timer, StoppedItTakesNothing) {
  Timer timer;
  timer.Stop();
  EXPECT_FALSE(timer.Set(std::make_shared<Ticked>(Never), Clock::now()));
  timer.Stop();
}

// The last to hold a host may be what its own thread looks at.
TEST(Timer, MayEndOnItsOwnThread) {
  auto timer = std::make_shared<Timer>();
  std::atomic<bool> ended = false;
  const auto what = std::make_shared<Ticked>([&](int) {
    timer.reset();
    ended = true;
    return MonotonicTime::max();
  });
  ASSERT_TRUE(timer->Set(what, Clock::now()));
  EXPECT_TRUE(Soon([&] { return ended.load(); }));
}

}  // namespace
}  // namespace cordon::runtime
