// The kill switch, as a program that embeds Cordon meets it.
#include <unistd.h>

#include <fstream>
#include <future>
#include <thread>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using shop::CodeOf;

cordon::HostOptions InProcess() {
  cordon::HostOptions options;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  return options;
}

class Switch : public ::testing::Test {
 protected:
  Switch() : folder_(fs::temp_directory_path() / ("cordon-switch-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
  }
  ~Switch() override { fs::remove_all(folder_); }
  fs::path Config(std::string_view text) {
    std::ofstream(folder_ / "config.yaml") << text;
    return folder_ / "config.yaml";
  }
  void Off() { std::ofstream(folder_ / "plugins.off") << "off\n"; }
  fs::path folder_;
};

std::size_t Threads() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()));
}

std::uint64_t AddressPages() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages;
}

// The smallest modules, by hand: `spin` loops for ever.
std::vector<std::uint8_t> Spin() {
  return {0, 'a', 's', 'm', 1,   0,   0, 0, 1,  4, 1, 0x60, 0, 0, 3,    2,  1, 0,  7, 8,
          1, 4,   's', 'p', 'i', 'n', 0, 0, 10, 9, 1, 7,    0, 3, 0x40, 12, 0, 11, 11};
}

TEST_F(Switch, AConfiguredHostRunsNothingUntilAnOperatorTurnsItOn) {
  const auto memory = cordon::AuditMemory::Make();
  cordon::HostOptions options = InProcess();
  options.audit = memory;
  options.config_file = Config("plugins: { level: default }\n");
  const std::size_t threads = Threads();
  const std::uint64_t pages = AddressPages();
  auto host = cordon::Host::Create(options);
  ASSERT_TRUE(host);
  const auto refused = host->LoadBytes("spin", Spin());
  ASSERT_EQ(CodeOf(refused), Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("plugins.enabled is not true in"), std::string::npos);
  EXPECT_NE(refused.error().remedy.find("enabled: true"), std::string::npos);
  // Off is off: no thread, and no memory of an engine, which reserves gigabytes of addresses.
  EXPECT_EQ(Threads(), threads);
  EXPECT_LT(AddressPages() - pages, 16384u);
  const auto records = memory->records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].rule, "switched-off");
  options.config_file = Config("plugins: { enabled: true }\n");
  EXPECT_TRUE(cordon::Host::Create(options)->LoadBytes("spin", Spin()));
}

TEST_F(Switch, WhatRunsEndsAndNothingStartsUntilItIsOnAgain) {
  cordon::HostOptions options = InProcess();
  options.state_folder = folder_;
  auto host = cordon::Host::Create(options);
  auto plugin = host->LoadBytes("spin", Spin());
  ASSERT_TRUE(plugin) << plugin.error().message;
  auto warm = plugin->NewInstance();
  ASSERT_TRUE(warm);
  auto fresh_call = std::async(std::launch::async, [&] { return CodeOf(plugin->Call("spin", "{}")); });
  auto warm_call = std::async(std::launch::async, [&] { return CodeOf(warm->Call("spin", "{}")); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  Off();
  EXPECT_EQ(fresh_call.get(), Code::kUnavailable);
  EXPECT_EQ(warm_call.get(), Code::kUnavailable);
  EXPECT_EQ(CodeOf(plugin->Call("spin", "{}")), Code::kUnavailable);
  EXPECT_EQ(CodeOf(plugin->NewInstance()), Code::kUnavailable);
  EXPECT_EQ(CodeOf(host->LoadBytes("spin", Spin())), Code::kUnavailable);
  fs::remove(folder_ / "plugins.off");
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(50);
  EXPECT_EQ(CodeOf(plugin->Call("spin", "{}", brief)), Code::kTimeout);
  // The look-out for the switch started again with that call.
  auto again = std::async(std::launch::async, [&] { return CodeOf(plugin->Call("spin", "{}")); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  Off();
  EXPECT_EQ(again.get(), Code::kUnavailable);
}

// A start function that never ends is the guest's code too.
TEST_F(Switch, WhatStartsEndsToo) {
  const std::vector<std::uint8_t> starts = {0, 'a', 's', 'm', 1, 0, 0, 0, 1,  4, 1, 0x60, 0, 0, 3,    2,  1, 0,  7, 5,
                                            1, 1,   'f', 0,   0, 8, 1, 0, 10, 9, 1, 7,    0, 3, 0x40, 12, 0, 11, 11};
  cordon::HostOptions options = InProcess();
  options.state_folder = folder_;
  auto host = cordon::Host::Create(options);
  auto plugin = host->LoadBytes("starts", starts);
  ASSERT_TRUE(plugin) << plugin.error().message;
  auto call = std::async(std::launch::async, [&] { return CodeOf(plugin->Call("f", "{}")); });
  auto instance = std::async(std::launch::async, [&] { return CodeOf(plugin->NewInstance()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  Off();
  EXPECT_EQ(call.get(), Code::kUnavailable);
  EXPECT_EQ(instance.get(), Code::kUnavailable);
}

}  // namespace
