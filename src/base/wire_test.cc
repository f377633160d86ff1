#include "base/wire.h"

#include <gtest/gtest.h>

namespace cordon::wire {
namespace {

TEST(Wire, WhatIsWrittenIsReadBack) {
  Buffer bytes;
  Writer out(bytes);
  out.Bool(true);
  out.S16(-2);
  out.U64(1ull << 40);
  out.F64(0.5);
  out.String("grüße");
  Reader in(bytes);
  EXPECT_TRUE(in.Bool());
  EXPECT_EQ(in.S16(), -2);
  EXPECT_EQ(in.U64(), 1ull << 40);
  EXPECT_EQ(in.F64(), 0.5);
  EXPECT_EQ(in.String(), "grüße");
  EXPECT_TRUE(in.Finish());
}

TEST(Wire, AFaultSticks) {
  Buffer bytes = {2, 1, 0, 0, 0};
  Reader in(bytes);
  in.Bool();
  EXPECT_EQ(in.U32(), 0u);
  EXPECT_EQ(in.fault(), Fault::kBool);
  EXPECT_EQ(in.Finish().error().code, Code::kInvalid);
}

TEST(Wire, LengthsBeyondTheEndReserveNothing) {
  Buffer bytes = {0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(Reader(bytes).Count(4), 0u);
  EXPECT_EQ(Reader(bytes).String(), "");
  Reader in(bytes);
  in.String();
  EXPECT_EQ(in.fault(), Fault::kTruncated);
}

TEST(Wire, EachHostileValueIsRefused) {
  const auto fault = [](Buffer bytes, auto read) {
    Reader in(bytes);
    read(in);
    (void)in.Finish();
    return in.fault();
  };
  EXPECT_EQ(fault({0, 0xd8, 0, 0}, [](Reader& in) { in.Char(); }), Fault::kChar);
  EXPECT_EQ(fault({3, 0, 0, 0}, [](Reader& in) { in.Case(3); }), Fault::kCase);
  EXPECT_EQ(fault({8, 0, 0, 0}, [](Reader& in) { in.Flags(3); }), Fault::kFlags);
  EXPECT_EQ(fault({1, 0, 0, 0, 0xff}, [](Reader& in) { in.String(); }), Fault::kUtf8);
  EXPECT_EQ(fault({0, 0}, [](Reader& in) { in.U8(); }), Fault::kLeftOver);
}

}  // namespace
}  // namespace cordon::wire
