#include "runtime/last_good.h"

#include <gtest/gtest.h>

namespace cordon::runtime {
namespace {

const MonotonicTime kStart = MonotonicTime() + std::chrono::hours(1);

TEST(LastGood, TheNewestAnswerWithItsAge) {
  LastGood kept;
  const Digest question = Digest::Of("how much?"), other = Digest::Of("how many?");
  EXPECT_FALSE(kept.Find(question, kStart));
  kept.Keep(question, "1", kStart);
  kept.Keep(question, "2", kStart + std::chrono::seconds(1));
  const auto found = kept.Find(question, kStart + std::chrono::seconds(3));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->answer, "2");
  EXPECT_EQ(found->age, std::chrono::seconds(2));
  EXPECT_FALSE(kept.Find(other, kStart));
}

TEST(LastGood, ThoseThatWereNotUsedForLongestGo) {
  LastGood kept(2, 100);
  kept.Keep(Digest::Of("a"), "A", kStart);
  kept.Keep(Digest::Of("b"), "B", kStart);
  EXPECT_TRUE(kept.Find(Digest::Of("a"), kStart));
  kept.Keep(Digest::Of("c"), "C", kStart);
  EXPECT_TRUE(kept.Find(Digest::Of("a"), kStart));
  EXPECT_FALSE(kept.Find(Digest::Of("b"), kStart));
  // By bytes, too.
  kept.Keep(Digest::Of("d"), std::string(100, 'd'), kStart);
  EXPECT_TRUE(kept.Find(Digest::Of("d"), kStart));
  EXPECT_FALSE(kept.Find(Digest::Of("a"), kStart));
  // What is too large is not kept, and what it answered before is out of date.
  kept.Keep(Digest::Of("d"), std::string(101, 'd'), kStart);
  EXPECT_FALSE(kept.Find(Digest::Of("d"), kStart));
}

}  // namespace
}  // namespace cordon::runtime
