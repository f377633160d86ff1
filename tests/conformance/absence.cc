#include "absence.h"

#include <gtest/gtest.h>

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

}  // namespace cordon::conformance
