#include "groups/group.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

namespace cordon::groups {
namespace {

namespace fs = std::filesystem;

std::string TextOf(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  std::string all = text.str();
  while (!all.empty() && all.back() == '\n') all.pop_back();
  return all;
}

std::vector<fs::path> OursIn(const fs::path& parent) {
  std::vector<fs::path> found;
  for (const auto& one : fs::directory_iterator(parent)) {
    if (one.path().filename().string().starts_with("cordon-")) found.push_back(one.path());
  }
  return found;
}

// The folder of this process, of whichever others there are.
fs::path MineIn(const fs::path& parent) {
  for (const fs::path& one : OursIn(parent)) {
    if (one.string().find("-" + std::to_string(::getpid()) + "-") != std::string::npos) return one;
  }
  return {};
}

// What a child of this process does inside a group, and how it ended.
template <typename Work>
int StatusInside(const Group& group, Work work) {
  const std::vector<int> entries = group.entries();
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int entry : entries) {
      if (::write(entry, "0", 1) != 1) ::_exit(99);
    }
    work();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

void UseMemory(std::size_t bytes) {
  void* block = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(block, 1, bytes);
}

// With this system's own groups, of version 1, where it lets this process have them.
class First : public testing::Test {
 protected:
  void SetUp() override {
    places_ = FindPlaces();
    home_ = Home::Make(places_);
    if (home_ == nullptr || places_.version != Version::kOne) GTEST_SKIP() << "no control groups of version 1 here";
  }
  Places places_;
  std::shared_ptr<Home> home_;
};

TEST_F(First, WhatUsesMoreMemoryThanItsGroupHasIsEndedAndCounted) {
  const auto group = Group::Make(home_, {.memory_bytes = 16 << 20});
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(group->holds().memory_bytes, 16u << 20);
  EXPECT_EQ(group->ended_for_memory(), 0u);
  const int small = StatusInside(*group, [] {
    UseMemory(4 << 20);
    ::_exit(7);
  });
  EXPECT_EQ(WEXITSTATUS(small), 7);
  const int large = StatusInside(*group, [] {
    UseMemory(64 << 20);
    ::_exit(7);
  });
  EXPECT_TRUE(WIFSIGNALED(large));
  EXPECT_EQ(WTERMSIG(large), SIGKILL);
  EXPECT_EQ(group->ended_for_memory(), 1u);
}

TEST_F(First, attack_23_NoMoreThreadsAndProcessesThanAllowed) {
  const auto group = Group::Make(home_, {.threads = 4});
  ASSERT_NE(group, nullptr);
  const int status = StatusInside(*group, [] {
    int made = 0;
    for (; made < 100; ++made) {
      const pid_t child = ::fork();
      if (child < 0) break;
      if (child == 0) ::pause();
    }
    ::_exit(made);
  });
  EXPECT_EQ(WEXITSTATUS(status), 3);
  // They were left behind on purpose, and are found by the group alone.
  std::ifstream left(MineIn(places_.processes) / "1" / "tasks");
  for (pid_t pid = 0; left >> pid;) ::kill(pid, SIGKILL);
}

TEST_F(First, WhetherItLetsProcessesInIsTried) {
  EXPECT_TRUE(Group::Make(home_, {.memory_bytes = 64 << 20, .threads = 4})->LetsIn());
}

TEST_F(First, AShareOfProcessorsIsForAllGroupsWithin) {
  const auto outer = Group::Make(home_, {.processors = 0.5});
  ASSERT_NE(outer, nullptr);
  const auto inner = Group::Make(home_, {.memory_bytes = 16 << 20, .threads = 8}, outer);
  ASSERT_NE(inner, nullptr);
  EXPECT_EQ(inner->entries().size(), 3u);
  const fs::path folder = MineIn(places_.processors) / "1";
  EXPECT_EQ(TextOf(folder / "cpu.cfs_period_us"), "20000");
  EXPECT_EQ(TextOf(folder / "cpu.cfs_quota_us"), "10000");
  EXPECT_EQ(WEXITSTATUS(StatusInside(*inner, [] { ::_exit(7); })), 7);
}

TEST_F(First, NothingIsLeft) {
  {
    const auto group = Group::Make(home_, {.memory_bytes = 16 << 20, .threads = 8, .processors = 1});
    ASSERT_NE(group, nullptr);
    EXPECT_EQ(WEXITSTATUS(StatusInside(*group, [] { ::_exit(7); })), 7);
  }
  home_.reset();
  for (const fs::path& parent : {places_.memory, places_.processes, places_.processors}) {
    EXPECT_EQ(MineIn(parent), "");
  }
}

TEST_F(First, WhatAKilledHostLeftIsRemovedByTheNext) {
  const pid_t host = ::fork();
  if (host == 0) {
    const auto home = Home::Make(places_);
    const auto group = Group::Make(home, {.threads = 8});
    ::_exit(group != nullptr ? 7 : 1);  // as killed: nothing is destroyed
  }
  int status = 0;
  ::waitpid(host, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 7);
  const auto left = [&] {
    std::size_t count = 0;
    for (const fs::path& one : OursIn(places_.processes)) {
      count += one.string().find("-" + std::to_string(host) + "-") != std::string::npos ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(left(), 1u);
  const auto next = Home::Make(places_);
  EXPECT_EQ(left(), 0u);
  // The one of this process is in use, and stays.
  EXPECT_NE(Group::Make(home_, {.threads = 8}), nullptr);
}

// The kernel's, and counts what is asked of it.
class CountingTree final : public Tree {
 public:
  bool Remove(const fs::path& folder) override {
    ++removals[folder];
    return Tree::Remove(folder);
  }
  std::map<fs::path, int> removals;
};

// A process that outlived its host must not hold up every host after it.
TEST_F(First, WhatIsStillInUseIsLeftAtOnce) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    const auto home = Home::Make(places_);
    const auto group = Group::Make(home, {.threads = 8});
    const std::vector<int> entries = group->entries();
    pid_t stays = ::fork();
    if (stays == 0) {
      for (const int entry : entries) (void)!::write(entry, "0", 1);
      stays = ::getpid();
      (void)!::write(pipe[1], &stays, sizeof stays);
      ::pause();
    }
    ::_exit(0);
  }
  pid_t stays = 0;
  ASSERT_EQ(::read(pipe[0], &stays, sizeof stays), static_cast<ssize_t>(sizeof stays));
  ::waitpid(host, nullptr, 0);
  const auto tree = std::make_shared<CountingTree>();
  const auto next = Home::Make(places_, tree);
  ::kill(stays, SIGKILL);
  for (const int end : pipe) ::close(end);
  EXPECT_FALSE(tree->removals.empty());
  for (const auto& [folder, times] : tree->removals) EXPECT_EQ(times, 1) << folder;
}

TEST_F(First, AForkedChildRemovesNothing) {
  auto group = Group::Make(home_, {.threads = 8});
  const pid_t child = ::fork();
  if (child == 0) {
    group.reset();
    home_.reset();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(WEXITSTATUS(StatusInside(*group, [] { ::_exit(7); })), 7);
}

// Stands in for a kernel with version 2: its folders have the files that the kernel would make.
class StandIn final : public Tree {
 public:
  bool Add(const fs::path& folder) override {
    if (!fs::create_directory(folder)) return false;
    for (const char* file :
         {"cgroup.subtree_control", "memory.max", "memory.swap.max", "pids.max", "cpu.max", "cgroup.procs"}) {
      std::ofstream(folder / file) << "";
    }
    std::ofstream(folder / "cgroup.controllers") << controllers << "\n";
    std::ofstream(folder / "memory.events") << "low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n";
    return true;
  }
  bool Remove(const fs::path& folder) override { return fs::remove_all(folder) > 0; }
  std::string controllers = "cpuset cpu io memory pids";
};

class Second : public testing::Test {
 protected:
  Second() {
    std::string name = (fs::temp_directory_path() / "groups-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    own_ = root_ / "own";
    tree_->Add(own_);
  }
  ~Second() override { fs::remove_all(root_); }
  std::shared_ptr<Home> MakeHome() { return Home::Make({.version = Version::kTwo, .own = own_}, tree_); }

  const std::shared_ptr<StandIn> tree_ = std::make_shared<StandIn>();
  fs::path root_, own_;
};

TEST_F(Second, BoundsAreWrittenAsTheKernelReadsThem) {
  const auto home = MakeHome();
  ASSERT_NE(home, nullptr);
  const auto outer = Group::Make(home, {.processors = 1.5});
  const auto inner = Group::Make(home, {.memory_bytes = 64 << 20, .threads = 32}, outer);
  ASSERT_NE(inner, nullptr);
  const fs::path folder = OursIn(own_).at(0) / "1";
  EXPECT_EQ(TextOf(folder / "cpu.max"), "30000 20000");
  EXPECT_TRUE(TextOf(folder / "cgroup.subtree_control").starts_with("+cpu"));  // the last of those written
  EXPECT_EQ(TextOf(folder / "2" / "memory.max"), "67108864");
  EXPECT_EQ(TextOf(folder / "2" / "memory.swap.max"), "0");
  EXPECT_EQ(TextOf(folder / "2" / "pids.max"), "32");
  EXPECT_EQ(inner->ended_for_memory(), 2u);
  EXPECT_GE(inner->folder(), 0);
  EXPECT_EQ(inner->entries().size(), 1u);
}

TEST_F(Second, ASmallShareHasALongerPeriod) {
  const auto home = MakeHome();
  const auto group = Group::Make(home, {.processors = 0.01});
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(TextOf(OursIn(own_).at(0) / "1" / "cpu.max"), "1000 100000");
}

TEST_F(Second, WhatTheGroupWasNotGivenIsNotHeld) {
  tree_->controllers = "cpuset pids";
  const auto home = MakeHome();
  ASSERT_NE(home, nullptr);
  EXPECT_EQ(Group::Make(home, {.memory_bytes = 64 << 20}), nullptr);
  const auto group = Group::Make(home, {.memory_bytes = 64 << 20, .threads = 32});
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(group->holds().memory_bytes, 0u);
  EXPECT_EQ(group->holds().threads, 32u);
}

TEST_F(Second, WithoutControllersThereIsNoHomeAndNothingIsLeft) {
  tree_->controllers = "";
  EXPECT_EQ(MakeHome(), nullptr);
  EXPECT_TRUE(OursIn(own_).empty());
  EXPECT_TRUE(OursIn(root_).empty());
}

TEST_F(Second, NothingIsLeft) {
  {
    const auto home = MakeHome();
    const auto outer = Group::Make(home, {.processors = 1});
    const auto inner = Group::Make(home, {.threads = 32}, outer);
    EXPECT_EQ(OursIn(own_).size(), 1u);
  }
  EXPECT_TRUE(OursIn(own_).empty());
}

// A folder of a disk is no group, whatever its files are called.
TEST_F(Second, AStandInLetsNobodyIn) {
  const auto home = MakeHome();
  EXPECT_FALSE(Group::Make(home, {.threads = 4})->LetsIn());
}

// A name is only believed when it is all there: whatever else lies beside is not ours to remove.
TEST_F(Second, OnlyWhatWasOursIsSwept) {
  for (const char* name : {"cordon-", "cordon-1-2-3", "cordon-x-1-1-1", "cordon-1-2-3-4", "other", "cordon-1-2"}) {
    fs::create_directory(own_ / name);
  }
  const auto home = MakeHome();
  ASSERT_NE(home, nullptr);
  EXPECT_EQ(OursIn(own_).size(), 6u);
  EXPECT_TRUE(fs::exists(own_ / "cordon-1-2-3-4"));  // of another namespace of processes
}

}  // namespace
}  // namespace cordon::groups
