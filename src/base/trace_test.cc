#include "base/trace.h"

#include <gtest/gtest.h>

namespace cordon {
namespace {

constexpr std::string_view kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceParent, ReadsWhatW3CSays) {
  const auto parent = TraceParent::Parse(kGood);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->Text(), "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331");
  EXPECT_TRUE(parent->sampled);
  EXPECT_EQ(parent->Header(), kGood);
  EXPECT_FALSE(TraceParent::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")->sampled);
  // A later version may say more.
  EXPECT_TRUE(TraceParent::Parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  EXPECT_TRUE(TraceParent::Parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
}

TEST(TraceParent, TakesNothingElse) {
  for (const std::string_view bad : {
           "",
           "00",
           "x",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c\nb7ad6b7169203331-01",
       }) {
    EXPECT_FALSE(TraceParent::Parse(bad)) << bad;
  }
}

TEST(TraceParent, AChildStaysInItsTrace) {
  const auto parent = TraceParent::Parse(kGood);
  const TraceParent child = parent->Child();
  EXPECT_EQ(child.trace, parent->trace);
  EXPECT_NE(child.span, parent->span);
  EXPECT_NE(TraceParent::New().trace, TraceParent::New().trace);
}

}  // namespace
}  // namespace cordon
