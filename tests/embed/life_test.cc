// What is left when it is over: of a load, of a host, of a process that was killed at any moment.
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <future>
#include <random>

#include "processes.h"
#include "shop.h"
#include "versions.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using processes::ChildrenOf;
using processes::Soon;
using shop::CodeOf;

using shop::kSanitized;

// Of this process and of those that it has made.
struct Held {
  int files, threads, mappings, children;
  long resident_kib;
  static Held Now() {
    Held held{processes::CountIn("/proc/self/fd"), processes::CountIn("/proc/self/task"), processes::Mappings(),
              static_cast<int>(processes::Keepers().size()), processes::ResidentKiB()};
    for (const pid_t keeper : processes::Keepers()) {
      const std::string of = "/proc/" + std::to_string(keeper);
      held.files += processes::CountIn((of + "/fd").c_str());
      held.children += static_cast<int>(ChildrenOf(keeper).size());
    }
    return held;
  }
};

cordon::HostOptions Quick() {
  cordon::HostOptions options;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  return options;
}

class Life : public ::testing::Test {
 protected:
  Life() : folder_(fs::temp_directory_path() / ("cordon-life-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
  }
  ~Life() override { fs::remove_all(folder_); }

  // Another plugin each time, called in every way there is.
  void Round(cordon::Host& host, int number) {
    versions::WritePlugin(folder_ / "p", "acme/p" + std::to_string(number), number % 64);
    auto plugin = host.Load(folder_ / "p");
    ASSERT_TRUE(plugin) << plugin.error().message;
    EXPECT_EQ(plugin->Call("which", "{}")->json, std::to_string(number % 64));
    auto instance = plugin->NewInstance();
    ASSERT_TRUE(instance) << instance.error().message;
    EXPECT_TRUE(instance->Call("which", "{}"));
    auto typed = plugin->Function<std::int32_t()>("which");
    EXPECT_TRUE(typed && (*typed)());
    auto deployed = host.Deploy(folder_ / "p");
    ASSERT_TRUE(deployed) << deployed.error().message;
    EXPECT_TRUE(deployed->Reload());
    EXPECT_EQ(CodeOf(plugin->Call("nothing", "{}")), Code::kNotFound);
    plugin->Unload();
  }

  const fs::path folder_;
};

// In either placement: the same test runs in embed_test and in embed_worker_test.
TEST_F(Life, LoadingCallingAndUnloadingLeaveNothing) {
  auto host = cordon::Host::Create(Quick());
  ASSERT_TRUE(host);
  constexpr int kRounds = 40;
  for (int i = 0; i < kRounds; ++i) Round(*host, i);
  const Held before = Held::Now();
  for (int i = 0; i < kRounds; ++i) Round(*host, kRounds + i);
  EXPECT_TRUE(Soon([&] { return Held::Now().children <= before.children; })) << before.children << " processes";
  EXPECT_TRUE(Soon([&] { return Held::Now().files <= before.files; })) << before.files << " descriptors";
  const Held after = Held::Now();
  EXPECT_LE(after.threads, before.threads);
  EXPECT_LE(after.mappings, before.mappings + 8);  // of the allocator
  if (!kSanitized) {
    EXPECT_LE(after.resident_kib, before.resident_kib + 3 * 1024);
  }
}

TEST_F(Life, AHostLeavesNothing) {
  const auto live = [&](int number) {
    auto host = cordon::Host::Create(Quick());
    ASSERT_TRUE(host);
    ASSERT_TRUE(host->Watch());
    Round(*host, number);
    std::atomic<bool> done = false;
    auto plugin = host->Load(folder_ / "p");
    plugin->CallAsync("which", "{}", {}).Then([&](cordon::Result<cordon::Answer>) { done = true; });
    EXPECT_TRUE(Soon([&] { return done.load(); }));
  };
  for (int i = 0; i < 3; ++i) live(i);
  EXPECT_TRUE(Soon([] { return processes::Keepers().empty(); }));
  const Held before = Held::Now();
  for (int i = 0; i < 6; ++i) live(3 + i);
  EXPECT_TRUE(Soon([] { return processes::Keepers().empty(); }));
  EXPECT_TRUE(Soon([&] { return Held::Now().files <= before.files; }));
  const Held after = Held::Now();
  EXPECT_LE(after.threads, before.threads);
  EXPECT_LE(after.mappings, before.mappings + 8);
}

// Whatever the program itself is doing, the shutdown ends when it is to end.
TEST_F(Life, AShutdownEndsWithinItsTime) {
  const int threads = processes::CountIn("/proc/self/task");
  versions::WritePlugin(folder_ / "p", "acme/p", 1);
  {
    auto host = cordon::Host::Create(Quick());
    ASSERT_TRUE(host);
    ASSERT_TRUE(host->Watch());
    const auto deployed = host->Deploy(folder_ / "p");
    ASSERT_TRUE(deployed);
    std::promise<void> begun, go_on;
    deployed->CallAsync("which", "{}", {}).Then([&, end = go_on.get_future()](cordon::Result<cordon::Answer>) {
      begun.set_value();
      end.wait();
    });
    begun.get_future().wait();
    const cordon::Status ended = host->Shutdown(std::chrono::milliseconds(30));
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::kTimeout);
    EXPECT_EQ(CodeOf(deployed->Call("which", "{}")), Code::kUnavailable);
    go_on.set_value();
    EXPECT_TRUE(host->Shutdown(std::chrono::seconds(30)));
  }
  const int own = shop::kSanitizedThreads ? 1 : 0;
  EXPECT_TRUE(Soon([&] { return processes::CountIn("/proc/self/task") <= threads + own; }));
  auto again = cordon::Host::Create(Quick());
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->Watch());
  EXPECT_TRUE(again->Shutdown(std::chrono::seconds(30)));
  EXPECT_TRUE(again->Shutdown(std::chrono::seconds(30)));
}

// A program that loads, calls and keeps values without end. SIGINT it takes as a wish to shut down.
[[noreturn]] void Serve(const fs::path& folder) {
  sigset_t wish;
  sigemptyset(&wish);
  sigaddset(&wish, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &wish, nullptr);
  cordon::HostOptions options = Quick();
  options.state_folder = folder / "state";
  options.code_cache = folder / "cache";
  auto audit = cordon::OpenAuditLog(options.state_folder);
  if (!audit) ::_exit(3);
  options.audit = *audit;
  auto host = cordon::Host::Create(std::move(options));
  if (!host) ::_exit(3);
  std::atomic<bool> stop = false;
  std::vector<std::jthread> serving;
  for (int t = 0; t < 2; ++t) {
    serving.emplace_back([&, t] {
      while (!stop) {
        auto plugin = host->Load(folder / "keeper", {.grants = {"kv:write:kept"}});
        if (!plugin) continue;
        for (int k = 0; k < 20 && !stop; ++k) {
          const std::string value(200, static_cast<char>('a' + k));
          (void)plugin->Call("keep", R"({"key": ")" + std::to_string(t) + R"(", "value": ")" + value + "\"}");
        }
      }
    });
  }
  int signal = 0;
  ::sigwait(&wish, &signal);
  stop = true;
  const bool ended = host->Shutdown().has_value();
  serving.clear();
  host = cordon::Fail(Code::kInternal, "gone");
  ::_exit(ended ? 0 : 4);
}

TEST_F(Life, ASignalAtAnyMomentLeavesNoProcessAndWholeFiles) {
  fs::create_directories(folder_ / "keeper");
  fs::create_directories(folder_ / "state");
  for (const char* name : {"state", "keeper"}) fs::permissions(folder_ / name, fs::perms::owner_all);
  fs::copy_file(shop::Guest("tools"), folder_ / "keeper/guest.wasm");
  versions::Write(folder_ / "keeper/plugin.yaml",
                  "manifest: 1\nname: acme/keeper\nversion: 1.0.0\nruntime: {abi: component, artifact: guest.wasm}\n"
                  "actions: { keep: {export: \"cordon:tools-guest/relay@0.1.0#keep\"}, "
                  "look: {export: \"cordon:tools-guest/relay@0.1.0#look\"} }\n"
                  "permissions: {optional: [{storage: {bucket: kept, access: write}}, {call: [\"acme/b#*\"]}]}\n");
  // What a host leaves behind becomes ours, and is counted.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  std::minstd_rand random(7);
  for (int i = 0; i < 9; ++i) {
    const int signal = std::array{SIGKILL, SIGTERM, SIGINT}[i % 3];
    const pid_t host = ::fork();
    if (host == 0) Serve(folder_);
    ::usleep(20'000 + random() % (i < 3 ? 1'500'000 : 300'000));  // the first ones compile
    ::kill(host, signal);
    int status = 0;
    ASSERT_EQ(::waitpid(host, &status, 0), host);
    // One that was not yet up has no handler to be asked.
    EXPECT_TRUE(signal != SIGINT || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) << status;
    const auto none = [] {
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
      return ChildrenOf(::getpid()).empty();
    };
    EXPECT_TRUE(Soon(none)) << "left: " << processes::Named(ChildrenOf(::getpid()));
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  // Whatever was being written is whole, or not there.
  cordon::HostOptions options = Quick();
  options.state_folder = folder_ / "state";
  options.code_cache = folder_ / "cache";
  auto audit = cordon::OpenAuditLog(options.state_folder);
  ASSERT_TRUE(audit) << audit.error().message;
  options.audit = *audit;
  auto host = cordon::Host::Create(options);
  ASSERT_TRUE(host) << host.error().message;
  auto plugin = host->Load(folder_ / "keeper", {.grants = {"kv:write:kept"}});
  ASSERT_TRUE(plugin) << plugin.error().message;
  const std::string kept = plugin->Call("look", R"({"key": "0"})")->json;
  ASSERT_EQ(kept.size(), std::string(R"({"ok":""})").size() + 200) << kept;
  EXPECT_EQ(kept.find_first_not_of(kept[7], 7), 207u) << kept;
  for (const auto& file : fs::recursive_directory_iterator(folder_)) {
    EXPECT_NE(file.path().extension(), ".tmp") << file.path();
  }
}

}  // namespace
