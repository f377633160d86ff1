#include "runtime/kept_instances.h"

#include <gtest/gtest.h>

#include <string>

namespace cordon::runtime {
namespace {

// (global (mut i32) 0), and (func (export "count") (result i32)), which adds one to it and gives it.
constexpr std::uint8_t kCounter[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01,
                                     0x7f, 0x03, 0x02, 0x01, 0x00, 0x06, 0x06, 0x01, 0x7f, 0x01, 0x41, 0x00, 0x0b, 0x07,
                                     0x09, 0x01, 0x05, 'c',  'o',  'u',  'n',  't',  0x00, 0x00, 0x0a, 0x0d, 0x01, 0x0b,
                                     0x00, 0x23, 0x00, 0x41, 0x01, 0x6a, 0x24, 0x00, 0x23, 0x00, 0x0b};

// What `calls` calls in a row count.
std::string Counted(InstancePool::Bounds bounds, int calls, CallHandle* handle = nullptr) {
  const auto engine = engine::Engine::Create({});
  const auto code = engine::Compiled::Compile(*engine, kCounter);
  const auto linked = engine::Linked::Link(*code, {});
  const auto function = (*linked)->Find({"", "count"});
  EXPECT_TRUE(function);
  InstancePool pool({*linked, {}, nullptr}, bounds);
  std::string counts;
  for (int i = 0; i < calls; ++i) {
    std::vector<std::uint8_t> output;
    BytesSink sink(output);
    const Status done = pool.Call({.function = *function, .input = {}, .sink = sink, .limits = {}, .handle = handle});
    EXPECT_TRUE(done) << done.error().message;
    counts += output.empty() ? '?' : static_cast<char>('0' + output[0]);
  }
  return counts;
}

TEST(InstancePool, AnInstanceAnswersSoManyCallsAndIsReplaced) {
  EXPECT_EQ(Counted({}, 5), "12345");
  EXPECT_EQ(Counted({.calls_max = 2}, 5), "12121");
}

TEST(InstancePool, AnOldOneIsReplaced) { EXPECT_EQ(Counted({.age_max = Duration(0)}, 3), "111"); }

TEST(InstancePool, NoMoreWaitThanItsBound) { EXPECT_EQ(Counted({.idle_max = 0}, 3), "111"); }

// Who cancels as the call ends must not stop the next one.
TEST(InstancePool, OneWhoseCallWasCancelledIsNotUsedAgain) {
  class Late final : public engine::ResultSink {
   public:
    explicit Late(CallHandle& handle) : handle_(handle) {}
    void Take(engine::Pieces) noexcept override { handle_.Interrupt(); }

   private:
    CallHandle& handle_;
  };
  const auto engine = engine::Engine::Create({});
  const auto code = engine::Compiled::Compile(*engine, kCounter);
  const auto linked = engine::Linked::Link(*code, {});
  const auto function = (*linked)->Find({"", "count"});
  InstancePool pool({*linked, {}, nullptr}, {});
  CallHandle handle;
  Late late(handle);
  (void)pool.Call({.function = *function, .input = {}, .sink = late, .limits = {}, .handle = &handle});
  std::vector<std::uint8_t> output;
  BytesSink sink(output);
  ASSERT_TRUE(pool.Call({.function = *function, .input = {}, .sink = sink, .limits = {}}));
  ASSERT_FALSE(output.empty());
  EXPECT_EQ(output[0], 1);
}

}  // namespace
}  // namespace cordon::runtime
