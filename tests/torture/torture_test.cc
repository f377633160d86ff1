// Attack case 99 for creating, loading and calling: memory runs out at the n-th allocation. Each time the operation
// gives a clean error or works, loses nothing, and works afterwards.
#include "torture.h"

#include <unistd.h>

#include <fstream>

#include "shop.h"

namespace {

using cordon::Code;
using torture::Failing;
using torture::FaultOf;
using torture::Mode;
using torture::Torture;
using Outcome = std::optional<Code>;

class attack_99 : public testing::TestWithParam<Mode> {};

// With an audit that keeps two records, so that what lives does not grow with every call.
shop::Loaded Load() {
  cordon::HostOptions options;
  options.audit = cordon::AuditMemory::Make(2);
  return shop::Load(std::move(options));
}

TEST_P(attack_99, Create) {
  Torture(GetParam(), 300, [](Failing& failing) {
    cordon::HostOptions options;
    failing.Begin();
    return FaultOf(cordon::Host::Create(std::move(options)));
  });
}

// What a load and everything after it take, until the plugin is gone.
Outcome LoadAndCall(cordon::Host& host, std::string_view wasm, Failing& failing) {
  cordon::LoadOptions options;
  options.grants = {"host:prices", "host:catalogue"};
  const std::filesystem::path source = shop::Guest();
  failing.Begin();
  const cordon::ByteView bytes(reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size());
  const auto plugin = wasm.empty() ? host.Load(source, options) : host.LoadBytes("shop", bytes, options);
  if (!plugin) return plugin.error().code;
  return FaultOf(plugin->Call("add", R"({"a":1,"b":2})"));
}

cordon::Host MakeHost(cordon::HostOptions::Compiler compiler, std::filesystem::path cache = {}) {
  cordon::HostOptions options;
  options.audit = cordon::AuditMemory::Make(2);
  options.compiler = compiler;
  options.code_cache = std::move(cache);
  auto host = cordon::Host::Create(std::move(options));
  EXPECT_TRUE(host && host->Register(shop::Prices()));
  return std::move(*host);
}

TEST_P(attack_99, LoadWithTheCompilerInProcess) {
  cordon::Host host = MakeHost(cordon::HostOptions::Compiler::kInProcess);
  Torture(GetParam(), 25, [&](Failing& failing) { return LoadAndCall(host, {}, failing); });
}

TEST_P(attack_99, LoadWithTheCompilerApart) {
  cordon::Host host = MakeHost(cordon::HostOptions::Compiler::kProcess);
  Torture(GetParam(), 25, [&](Failing& failing) { return LoadAndCall(host, {}, failing); });
}

TEST_P(attack_99, LoadBytesFromTheCodeCache) {
  const auto folder = std::filesystem::path(testing::TempDir()) / ("cordon-torture-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  cordon::Host host = MakeHost(cordon::HostOptions::Compiler::kProcess, folder);
  std::string wasm;
  {
    std::ifstream file(shop::Guest(), std::ios::binary);
    wasm.assign(std::istreambuf_iterator<char>(file), {});
  }
  Torture(GetParam(), 200, [&](Failing& failing) { return LoadAndCall(host, wasm, failing); });
  std::filesystem::remove_all(folder);
}

TEST_P(attack_99, CallsWithJson) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const std::string articles = R"({"articles":[{"name":"shoes","amount":80,"currency":"usd"},{"name":")" +
                               std::string(2000, 'x') + R"(","amount":1,"currency":"eur"}]})";
  Torture(GetParam(), 1000, [&](Failing& failing) {
    failing.Begin();
    return FaultOf(loaded.plugin->Call("echo", articles));
  });
}

TEST_P(attack_99, TypedCalls) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const std::vector<shop::Article> articles = {{"shoes", 80, shop::Currency::usd},
                                               {std::string(2000, 'x'), 1, shop::Currency::eur}};
  Torture(GetParam(), 1000, [&](Failing& failing) -> Outcome {
    failing.Begin();
    const auto echo = loaded.plugin->Function<std::vector<shop::Article>(const std::vector<shop::Article>&)>("echo");
    if (!echo) return echo.error().code;
    return FaultOf((*echo)(articles));
  });
}

TEST_P(attack_99, CallsThatAskAService) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const auto total = loaded.plugin->Function<std::uint64_t(std::span<const std::uint32_t>)>("total");
  ASSERT_TRUE(total);
  const std::vector<std::uint32_t> amounts = {1, 2, 3};
  Torture(GetParam(), 1000, [&](Failing& failing) {
    failing.Begin();
    return FaultOf((*total)(amounts));
  });
}

TEST_P(attack_99, WarmInstances) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const auto count = loaded.plugin->Function<std::uint32_t()>("count");
  ASSERT_TRUE(count);
  Torture(GetParam(), 1000, [&](Failing& failing) -> Outcome {
    failing.Begin();
    auto instance = loaded.plugin->NewInstance();
    if (!instance) return instance.error().code;
    return FaultOf(count->On(*instance));
  });
}

TEST_P(attack_99, AsynchronousCallsCompleteExactlyOnce) {
  auto loaded = Load();
  ASSERT_TRUE(loaded.plugin);
  const auto add = loaded.plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  ASSERT_TRUE(add);
  Torture(GetParam(), 1000, [&](Failing& failing) -> Outcome {
    std::atomic<int> completed = 0;
    failing.Begin();
    try {
      add->Async(nullptr, {}, 1, 2).Then([&](auto) { ++completed; });
    } catch (const std::bad_alloc&) {  // before it was started
      failing.End();
      EXPECT_EQ(completed, 0);
      return Code::kMemory;
    }
    failing.End();
    for (int i = 0; i < 3000 && completed == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(completed, 1);
    return {};
  });
}

INSTANTIATE_TEST_SUITE_P(Memory, attack_99, testing::Values(Mode::kOne, Mode::kFromHere), [](const auto& mode) {
  return std::string(mode.param == Mode::kOne ? "OneFails" : "AllFailFromThere");
});

}  // namespace
