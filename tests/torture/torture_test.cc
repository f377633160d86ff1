// Attack case 99 for load and call: the n-th allocation fails, for every n. Each time the operation gives a clean error
// or works, loses nothing, and works afterwards. Allocations of C++ on this thread are covered; those of the Rust
// library end the process when they fail (SECURITY.md).
#include <cstdlib>
#include <functional>
#include <new>

#include "shop.h"

namespace {

thread_local std::int64_t left = -1;  // allocations until one fails; -1: none does
std::atomic<std::int64_t> live = 0;   // allocations that are not freed

void* Allocate(std::size_t size, std::size_t alignment) {
  if (left >= 0 && left-- == 0) return nullptr;
  void* at = alignment > alignof(std::max_align_t)
                 ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                 : std::malloc(size == 0 ? 1 : size);
  if (at != nullptr) ++live;
  return at;
}

void Free(void* at) {
  if (at == nullptr) return;
  --live;
  std::free(at);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* at = Allocate(size, 0)) return at;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (void* at = Allocate(size, static_cast<std::size_t>(alignment))) return at;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 0); }
void operator delete(void* at) noexcept { Free(at); }
void operator delete(void* at, std::size_t) noexcept { Free(at); }
void operator delete(void* at, std::align_val_t) noexcept { Free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { Free(at); }
void operator delete(void* at, const std::nothrow_t&) noexcept { Free(at); }

namespace {

using cordon::Code;

// Runs `operation` with its n-th allocation failing, for n = 1, 2, … until one run meets no failure.
void Torture(const std::function<cordon::Status()>& operation) {
  ASSERT_TRUE(operation()) << "it works when nothing fails";
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(operation()) << "what is kept between calls is there";
  std::int64_t before = 0;
  int failures = 0;
  for (std::int64_t n = 0;; ++n) {
    ASSERT_LT(n, 200'000);
    before = live;
    bool met = false;
    {
      left = n;
      const cordon::Status status = operation();
      met = left < 0;
      left = -1;
      if (!status) {
        ++failures;
        const Code code = status.error().code;
        EXPECT_TRUE(code == Code::kMemory || code == Code::kService || code == Code::kAuditUnavailable ||
                    code == Code::kInternal)
            << n << ": " << cordon::CodeName(code) << ": " << status.error().message;
      }
    }
    EXPECT_LE(live, before + 8) << "allocation " << n << " leaks";
    if (testing::Test::HasFailure()) return;
    if (!met) break;
  }
  EXPECT_GT(failures, 0) << "no failure was met: the test tests nothing";
  EXPECT_TRUE(operation()) << "it works again";
}

template <typename T>
cordon::Status StatusOf(const cordon::Result<T>& result) {
  if (!result) return cordon::Fail(result.error());
  return {};
}

// With an audit that keeps two records, so that what lives does not grow with every call.
shop::Loaded Load() {
  cordon::HostOptions options;
  options.audit = cordon::AuditMemory::Make(2);
  return shop::Load(std::move(options));
}

TEST(attack_99, Create) {
  Torture([] { return StatusOf(cordon::Host::Create()); });
}

TEST(attack_99, TypedCalls) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const std::vector<shop::Article> articles = {{"shoes", 80, shop::Currency::usd},
                                               {std::string(2000, 'x'), 1, shop::Currency::eur}};
  Torture([&]() -> cordon::Status {
    const auto echo = loaded.plugin->Function<std::vector<shop::Article>(const std::vector<shop::Article>&)>("echo");
    if (!echo) return cordon::Fail(echo.error());
    return StatusOf((*echo)(articles));
  });
}

TEST(attack_99, CallsThatAskAService) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const auto total = loaded.plugin->Function<std::uint64_t(std::span<const std::uint32_t>)>("total");
  ASSERT_TRUE(total);
  const std::vector<std::uint32_t> amounts = {1, 2, 3};
  Torture([&] { return StatusOf((*total)(amounts)); });
}

TEST(attack_99, WarmInstances) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const auto count = loaded.plugin->Function<std::uint32_t()>("count");
  ASSERT_TRUE(count);
  Torture([&]() -> cordon::Status {
    auto instance = loaded.plugin->NewInstance();
    if (!instance) return cordon::Fail(instance.error());
    return StatusOf(count->On(*instance));
  });
}

TEST(attack_99, AsynchronousCallsCompleteExactlyOnce) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const auto add = loaded.plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  ASSERT_TRUE(add);
  Torture([&]() -> cordon::Status {
    std::atomic<int> completed = 0;
    try {
      add->Async(nullptr, {}, 1, 2).Then([&](auto) { ++completed; });
    } catch (const std::bad_alloc&) {  // before it was started
      EXPECT_EQ(completed, 0);
      return cordon::Fail(Code::kMemory, "");
    }
    for (int i = 0; i < 3000 && completed == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(completed, 1);
    return {};
  });
}

}  // namespace
