#include "embed/fair_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace cordon::embed {
namespace {

using Line = FairLine<int, std::string>;

void Push(Line& line, int who, Priority priority, std::string entry) {
  line.Push(who, priority, std::make_unique<std::string>(std::move(entry)));
}

std::string Order(Line& line) {
  std::string order;
  while (const auto next = line.Pop()) order += *next;
  return order;
}

TEST(FairLine, WhoCannotBeginIsPassedByAndStaysTheFirstOfItsOwn) {
  Line line;
  for (const char* entry : {"a1", "a2"}) Push(line, 1, Priority::kHigh, entry);
  Push(line, 2, Priority::kLow, "b");
  const auto not_a = [](const std::string& first) { return first[0] != 'a'; };
  EXPECT_TRUE(line.Any(not_a));
  EXPECT_EQ(*line.Pop(not_a), "b");
  EXPECT_FALSE(line.Any(not_a));
  EXPECT_EQ(line.Pop(not_a), nullptr);
  auto first = line.Pop();
  line.PutBack(1, Priority::kHigh, first);
  EXPECT_EQ(line.size(), 2u);
  EXPECT_EQ(Order(line), "a1a2");
  auto alone = std::make_unique<std::string>("c");
  line.PutBack(3, Priority::kNormal, alone);
  EXPECT_EQ(Order(line), "c");
}

TEST(FairLine, OneThatGivesUpIsTakenOutOfTheMiddle) {
  Line line;
  for (const char* entry : {"a", "b", "c"}) Push(line, 1, Priority::kNormal, entry);
  const auto is_b = [](const std::string& entry) { return entry == "b"; };
  EXPECT_EQ(*line.TakeOut(is_b), "b");
  EXPECT_EQ(line.TakeOut(is_b), nullptr);
  EXPECT_EQ(Order(line), "ac");
  EXPECT_TRUE(line.empty());
}

TEST(FairLine, PluginsTakeTurnsWhateverEachOfThemHasWaiting) {
  Line line;
  for (int i = 0; i < 5; ++i) Push(line, 1, Priority::kNormal, "a");
  Push(line, 2, Priority::kNormal, "b");
  Push(line, 3, Priority::kNormal, "c");
  EXPECT_EQ(Order(line), "abcaaaa");
}

TEST(FairLine, CallsOfOnePluginKeepTheirOrder) {
  Line line;
  for (const char* name : {"1", "2", "3"}) Push(line, 1, Priority::kNormal, name);
  EXPECT_EQ(Order(line), "123");
}

TEST(FairLine, AHigherPriorityHasMoreOfTheTurnsAndNeverAll) {
  Line line;
  for (int i = 0; i < 100; ++i) {
    Push(line, 1, Priority::kLow, "l");
    Push(line, 1, Priority::kNormal, "n");
    Push(line, 1, Priority::kHigh, "h");
  }
  const std::string first = Order(line).substr(0, 21);
  EXPECT_EQ(std::ranges::count(first, 'h'), 16);
  EXPECT_EQ(std::ranges::count(first, 'n'), 4);
  EXPECT_EQ(std::ranges::count(first, 'l'), 1);
}

TEST(FairLine, WhoHasTheMostMakesWayForWhoHasLess) {
  Line line;
  Push(line, 1, Priority::kNormal, "first");
  Push(line, 1, Priority::kLow, "low");
  Push(line, 1, Priority::kNormal, "last");
  EXPECT_EQ(line.MakeWay(1), nullptr);  // nobody makes way for itself
  EXPECT_EQ(*line.MakeWay(2), "low");
  Push(line, 2, Priority::kNormal, "other");
  EXPECT_EQ(line.MakeWay(2), nullptr);  // 2 and 1: one more would be more than the other has
  EXPECT_EQ(line.size(), 3u);
  EXPECT_EQ(Order(line), "firstotherlast");
}

}  // namespace
}  // namespace cordon::embed
