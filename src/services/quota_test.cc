#include "services/quota.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace cordon::services {
namespace {

using namespace std::chrono_literals;
using For = LimitEnforcer::For;

constexpr std::uint64_t kMiB = 1 << 20;

// A clock that moves when it is told to.
struct FakeClock {
  std::shared_ptr<std::atomic<std::int64_t>> ns = std::make_shared<std::atomic<std::int64_t>>(1'000'000'000);
  Now now() const {
    return [at = ns] { return MonotonicTime(Duration(at->load())); };
  }
  void Pass(Duration by) { *ns += by.count(); }
};

struct Quotas {
  FakeClock clock;
  // An alert is told on the thread that passed the threshold.
  std::mutex mutex;
  std::vector<QuotaAlert> alerts;

  std::shared_ptr<QuotaAccount> Account(policy::Quota quota, std::string plugin = "acme/x") {
    return std::make_shared<QuotaAccount>(std::move(plugin), quota, clock.now(), [this](const QuotaAlert& alert) {
      const std::lock_guard lock(mutex);
      alerts.push_back(alert);
    });
  }
  std::shared_ptr<LimitEnforcer> Enforcer(policy::Quota own, std::optional<policy::Quota> sum = std::nullopt) {
    return std::make_shared<LimitEnforcer>(Account(own), sum ? Account(*sum, "") : nullptr, clock.now());
  }
};

TEST(Quota, ARateLetsItsBurstByAndThenMakesWait) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.read = Rate{10 * kMiB, 1s}});
  EXPECT_EQ(enforcer->Spend(Resource::kRead, 10 * kMiB), 0ns);
  EXPECT_EQ(enforcer->Spend(Resource::kRead, 5 * kMiB), 500ms) << "half a second's worth is owed";
  EXPECT_EQ(enforcer->Spend(Resource::kWrite, 1000 * kMiB), 0ns) << "what has no bound never waits";
  quotas.clock.Pass(500ms);
  EXPECT_EQ(enforcer->Spend(Resource::kRead, 0), 0ns);
  quotas.clock.Pass(1h);
  EXPECT_EQ(enforcer->Spend(Resource::kRead, 10 * kMiB), 0ns) << "a rest fills it, and no further than full";
  EXPECT_EQ(enforcer->Spend(Resource::kRead, kMiB), 100ms);
}

TEST(Quota, ARequestWaitsAsLongAsItMayAndIsThenRefusedWithoutBeingCounted) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.requests = Rate{60, 1min}});
  for (int i = 0; i < 60; ++i) ASSERT_EQ(enforcer->SpendWithin(Resource::kRequests, 1, 1s).value(), 0ns) << i;
  EXPECT_EQ(enforcer->SpendWithin(Resource::kRequests, 1, 1s).value(), 1s);
  const auto refused = enforcer->SpendWithin(Resource::kRequests, 1, 1s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().resource, Resource::kRequests);
  EXPECT_EQ(refused.error().retry_after, 2s);
  quotas.clock.Pass(1s);
  EXPECT_EQ(enforcer->SpendWithin(Resource::kRequests, 1, 1s).value(), 1s) << "the refused one was not charged";
}

TEST(Quota, TheSumHoldsWhereOnesOwnWouldNot) {
  Quotas quotas;
  const auto sum = quotas.Account({.concurrency = 2, .requests = Rate{1, 1s}}, "");
  const auto one =
      std::make_shared<LimitEnforcer>(quotas.Account({.concurrency = 2}, "acme/a"), sum, quotas.clock.now());
  const auto other = std::make_shared<LimitEnforcer>(nullptr, sum, quotas.clock.now());
  auto first = one->Admit(For::kCall, kMiB);
  auto second = other->Admit(For::kCall, kMiB);
  ASSERT_TRUE(first && second);
  const auto third = one->Admit(For::kCall, kMiB);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().plugin, "") << "that of all in sum";
  EXPECT_EQ(third.error().resource, Resource::kConcurrency);
  EXPECT_EQ(one->own()->Usage()[0].used, 1u) << "what the sum refused is not held in one's own";
  second->Release();
  EXPECT_TRUE(one->Admit(For::kCall, kMiB));
  EXPECT_EQ(one->SpendWithin(Resource::kRequests, 1, 0s).value(), 0ns);
  EXPECT_FALSE(other->SpendWithin(Resource::kRequests, 1, 0s)) << "the other plugin used it";
}

TEST(Quota, MemoryIsReservedByCallsAndInstancesTogether) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.memory = MiB(100)});
  auto instance = enforcer->Admit(For::kInstance, 60 * kMiB);
  ASSERT_TRUE(instance);
  const auto too_much = enforcer->Admit(For::kCall, 60 * kMiB);
  ASSERT_FALSE(too_much);
  EXPECT_EQ(too_much.error().resource, Resource::kMemory);
  EXPECT_EQ(too_much.error().limit, 100 * kMiB);
  EXPECT_TRUE(enforcer->Admit(For::kCallInInstance, 60 * kMiB)) << "its memory is the instance's";
  auto call = enforcer->Admit(For::kCall, 40 * kMiB);
  ASSERT_TRUE(call);
  EXPECT_EQ(enforcer->own()->Usage()[0].used, 100 * kMiB);
  *call = CallTicket();
  instance->Release();
  EXPECT_EQ(enforcer->own()->Usage()[0].used, 0u);
  EXPECT_EQ(enforcer->own()->memory_peak(), 100 * kMiB);
  EXPECT_FALSE(enforcer->Admit(For::kCall, UINT64_MAX)) << "nor does a sum overflow";
}

TEST(Quota, CpuTimeIsOfAPeriodAndBeginsAnewWithTheNext) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.cpu_time = 10s, .cpu_period = 1min});
  EXPECT_EQ(enforcer->CpuLeft(), 10s);
  enforcer->ChargeCpu(4s);
  EXPECT_EQ(enforcer->CpuLeft(), 6s) << "what a call that starts now may use";
  enforcer->ChargeCpu(7s);
  EXPECT_EQ(enforcer->CpuLeft(), 1ms) << "for a call that was admitted before";
  quotas.clock.Pass(20s);
  const auto refused = enforcer->Admit(For::kCall, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().resource, Resource::kCpuTime);
  EXPECT_EQ(refused.error().retry_after, 40s) << "until the period ends";
  quotas.clock.Pass(40s);
  EXPECT_TRUE(enforcer->Admit(For::kCall, 0));
  EXPECT_EQ(enforcer->CpuLeft(), 10s);
}

TEST(Quota, AShareIsPaidBackByResting) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.cpu_share = 0.25});
  EXPECT_FALSE(enforcer->CpuLeft()) << "a share cuts no call short";
  enforcer->ChargeCpu(1250ms);
  const auto refused = enforcer->Admit(For::kCallInInstance, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().resource, Resource::kCpuShare);
  EXPECT_EQ(refused.error().retry_after, 4s) << "a second too much, at a quarter";
  quotas.clock.Pass(4s);
  EXPECT_TRUE(enforcer->Admit(For::kCallInInstance, 0));
}

TEST(Quota, WhoIsRefusedIsToldWhenToComeAgain) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.concurrency = 1});
  auto first = enforcer->Admit(For::kCall, 0);
  ASSERT_TRUE(first);
  const auto early = enforcer->Admit(For::kCall, 0);
  EXPECT_EQ(early.error().retry_after, 100ms) << "nothing is known of these calls yet";
  for (int i = 0; i < 50; ++i) {
    quotas.clock.Pass(40ms);
    first->Release();
    first = enforcer->Admit(For::kCall, 0);
    ASSERT_TRUE(first);
  }
  const auto later = enforcer->Admit(For::kCall, 0);
  EXPECT_GE(later.error().retry_after, 39ms);
  EXPECT_LE(later.error().retry_after, 40ms) << "as long as they take";
  const Error error = BusyError(later.error());
  EXPECT_EQ(error.code, Code::kBusy);
  EXPECT_EQ(error.Detail("quota"), "concurrency");
  EXPECT_EQ(error.Detail("of"), "acme/x");
  EXPECT_EQ(error.Detail("retry-after"), FormatDuration(later.error().retry_after));
}

TEST(Quota, AnAlertIsToldOncePerCrossing) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.write = Rate{100, 1s}, .alert = 0.8});
  enforcer->Spend(Resource::kWrite, 79);
  EXPECT_TRUE(quotas.alerts.empty());
  enforcer->Spend(Resource::kWrite, 1);
  ASSERT_EQ(quotas.alerts.size(), 1u);
  EXPECT_EQ(quotas.alerts[0].plugin, "acme/x");
  EXPECT_EQ(quotas.alerts[0].resource, Resource::kWrite);
  EXPECT_EQ(quotas.alerts[0].used, 80u);
  EXPECT_EQ(quotas.alerts[0].limit, 100u);
  for (int i = 0; i < 100; ++i) {  // about the threshold, again and again
    quotas.clock.Pass(100ms);
    enforcer->Spend(Resource::kWrite, 10);
  }
  EXPECT_EQ(quotas.alerts.size(), 1u);
  quotas.clock.Pass(300ms);
  enforcer->Spend(Resource::kWrite, 1);  // about half of it is used: that is less than 60
  enforcer->Spend(Resource::kWrite, 40);
  EXPECT_EQ(quotas.alerts.size(), 2u);
  EXPECT_EQ(enforcer->own()->Usage()[0].alerts, 2u);
}

TEST(Quota, WhoAsksAgainIsToldOfRoomAndCountedWhenItGivesUp) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.concurrency = 1});
  int told = 0;
  enforcer->OnRoom([&] { ++told; });
  auto first = enforcer->Admit(For::kCall, kMiB);
  const auto asked = enforcer->Admit(For::kCall, kMiB, LimitEnforcer::Refusals::kUncounted);
  ASSERT_FALSE(asked);
  EXPECT_EQ(told, 0);
  EXPECT_EQ(enforcer->own()->Usage()[0].refused, 0u);
  enforcer->Count(asked.error());
  EXPECT_EQ(enforcer->own()->Usage()[0].refused, 1u);
  first->Release();
  EXPECT_EQ(told, 1);
}

TEST(Quota, AlertsOfEachKindAreTold) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.cpu_share = 1,
                                         .cpu_time = 1s,
                                         .memory = MiB(2),
                                         .concurrency = 2,
                                         .read = Rate{1, 1s},
                                         .operations = Rate{1, 1s},
                                         .network = Rate{1, 1s},
                                         .requests = Rate{1, 1s},
                                         .alert = 0.5});
  auto call = enforcer->Admit(For::kCall, kMiB);
  enforcer->ChargeCpu(1s);
  for (const Resource resource : {Resource::kRead, Resource::kOperations, Resource::kNetwork, Resource::kRequests}) {
    enforcer->Spend(resource, 1);
  }
  std::string names;
  for (const QuotaAlert& alert : quotas.alerts) names += std::string(ResourceName(alert.resource)) + " ";
  EXPECT_EQ(names, "concurrency memory cpu.share cpu.time io.read io.operations io.network io.requests ");
}

TEST(Quota, ANewQuotaTakesEffectAtOnceAndForgetsNothing) {
  Quotas quotas;
  const auto account = quotas.Account({.read = Rate{100, 1s}});
  const auto enforcer = std::make_shared<LimitEnforcer>(account, nullptr, quotas.clock.now());
  enforcer->Spend(Resource::kRead, 90);
  account->SetQuota({.concurrency = 1, .read = Rate{50, 1s}});
  EXPECT_EQ(enforcer->Spend(Resource::kRead, 10), 1s) << "90 and 10 of 50";
  auto call = enforcer->Admit(For::kCall, 0);
  EXPECT_FALSE(enforcer->Admit(For::kCall, 0));
  account->SetQuota({});
  EXPECT_TRUE(enforcer->Admit(For::kCall, 0));
  EXPECT_TRUE(account->Usage().empty());
}

TEST(Quota, ManyThreadsNeverHoldMoreThanThereIs) {
  Quotas quotas;
  const auto enforcer = quotas.Enforcer({.memory = MiB(4), .concurrency = 3});
  std::atomic<int> now{0}, most{0}, admitted{0};
  const auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      auto call = enforcer->Admit(For::kCall, kMiB);
      if (!call) continue;
      ++admitted;
      const int here = ++now;
      int seen = most.load();
      while (here > seen && !most.compare_exchange_weak(seen, here)) {}
      --now;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 3);
  EXPECT_GT(admitted.load(), 0);
  for (const QuotaUsage& one : enforcer->own()->Usage()) EXPECT_EQ(one.used, 0u) << ResourceName(one.resource);
}

}  // namespace
}  // namespace cordon::services
