#include "base/secret_text.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace cordon {
namespace {

TEST(SecretText, MovesAndLeavesNothingBehind) {
  SecretText first("hunter2");
  SecretText second(std::move(first));
  EXPECT_EQ(second.reveal(), "hunter2");
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  EXPECT_EQ(first.reveal(), "");
  second = SecretText("other");
  EXPECT_EQ(second.reveal(), "other");
  SecretText& same = second;
  second = std::move(same);
  EXPECT_EQ(second.reveal(), "other");
}

TEST(SecretText, MayHoldNothingAndNul) {
  EXPECT_TRUE(SecretText("").empty());
  EXPECT_EQ(SecretText(std::string_view("a\0b", 3)).reveal().size(), 3u);
}

TEST(SecretText, WipingOverwrites) {
  std::array<char, 7> bytes = {'h', 'u', 'n', 't', 'e', 'r', '2'};
  WipeText(bytes.data(), bytes.size());
  EXPECT_EQ(std::string(bytes.data(), bytes.size()), std::string(7, '\0'));
}

}  // namespace
}  // namespace cordon
