#include "base/text.h"

#include <gtest/gtest.h>

namespace cordon {
namespace {

TEST(Text, WhatCouldActOnATerminalIsSpelledOut) {
  EXPECT_EQ(Escape("plain, é, 漢"), "plain, é, 漢");
  EXPECT_EQ(Escape("\x1b[31m\r\n\x7f"), "\\u001b[31m\\u000d\\u000a\\u007f");
  EXPECT_EQ(Escape("a\u202eb\u200bc\u2028"), "a\\u202eb\\u200bc\\u2028");
  EXPECT_EQ(Escape("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Escape("a\n\tb\r", Lines::kKeep), "a\n\tb\\u000d");
  EXPECT_EQ(EscapeShort("0123456789", 4), "0123… (6 more bytes)");
}

// ASCII is skipped in blocks of 64: what is wrong must be found wherever it stands in one.
TEST(Text, Utf8IsCheckedAtEveryPlace) {
  for (std::size_t size = 0; size < 200; ++size) {
    const std::string ascii(size, 'x');
    EXPECT_TRUE(IsUtf8(ascii));
    EXPECT_TRUE(IsUtf8(ascii + "é" + ascii));
    EXPECT_FALSE(IsUtf8(ascii + "\xff" + ascii));
    EXPECT_FALSE(IsUtf8(ascii + "\xc3"));
    EXPECT_FALSE(IsUtf8(ascii + "\xed\xa0\x80"));
  }
}

TEST(Text, TheNearestNameIsNearEnough) {
  const std::string_view names[] = {"permissions", "actions", "limits"};
  EXPECT_EQ(Nearest("permisions", names), "permissions");
  EXPECT_EQ(Nearest("quite-other", names), "");
}

}  // namespace
}  // namespace cordon
