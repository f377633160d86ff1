// Being a guest in someone's process: forks, signal handlers, threads, folders, descriptors.
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <clocale>
#include <csignal>
#include <fstream>
#include <functional>

#include "shop.h"

namespace {

using cordon::Code;
using shop::CodeOf;

constexpr char kSum[] = R"({"a":40,"b":2})";

// Runs `body` in a child of fork, for at most 30 seconds; its exit status, or -1.
int InChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int CountOf(const char* folder) {
  DIR* entries = ::opendir(folder);
  int count = 0;
  while (entries != nullptr && ::readdir(entries) != nullptr) ++count;
  ::closedir(entries);
  return count;
}

bool Works(cordon::Host& host) {
  auto plugin = host.Load(shop::Guest("bench"));
  return plugin && plugin->Call("add", kSum) && plugin->Call("add", kSum)->json == "42";
}

TEST(Fork, AnInheritedHostRefusesAndDoesNotHang) {
  if (shop::kSanitizedThreads) GTEST_SKIP() << "ThreadSanitizer does not go on in a child";
  auto loaded = std::make_unique<shop::Loaded>(shop::Load());
  ASSERT_TRUE(loaded->plugin);
  auto instance = std::make_unique<cordon::Instance>(*loaded->plugin->NewInstance());
  ASSERT_TRUE(loaded->plugin->Call("add", kSum));
  loaded->plugin->CallAsync("add", kSum, nullptr).Then([](auto) {});
  const int status = InChild([&] {
    if (CodeOf(loaded->plugin->Call("add", kSum)) != Code::kUnavailable) return 1;
    if (CodeOf(instance->Call("count", "{}")) != Code::kUnavailable) return 2;
    bool refused = false;
    loaded->plugin->CallAsync("add", kSum, nullptr).Then([&](auto result) { refused = !result; });
    if (!refused) return 3;
    instance.reset();
    loaded.reset();  // joins no thread: none of them is here
    auto host = cordon::Host::Create();
    return Works(*host) ? 0 : 4;
  });
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(loaded->plugin->Call("add", kSum)) << "the parent goes on";
}

TEST(Fork, WhileOtherThreadsCall) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin);
  std::atomic<bool> stop = false;
  std::jthread caller([&] {
    while (!stop) EXPECT_TRUE(loaded.plugin->Call("add", kSum));
  });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(InChild([&] { return CodeOf(loaded.plugin->Call("add", kSum)) == Code::kUnavailable ? 0 : 1; }), 0);
  }
  stop = true;
}

TEST(Process, NoThreadBeforeItIsNeededAndNoneAfter) {
  if (shop::kSanitizedThreads) GTEST_SKIP() << "ThreadSanitizer has a thread of its own";
  const int before = CountOf("/proc/self/task");
  {
    auto loaded = shop::Load();
    ASSERT_TRUE(loaded.plugin);
    EXPECT_EQ(CountOf("/proc/self/task"), before) << "loading starts none";
    ASSERT_TRUE(loaded.plugin->Call("add", kSum));
    if (shop::kInWorkers) {
      EXPECT_EQ(CountOf("/proc/self/task"), before) << "the thread that waits for a worker is the clock";
    } else {
      EXPECT_GT(CountOf("/proc/self/task"), before) << "a call has a clock";
    }
    loaded.plugin->CallAsync("add", kSum, nullptr).Then([](auto) {});
  }
  for (int i = 0; i < 200 && CountOf("/proc/self/task") != before; ++i) ::usleep(10'000);
  EXPECT_EQ(CountOf("/proc/self/task"), before);
}

TEST(Process, ManyHostsLeaveNoDescriptor) {
  { auto warm = shop::Load(); }
  const int before = CountOf("/proc/self/fd");
  for (int i = 0; i < 10; ++i) {
    auto loaded = shop::Load();
    ASSERT_TRUE(loaded.plugin->Call("add", kSum));
  }
  EXPECT_EQ(CountOf("/proc/self/fd"), before);
}

TEST(Process, ChildrenOfTheHostInheritNothing) {
  const int own = ::open("/dev/null", O_RDONLY);  // what the host leaves open is its own affair
  const int before = CountOf("/proc/self/fd");
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin->Call("add", kSum));
  int inherited = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0 && fd != own) ++inherited;
  }
  ::close(own);
  EXPECT_LE(inherited, before) << "no descriptor of ours is without close-on-exec";
}

TEST(Process, NeitherFolderNorLocaleMatters) {
  EXPECT_EQ(InChild([] {
              ::setlocale(LC_ALL, "de_DE.UTF-8");
              std::string name = (std::filesystem::temp_directory_path() / "cordon-cwd-XXXXXX").string();
              if (::mkdtemp(name.data()) == nullptr || ::chdir(name.c_str()) != 0) return 1;
              std::filesystem::remove(name);  // the working directory is gone
              ::clearenv();
              auto host = cordon::Host::Create();
              return Works(*host) ? 0 : 2;
            }),
            0);
}

std::atomic<int> foreign_calls = 0;
sigjmp_buf foreign_return;
void Foreign(int) {
  ++foreign_calls;
  ::siglongjmp(foreign_return, 1);
}
void Install() {
  struct sigaction action{};
  action.sa_handler = Foreign;
  action.sa_flags = SA_NODEFER;
  ::sigaction(SIGSEGV, &action, nullptr);
  ::sigaction(SIGILL, &action, nullptr);
}

// Traps of guests by both signals; the host's handler must not see them.
int TrapsAreErrors(cordon::Plugin& plugin) {
  for (int i = 0; i < 3; ++i) {
    if (CodeOf(plugin.Call("trap", "{}")) != Code::kTrap) return 10;
  }
  return foreign_calls == 0 ? 0 : 11;
}

TEST(Signals, AHandlerFromBeforeStillGetsTheHostsOwnFaults) {
  EXPECT_EQ(InChild([] {
              Install();  // before the first engine of the process, when this test runs by itself as ctest runs it
              auto loaded = shop::Load();
              if (!loaded.plugin) return 1;
              if (const int wrong = TrapsAreErrors(*loaded.plugin)) return wrong;
              if (::sigsetjmp(foreign_return, 1) == 0) {
                *reinterpret_cast<volatile int*>(8) = 1;
                return 2;
              }
              return foreign_calls == 1 ? 0 : 3;
            }),
            0);
}

TEST(Signals, AHandlerFromLaterIsNoticedByTheNextLoad) {
  EXPECT_EQ(InChild([] {
              auto loaded = shop::Load();
              if (!loaded.plugin) return 1;
              Install();  // and passes nothing on
              cordon::LoadOptions load;
              load.grants = {"host:prices", "host:catalogue"};
              auto later = loaded.host->Load(shop::Guest(), load);
              if (!later) return 2;
              if (const int wrong = TrapsAreErrors(*later)) return wrong;
              if (shop::kInWorkers) return 0;  // whose handlers are their own
              for (const cordon::AuditRecord& record : loaded.audit->records()) {
                if (record.note.find("handlers") != std::string::npos) return 0;
              }
              return 3;
            }),
            0);
}

TEST(Signals, WithChecksNoHandlerIsNeeded) {
  EXPECT_EQ(InChild([] {
              cordon::HostOptions options;
              options.traps = cordon::HostOptions::Traps::kChecks;
              auto loaded = shop::Load(std::move(options));
              if (!loaded.plugin) return 1;
              Install();
              return TrapsAreErrors(*loaded.plugin);
            }),
            0);
}

TEST(Signals, OursAreNeverDeliveredTheHosts) {
  auto loaded = shop::Load();
  ASSERT_TRUE(loaded.plugin->Call("add", kSum));
  loaded.plugin->CallAsync("add", kSum, nullptr).Then([](auto) {});
  const std::string own = std::to_string(::gettid());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == own) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("SigBlk:")) continue;
      const unsigned long long blocked = std::stoull(line.substr(8), nullptr, 16);
      EXPECT_NE(blocked & (1ull << (SIGTERM - 1)), 0u) << task.path();
    }
  }
}

TEST(Signals, ATimerOfTheHostDisturbsNothing) {
  auto loaded = shop::Load();
  struct sigaction before{}, count{};
  count.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &count, &before);
  const itimerval often = {{0, 500}, {0, 500}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  const auto price = loaded.plugin->Function<std::optional<std::uint32_t>(std::string_view)>("price");
  for (int i = 0; i < 300; ++i) EXPECT_EQ((*price)("shoes").value(), 80u);
  const itimerval never = {};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
}

}  // namespace
