#include "worker/turns.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cordon::worker {
namespace {

struct Call {
  std::string tenant;
};

bool Any(const std::string&) { return true; }

// Of whom the next calls are, all of them.
std::string Order(Turns<Call>& turns, const std::string* warm = nullptr) {
  std::string order;
  while (const Call* next = turns.Next(warm, Any)) order += next->tenant;
  return order;
}

std::vector<Call> Calls(const std::string& tenants) {
  std::vector<Call> calls;
  for (const char tenant : tenants) calls.push_back({std::string(1, tenant)});
  return calls;
}

TEST(Turns, TenantsTakeTurnsWhateverEachOfThemHasWaiting) {
  auto calls = Calls("aaaaabc");
  Turns<Call> turns;
  for (Call& call : calls) turns.Push(call);
  EXPECT_EQ(Order(turns), "abcaaaa");
  EXPECT_TRUE(turns.empty());
}

TEST(Turns, OneForWhomThePlaceIsReadyGoesFirstAndNotForEver) {
  auto calls = Calls("baaaaaaaaaaaa");
  Turns<Call> turns;
  for (Call& call : calls) turns.Push(call);
  const std::string warm = "a";
  EXPECT_EQ(Order(turns, &warm), "aaaaaaaabaaaa");
}

TEST(Turns, WhoMayNotIsPassedByAndKeepsItsPlace) {
  auto calls = Calls("ab");
  Turns<Call> turns;
  for (Call& call : calls) turns.Push(call);
  EXPECT_EQ(turns.Next(nullptr, [](const std::string& tenant) { return tenant == "b"; })->tenant, "b");
  EXPECT_EQ(turns.Next(nullptr, [](const std::string&) { return false; }), nullptr);
  EXPECT_EQ(turns.size(), 1u);
  EXPECT_EQ(Order(turns), "a");
}

TEST(Turns, WhoHasTheMostMakesWay) {
  auto calls = Calls("aaab");
  Turns<Call> turns;
  for (Call& call : calls) turns.Push(call);
  EXPECT_EQ(turns.MakeWay(calls[2]), nullptr) << "nobody has more than a";
  EXPECT_EQ(turns.MakeWay(calls[3]), &calls[2]) << "the last of a, for b";
  EXPECT_EQ(Order(turns), "aba");
}

TEST(Turns, WhoGivesUpIsForgotten) {
  auto calls = Calls("ab");
  Turns<Call> turns;
  for (Call& call : calls) turns.Push(call);
  EXPECT_TRUE(turns.Remove(calls[0]));
  EXPECT_FALSE(turns.Remove(calls[0]));
  EXPECT_EQ(Order(turns), "b");
}

}  // namespace
}  // namespace cordon::worker
