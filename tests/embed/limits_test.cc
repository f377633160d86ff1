// Being a guest in a process that is short of something, or odd: addresses, descriptors, streams, locales, handlers.
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>

#include "shop.h"

namespace {

using cordon::Code;
using cordon::HostOptions;
using shop::CodeOf;

constexpr char kSum[] = R"({"a":40,"b":2})";

// Runs `body` in a child of fork, for at most 60 seconds; its exit status, or -1.
int InChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

HostOptions InProcess() {
  HostOptions options;
  options.compiler = HostOptions::Compiler::kInProcess;
  return options;
}

// What a new host, a load and a call say: OK, or the error of the first that fails.
cordon::Result<std::string> Sum(HostOptions options = {}) {
  auto host = cordon::Host::Create(std::move(options));
  if (!host) return cordon::Fail(host.error());
  auto plugin = host->Load(shop::Guest("bench"));
  if (!plugin) return cordon::Fail(plugin.error());
  auto answer = plugin->Call("add", kSum);
  if (!answer) return cordon::Fail(answer.error());
  return answer->json;
}

bool IsRight(const cordon::Result<std::string>& sum) { return sum && *sum == "42"; }

void SetLimit(__rlimit_resource_t what, rlim_t value) {
  rlimit limit{};
  ::getrlimit(what, &limit);
  limit.rlim_cur = value;
  ::setrlimit(what, &limit);
}

std::size_t CountOf(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}
std::size_t Mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return count;
}

#ifndef CORDON_SANITIZED  // whose shadow alone is terabytes
// Beyond what the process has already, of which the allocator keeps some.
void LeaveAddresses(rlim_t bytes) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  SetLimit(RLIMIT_AS, pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + bytes);
}

TEST(Addresses, TwoGiBAreEnough) {
  for (const auto compiler : {HostOptions::Compiler::kProcess, HostOptions::Compiler::kInProcess}) {
    EXPECT_EQ(InChild([&] {
                LeaveAddresses(rlim_t{1900} << 20);
                HostOptions options;
                options.compiler = compiler;
                return IsRight(Sum(options)) ? 0 : 1;
              }),
              0);
  }
}

TEST(Addresses, TooFewAreAnErrorWithItsRemedy) {
  EXPECT_EQ(InChild([] {
              LeaveAddresses(rlim_t{600} << 20);
              const auto sum = Sum();
              if (sum || sum.error().code != Code::kMemory) return 1;
              return sum.error().remedy.find("ulimit -v") != std::string::npos ? 0 : 2;
            }),
            0);
}

TEST(Addresses, WithLessMemoryForPluginsFewerAreEnough) {
  const std::filesystem::path config =
      std::filesystem::temp_directory_path() / ("cordon-limits-" + std::to_string(::getpid()));
  std::ofstream(config) << "plugins: { enabled: true, limits: { memory: 16MiB } }\n";
  EXPECT_EQ(InChild([&] {
              LeaveAddresses(rlim_t{600} << 20);
              HostOptions options = InProcess();
              options.config_file = config;
              return IsRight(Sum(options)) ? 0 : 1;
            }),
            0);
  std::filesystem::remove(config);
}
#endif

TEST(Descriptors, TooFewAreAnErrorAndEnoughIsLittle) {
  EXPECT_EQ(InChild([] {
              rlimit before{};
              ::getrlimit(RLIMIT_NOFILE, &before);
              int refused = 0;
              for (rlim_t files = 3; files <= 20; ++files) {
                SetLimit(RLIMIT_NOFILE, files);
                const auto sum = Sum();
                SetLimit(RLIMIT_NOFILE, before.rlim_cur);
                if (sum && *sum != "42") return 1;
                if (sum) continue;
                ++refused;
                if (sum.error().message.find("too many open files") == std::string::npos) {
                  std::cerr << files << ": " << sum.error().message << "\n";
                  return 2;
                }
              }
              if (refused == 0 || refused > 16) return 3;
              SetLimit(RLIMIT_NOFILE, 32);
              return IsRight(Sum()) ? 0 : 4;
            }),
            0);
}

TEST(Descriptors, WithoutTheThreeStreamsItWorks) {
  EXPECT_EQ(InChild([] {
              for (int stream = 0; stream <= 2; ++stream) ::close(stream);
              if (!IsRight(Sum())) return 1;
              if (!IsRight(Sum(InProcess()))) return 2;
              for (int stream = 0; stream <= 2; ++stream) {
                if (::fcntl(stream, F_GETFD) >= 0) return 3;  // nothing of ours is left in their place
              }
              return 0;
            }),
            0);
}

// One failure of each sort, from the outside to the inside.
void Fail() {
  HostOptions missing;
  missing.config_file = "/nowhere/config.yaml";
  (void)cordon::Host::Create(missing);
  HostOptions closed;
  closed.code_cache = "/proc/cache";
  (void)cordon::Host::Create(closed);
  auto loaded = shop::Load();
  const std::uint8_t garbage[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 99, 1};
  (void)loaded.host->LoadBytes("garbage", garbage);
  (void)loaded.host->LoadBytes("text", std::span(garbage).first(3));
  (void)loaded.host->Load("/nowhere/plugin.wasm");
  (void)loaded.host->Load(shop::Guest());  // without what it asks for
  for (const char* action : {"trap", "failing", "no-such-action"}) (void)loaded.plugin->Call(action, "{}");
  (void)loaded.plugin->Call("price", "{");
  for (const char* guest : {"a04_recurse", "a04_core_recurse", "a12_exit", "a19_flood", "a02_start_loop"}) {
    cordon::LoadOptions options;
    options.timeout = std::chrono::milliseconds(50);
    auto plugin = loaded.host->Load(shop::Guest(guest), options);
    if (!plugin) continue;
    for (const char* action : {"recurse", "exit", "flood", "run"}) {
      (void)plugin->Call(action, "{}");
      (void)plugin->Call(action, R"({"p0":1,"p1":1})");
    }
  }
  HostOptions none;
  none.compiler_path = "/bin/false";
  (void)cordon::Host::Create(none)->Load(shop::Guest("bench"));
}

TEST(Streams, NothingIsWrittenToThemWhateverFails) {
  const int said = ::memfd_create("said", MFD_CLOEXEC);
  EXPECT_EQ(InChild([&] {
              ::dup2(said, STDOUT_FILENO);
              ::dup2(said, STDERR_FILENO);
              Fail();
              return 0;
            }),
            0);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(::pread(said, text.data(), text.size(), 0), 0)));
  EXPECT_EQ(text, "");
  ::close(said);
}

TEST(Hosts, FiftyAtOnce) {
  std::vector<cordon::Host> hosts;
  std::vector<cordon::Plugin> plugins;
  for (int i = 0; i < 50; ++i) {
    HostOptions options = InProcess();
    options.max_instances = 2;
    hosts.push_back(cordon::Host::Create(options).value());
    auto plugin = hosts.back().Load(shop::Guest("core_math"));
    ASSERT_TRUE(plugin) << i << ": " << plugin.error().message;
    plugins.push_back(*std::move(plugin));
  }
  for (cordon::Plugin& plugin : plugins) {
    const auto answer = plugin.Call("add", R"({"p0":22,"p1":2})");
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->json, "24");
  }
}

TEST(Hosts, AThousandInSequenceLeaveNothing) {
  if (shop::kSanitizedThreads) GTEST_SKIP() << "ThreadSanitizer has a thread of its own";
  const auto one = [] {
    HostOptions options = InProcess();
    options.max_instances = 1;
    auto host = cordon::Host::Create(options);
    auto plugin = host->Load(shop::Guest("core_math"));
    return plugin && plugin->Call("add", R"({"p0":22,"p1":2})")->json == "24";
  };
  const auto settle = [](std::size_t threads) {
    for (int i = 0; i < 500 && CountOf("/proc/self/task") > threads; ++i) ::usleep(10'000);
    return CountOf("/proc/self/task");
  };
  const std::size_t threads = CountOf("/proc/self/task");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(one());
  EXPECT_EQ(settle(threads), threads);
  const std::size_t files = CountOf("/proc/self/fd"), mappings = Mappings();
  for (int i = 0; i < 950; ++i) ASSERT_TRUE(one()) << i;
  EXPECT_EQ(settle(threads), threads);
  EXPECT_EQ(CountOf("/proc/self/fd"), files);
  EXPECT_LE(Mappings(), mappings + 20) << "of the allocator, which may keep some";
}

}  // namespace
