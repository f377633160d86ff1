#include "isolation/bubblewrap.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace cordon::isolation {
namespace {

namespace fs = std::filesystem;

std::int64_t InSeconds(std::int64_t seconds) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec + seconds) * 1'000'000'000LL + now.tv_nsec;
}

std::string Drain(int fd) {
  std::string text;
  while (true) {
    pollfd ready = {fd, POLLIN, 0};
    ::poll(&ready, 1, 10'000);
    char block[4096];
    const ssize_t got = ::read(fd, block, sizeof block);
    if (got <= 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
}

class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/cordon-isolation-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Scratch() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class BubblewrapTest : public testing::Test {
 protected:
  void SetUp() override {
    auto found = Bubblewrap::Find();
    if (!found) GTEST_SKIP() << "skipped=" << found.error().message;
    bubblewrap_.emplace(std::move(*found));
  }

  struct Done {
    std::string out, err;
    ConfinedProcess::Outcome outcome;
  };
  Done Run(const std::string& script, Confined confined = {}, TreeLimits limits = {}) {
    const std::string text = "#!/bin/sh\n" + script;
    confined.program = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    if (limits.deadline_ns == 0) limits.deadline_ns = InSeconds(60);
    auto process = bubblewrap_->Start(confined, std::move(limits));
    EXPECT_TRUE(process) << process.error().message;
    process->process().CloseInput();
    Done done;
    done.out = Drain(process->process().output());
    done.err = Drain(process->process().errors());
    done.outcome = process->Wait();
    return done;
  }

  std::optional<Bubblewrap> bubblewrap_;
};

TEST_F(BubblewrapTest, TheProgramsOwnStatusComesBack) {
  EXPECT_EQ(Run("exit 0").outcome.status, 0);
  EXPECT_EQ(Run("exit 42").outcome.status, 42);
  EXPECT_EQ(Run("kill -TERM $$").outcome.status, 128 + SIGTERM);
  EXPECT_EQ(Run("echo out; echo err >&2").out, "out\n");
}

TEST_F(BubblewrapTest, ItSeesTheMachinesProgramsAndItsOwnFoldersAlone) {
  EXPECT_EQ(Run("echo /* | tr ' ' '\\n' | grep -v -E '^/(bin|dev|lib.*|proc|run|sbin|tmp|usr)$'").out, "");
  EXPECT_EQ(Run("ls -A /home /root /etc /var /sys 2>/dev/null").out, "");
  // Its own processes, of which a shell makes a few, and none of the machine's hundreds.
  EXPECT_EQ(Run("test $(ls /proc | grep -c -E '^[0-9]+$') -le 8 && echo few").out, "few\n");
  EXPECT_EQ(
      Run("touch /x /usr/x /dev/x /run/plugin/x 2>/dev/null; ls -d /x /usr/x /dev/x /run/plugin/x 2>/dev/null").out,
      "");
  EXPECT_EQ(Run("echo a > /tmp/a && cat /tmp/a").out, "a\n");
}

TEST_F(BubblewrapTest, ItHasTheVariablesAndDescriptorsThatItWasGiven) {
  ::setenv("CORDON_TEST_SECRET", "hunter2", 1);
  const UniqueFd inherited(::open("/etc/passwd", O_RDONLY));
  Confined confined;
  confined.environment = {{"MODE", "fast and loose"}};
  EXPECT_EQ(Run("env | sort | grep -v -E '^(_|PWD|SHLVL)='", confined).out,
            "HOME=/tmp\nLANG=C.UTF-8\nMODE=fast and loose\nPATH=/usr/bin:/bin\n");
  EXPECT_EQ(Run("ls /proc/self/fd | tr '\\n' ' '").out, "0 1 2 3 ");  // 3 is the folder that ls reads
}

TEST_F(BubblewrapTest, FoldersAreBoundByDescriptor) {
  const Scratch scratch;
  fs::create_directories(scratch.path() / "read");
  fs::create_directories(scratch.path() / "write");
  std::ofstream(scratch.path() / "read/a") << "of the folder";
  const UniqueFd read(::open((scratch.path() / "read").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd write(::open((scratch.path() / "write").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  // attack_8: the path means another folder by now.
  fs::rename(scratch.path() / "read", scratch.path() / "moved");
  fs::create_directory_symlink("/etc", scratch.path() / "read");
  Confined confined;
  confined.binds = {{read.get(), "/project", Bind::Access::kRead}, {write.get(), "/plugin", Bind::Access::kWrite}};
  confined.directory = "/project";
  const Done done = Run("cat a; pwd; echo b > b; echo c > /plugin/c", confined);
  EXPECT_EQ(done.out, "of the folder/project\n");
  EXPECT_FALSE(fs::exists(scratch.path() / "moved/b"));
  EXPECT_TRUE(fs::exists(scratch.path() / "write/c"));
}

TEST_F(BubblewrapTest, ThereIsNoNetwork) {
  EXPECT_EQ(Run("cat /proc/net/dev | grep -c :").out, "1\n");  // its own loopback
  EXPECT_EQ(Run("cat /proc/net/route | wc -l").out, "1\n");    // the heading
}

TEST_F(BubblewrapTest, attack_23_ATreeThatLeftItsSessionEndsWithIt) {
  // A daemon: of another session, with the output that it got.
  const Done done = Run("setsid sh -c 'sleep 600' & exit 3");
  EXPECT_EQ(done.outcome.status, 3);
  TreeLimits soon{.deadline_ns = InSeconds(1)};
  const Done late = Run("trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; sleep 600' & sleep 600", {}, soon);
  EXPECT_EQ(late.outcome.ending.why, Ending::Why::kDeadline);
  EXPECT_EQ(late.outcome.status, std::nullopt);
}

// Where a group can bound it, the shell finds that it cannot fork; elsewhere it is ended.
TEST_F(BubblewrapTest, attack_23_MoreProcessesThanItMayHave) {
  const Done done = Run("for i in $(seq 200); do sleep 600 & done; sleep 600", {}, {.processes = 32});
  EXPECT_TRUE(done.outcome.ending.why == Ending::Why::kProcesses || done.outcome.status.value_or(0) != 0);
}

TEST_F(BubblewrapTest, MemoryAndTimeOfTheTreeHaveLimits) {
  // Each holds 24 MiB, and waits for more.
  const Done large = Run("for i in 1 2 3; do (head -c 24m /dev/zero; sleep 600) | tail -c 24m & done; wait", {},
                         {.memory_bytes = 32 << 20});
  EXPECT_EQ(large.outcome.ending.why, Ending::Why::kMemory);
  const Done busy = Run("while :; do :; done", {}, {.cpu = std::chrono::milliseconds(200)});
  EXPECT_EQ(busy.outcome.ending.why, Ending::Why::kCpu);
  int asked = 0;
  const Done stopped = Run("sleep 600", {}, {.stopped = [&] { return ++asked > 3; }});
  EXPECT_EQ(stopped.outcome.ending.why, Ending::Why::kStopped);
  const Done full = Run("head -c 64m /dev/zero > /tmp/a; head -c 64m /dev/zero > /dev/shm/a; wc -c < /dev/shm/a", {},
                        {.memory_bytes = 8 << 20});
  EXPECT_EQ(full.out, "8388608\n");
}

TEST_F(BubblewrapTest, attack_118_TheKernelsDangerousPartsAreDenied) {
  EXPECT_NE(Run("unshare -U true").outcome.status, 0);
  EXPECT_NE(Run("mount -t tmpfs none /tmp").outcome.status, 0);
  EXPECT_EQ(Run("grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t '").out,
            "CapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n");
}

TEST(Bubblewrap, WhatIsMissingIsNamedWithItsRemedy) {
  const Scratch scratch;
  const auto absent = Bubblewrap::Find(scratch.path() / "bwrap");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kUnavailable);
  EXPECT_NE(absent.error().message.find("there is no"), std::string::npos);
  EXPECT_EQ(absent.error().remedy, "install the package bubblewrap");
  // It exits as bwrap does where it may make no namespaces. A program by its descriptor has no interpreter, so this is
  // a copy of one that fails.
  const fs::path fails = scratch.path() / "fails";
  fs::copy_file("/usr/bin/false", fails);
  ::chmod(fails.c_str(), 0755);
  const auto refused = Bubblewrap::Find(fails);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("namespaces"), std::string::npos);
  EXPECT_NE(refused.error().remedy.find("user namespaces"), std::string::npos);
  ::chmod(fails.c_str(), 0777);
  EXPECT_NE(Bubblewrap::Find(fails).error().message.find("root alone"), std::string::npos);
}

}  // namespace
}  // namespace cordon::isolation
