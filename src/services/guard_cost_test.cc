// What an allowance costs: no memory, and one record each time. Every allocation of this program is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "services/guard.h"

namespace {
std::atomic<std::uint64_t> allocations{0};  // of this program
}

// A sanitizer has an allocator of its own in that place.
#ifdef CORDON_SANITIZED
#define CORDON_COUNTS_ALLOCATIONS 0
#endif
#ifndef CORDON_COUNTS_ALLOCATIONS
#define CORDON_COUNTS_ALLOCATIONS 1
#endif

#if CORDON_COUNTS_ALLOCATIONS
void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* made = std::malloc(size == 0 ? 1 : size)) return made;
  throw std::bad_alloc();
}
void operator delete(void* made) noexcept { std::free(made); }
void operator delete(void* made, std::size_t) noexcept { std::free(made); }
#endif

namespace cordon::services {
namespace {

policy::Authority AuthorityOf(const std::vector<std::string>& texts) {
  std::vector<policy::Request> requests;
  std::vector<policy::Grant> grants;
  for (const std::string& text : texts) {
    requests.push_back({*policy::Capability::Parse(text), policy::Need::kOptional, ""});
    grants.push_back(*policy::Grant::Parse(text));
  }
  return *policy::Authority::Evaluate(requests, grants, policy::Ceiling::Default(), policy::LinkMode::kLenient);
}

// Takes views, as the log does, and keeps nothing.
class CountingObserver final : public audit::Observer {
 public:
  Status On(const audit::Record& record) override {
    (record.decision == policy::Verdict::kAllow ? allowed : denied) += 1;
    return {};
  }
  Status OnDecision(const audit::DecisionView& decision) override {
    (decision.decision == policy::Verdict::kAllow ? allowed : denied) += 1;
    last_size = decision.capability.size() + decision.rule.size() + decision.target.size();
    return {};
  }
  std::uint64_t allowed = 0, denied = 0;
  std::size_t last_size = 0;
};

TEST(GuardCost, AnAllowanceMakesNoMemory) {
  const policy::Authority authority = AuthorityOf(
      {"fs:read:/a-rather-long-mount=workspace/and/a/long/folder/below", "kv:write:a-bucket-with-a-long-name"});
  CountingObserver observer;
  const Guard guard(authority, observer, "acme/a-plugin-with-a-long-name", "sha256:0123456789abcdef0123456789abcdef");
  const Caller caller{7, {"somebody/who-called-it", "somebody/else"}};
  const auto same = *policy::Capability::Parse("fs:read:/a-rather-long-mount=workspace/and/a/long/folder/below");
  const auto narrower = *policy::Capability::Parse("kv:read:a-bucket-with-a-long-name");
  if (!CORDON_COUNTS_ALLOCATIONS) GTEST_SKIP() << "a sanitizer's allocator is not counted";
  const std::uint64_t before = allocations.load();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(guard.Check(caller, same, "/a-rather-long-mount/and/a/file").allowed());
    ASSERT_TRUE(guard.Check(caller, narrower, "a-bucket-with-a-long-name").allowed());
  }
  EXPECT_EQ(allocations.load() - before, 0u);
  EXPECT_EQ(observer.allowed, 2000u);
  EXPECT_GT(observer.last_size, 60u);
}

// P2: every question has exactly one record, whatever is asked and whatever the answer.
TEST(GuardCost, EveryQuestionHasExactlyOneRecord) {
  const policy::Authority authority = AuthorityOf(
      {"fs:read:/data=workspace", "host:prices", "env:TOKEN", "http:GET:https://*.example.org/v1/*", "secret:api-key"});
  const std::vector<std::string> questions = {"fs:read:/data=workspace",
                                              "fs:write:/data=workspace",
                                              "fs:read:/other=workspace/x",
                                              "host:prices",
                                              "host:prices:eu/x",
                                              "host:stocks",
                                              "env:TOKEN",
                                              "env:HOME",
                                              "secret:api-key",
                                              "http:GET:https://a.example.org/v1/x",
                                              "http:POST:https://example.org/",
                                              "clock:fine",
                                              "clock:coarse",
                                              "random",
                                              "kv:read:cache",
                                              "msg:send:alerts"};
  std::vector<policy::Capability> asked;
  for (const std::string& text : questions) asked.push_back(*policy::Capability::Parse(text));
  CountingObserver observer;
  const Guard guard(authority, observer, "acme/x", "sha256:1");
  std::mt19937_64 random(20260102);
  std::uint64_t allowed = 0, denied = 0;
  for (int i = 0; i < 200'000; ++i) {
    if (random() % 16 == 0) {
      EXPECT_FALSE(guard.Refuse({}, "fs:read", "/x", "fs:beneath").allowed());
      ++denied;
      continue;
    }
    (guard.Check({}, asked[random() % asked.size()], "target").allowed() ? allowed : denied) += 1;
  }
  EXPECT_EQ(observer.allowed, allowed);
  EXPECT_EQ(observer.denied, denied);
  EXPECT_EQ(allowed + denied, 200'000u);
  EXPECT_GT(allowed, 10'000u);
}

}  // namespace
}  // namespace cordon::services
