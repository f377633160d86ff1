#include "absence.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "stage.h"

namespace cordon::conformance {

void ImportIsRefused(Stage& stage, std::string_view what) {
  stage.Load();
  const Status linked = stage.LoadModuleThatImports(what);
  ASSERT_FALSE(linked) << "a module that imports " << what << " is linked, so the kind has a way";
  ASSERT_EQ(linked.error().causes.size(), 1u) << linked.error().message;
  EXPECT_EQ(linked.error().causes[0].code, Code::kLink);
  EXPECT_EQ(linked.error().causes[0].Detail("rule"), "unknown-interface") << "no grant gives it";
}

void GrantIsOfNoUse(Stage& stage, std::string_view what) {
  stage.Load();
  if (testing::Test::HasFatalFailure()) return;
  const auto& unusable = stage.plugin().link_plan().unusable;
  EXPECT_EQ(std::ranges::count(unusable, what), 1) << "it can make use of " << what;
}

void PageIsRefused(Stage& stage, std::string_view what) {
  const Status loaded = stage.TryLoad({.pages = {std::string(what)}});
  ASSERT_FALSE(loaded) << "it can make use of HTTP";
  EXPECT_EQ(loaded.error().code, Code::kUnenforceable) << loaded.error().message;
}

void ClockIsFine(Stage& stage, std::string_view) {
  stage.Load();
  const Clocks clocks = ReadClocks(stage);
  EXPECT_GT(clocks.now, kLongAgoNs);
  EXPECT_GT(clocks.fine, 0u) << "its clock is coarse, so the kind can have that";
  EXPECT_NE(clocks.random, ReadClocks(stage).random);
}

}  // namespace cordon::conformance
