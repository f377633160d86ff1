#include "services/delay_line.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

namespace cordon::services {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST(DelayLine, WhatIsDueSoonerGoesFirstAndNothingTooSoon) {
  DelayLine line;
  std::string order;
  std::promise<void> done;
  const auto now = Clock::now();
  EXPECT_TRUE(line.Put(now + 40ms, [&] {
    order += "b";
    done.set_value();
  }));
  EXPECT_TRUE(line.Put(now + 20ms, [&] { order += Clock::now() >= now + 20ms ? "a" : "too soon"; }));
  done.get_future().get();
  EXPECT_EQ(order, "ab");
}

TEST(DelayLine, WhatWaitsWhenItStopsIsLetGo) {
  auto kept = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = kept;
  DelayLine line;
  EXPECT_TRUE(line.Put(Clock::now() + 1h, [kept = std::move(kept)] { ADD_FAILURE() << "it ran"; }));
  line.Stop();
  EXPECT_TRUE(seen.expired());
  EXPECT_FALSE(line.Put(Clock::now(), [] { ADD_FAILURE() << "it ran"; }));
}

TEST(DelayLine, WhatRunsMayBeTheLastToHoldIt) {
  auto line = std::make_shared<DelayLine>();
  std::promise<void> done;
  DelayLine& at = *line;
  at.Put(Clock::now(), [line = std::move(line), &done]() mutable {
    line.reset();
    done.set_value();
  });
  done.get_future().get();
}

}  // namespace
}  // namespace cordon::services
