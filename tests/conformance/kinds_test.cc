// The conformance suite: every behaviour of every kind of guest at every placement, each a test of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "behaviours.h"
#include "isolation/bubblewrap.h"

namespace cordon::conformance {
namespace {

// What a kind cannot have, nobody can give it.
void ShowAbsence(const NotApplicable& lacking, const Placement& placement, const Kind& kind, const Site& site) {
  std::cout << kind.name << " has no " << lacking.behaviour << ": " << lacking.reason << "\n";
  EXPECT_FALSE(lacking.reason.empty());
  Stage stage(kind, placement, site);
  lacking.show(stage, lacking.what);
}

class Case final : public testing::Test {
 public:
  Case(const Kind& kind, const Behaviour& behaviour, const Placement& placement)
      : kind_(kind), behaviour_(behaviour), placement_(placement) {}

  void TestBody() override {
    if (kind_.runs == Kind::Runs::kProcess) {
      const auto backend = isolation::Bubblewrap::Find();
      if (!backend) GTEST_SKIP() << "skipped=" << backend.error().message;
    }
    const Site site;
    if (const NotApplicable* lacking = kind_.Lacks(behaviour_.name)) {
      return ShowAbsence(*lacking, placement_, kind_, site);
    }
    const std::vector<std::string> seen = Show(placement_, site);
    if (HasFailure() || placement_.name == Placements().front().name) return;
    EXPECT_EQ(seen, Show(Placements().front(), site)) << "results, denials, audit and log are the same anywhere";
  }

 private:
  std::vector<std::string> Show(const Placement& placement, const Site& site) const {
    Stage stage(kind_, placement, site);
    behaviour_.show(stage);
    return stage.seen();
  }

  const Kind& kind_;
  const Behaviour& behaviour_;
  const Placement& placement_;
};

void RegisterCases() {
  for (const Kind& kind : Kinds()) {
    std::string suite(kind.name);
    std::ranges::replace(suite, '-', '_');  // gtest's filter takes a hyphen for "but not"
    for (const Behaviour& behaviour : Behaviours()) {
      for (const Placement& placement : Placements()) {
        const std::string name = std::string(behaviour.name) + "." + std::string(placement.name);
        testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                              [&]() -> testing::Test* { return new Case(kind, behaviour, placement); });
      }
    }
  }
}

}  // namespace
}  // namespace cordon::conformance

int main(int argc, char** argv) {
  cordon::conformance::RegisterCases();
  testing::InitGoogleTest(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  if (!testing::GTEST_FLAG(list_tests) && testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    std::cerr << "no case has that name\n";
    return 1;
  }
  return failed;
}
