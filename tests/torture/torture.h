// Attack case 99: an operation under every way for memory to run out.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <thread>

#include "cordon/result.h"
#include "failing.h"

namespace torture {

// One operation, with Begin and End around what may fail. Gives its error, or nothing.
using Operation = std::function<std::optional<cordon::Code>(Failing&)>;

template <typename T>
std::optional<cordon::Code> FaultOf(const cordon::Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code;
}

// What may be told of memory that ran out: where it ran out in a service or the audit, that is what failed.
inline bool IsClean(cordon::Code code) {
  using cordon::Code;
  return code == Code::kMemory || code == Code::kService || code == Code::kAuditUnavailable || code == Code::kInternal;
}

// Whether more lives after it than before, time and again: what merely grows, as the tables of a library do, grows
// once.
inline bool Leaks(const Operation& operation, std::int64_t n, Mode mode) {
  for (int again = 0; again < 6; ++again) {
    const std::int64_t before = Live();
    Failing failing(n, mode);
    operation(failing);
    failing.End();
    // Threads of the engine may still be letting go of something.
    for (int i = 0; i < 200 && Live() > before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (Live() <= before) return false;
  }
  return true;
}

// Runs the operation with its n-th allocation failing, for `runs` values of n from the first to the last, and for all
// of them when CORDON_SOAK is set.
inline void Torture(Mode mode, int runs, const Operation& operation) {
  std::int64_t count = 0;
  for (int i = 0; i < 5; ++i) {  // what is kept between operations is there afterwards
    Failing none(INT64_MAX, Mode::kOne);
    const auto code = operation(none);
    ASSERT_FALSE(code) << "it works when nothing fails; here: " << cordon::CodeName(*code);
    none.End();
    count = none.asked();
  }
  ASSERT_GT(count, 0);
  if (std::getenv("CORDON_SOAK") != nullptr) runs = 20'000;
  const std::int64_t stride = std::max<std::int64_t>(1, count / runs);
  int failures = 0;
  for (std::int64_t n = 0; n < count; n += stride) {
    const std::int64_t before = Live();
    Failing failing(n, mode);
    const auto code = operation(failing);
    failing.End();
    if (code) {
      ++failures;
      EXPECT_TRUE(IsClean(*code)) << n << " of " << count << ": " << cordon::CodeName(*code);
    }
    EXPECT_FALSE(Live() > before && Leaks(operation, n, mode)) << n << " of " << count << " leaks";
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(failures, 0) << "no failure was met: the test tests nothing";
  Failing none(INT64_MAX, Mode::kOne);
  EXPECT_FALSE(operation(none)) << "it works again";
}

}  // namespace torture
