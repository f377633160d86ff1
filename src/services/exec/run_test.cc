#include "services/exec/run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include "services/exec/confine.h"

namespace cordon::services {
namespace {

namespace fs = std::filesystem;
using Ended = RunOutcome::Ended;

constexpr char kPython[] = "/usr/bin/python3";

std::int64_t In(std::int64_t milliseconds) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec + milliseconds * 1'000'000;
}

class Run : public testing::TestWithParam<RunRequest::Tree> {
 protected:
  RunOutcome Go(const char* path, std::vector<std::string> arguments, std::int64_t milliseconds = 30'000,
                std::string_view input = {}) {
    auto program = OpenProgram(path);
    EXPECT_TRUE(program.has_value());
    const Program* programs[] = {&*program};
    auto rules = MakeRules(programs, {});
    EXPECT_TRUE(rules.has_value());
    RunRequest request;
    request.program = &*program;
    request.arguments = std::move(arguments);
    request.rules = rules->get();
    request.input = {reinterpret_cast<const std::uint8_t*>(input.data()), input.size()};
    request.deadline_ns = In(milliseconds);
    request.output_bytes_max = 1 << 20;
    request.tree = GetParam();
    auto outcome = RunProgram(request);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_FALSE(GetParam() == RunRequest::Tree::kSubreaper && outcome->in_namespace);
    return std::move(*outcome);
  }

  // Whether any process has `mark` among its arguments.
  static bool Lives(const std::string& mark) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline");
      std::string text((std::istreambuf_iterator<char>(file)), {});
      if (text.find(mark) != std::string::npos) return true;
    }
    return false;
  }
};

TEST_P(Run, GivesOutputInputAndStatus) {
  const RunOutcome outcome = Go("/usr/bin/cat", {"cat"}, 30'000, "hello");
  EXPECT_EQ(outcome.out, "hello");
  EXPECT_EQ(outcome.number, 0u);
  EXPECT_EQ(outcome.ended, Ended::kExited);
  EXPECT_EQ(Go("/usr/bin/false", {"false"}).number, 1u);
}

TEST_P(Run, LeavesTheChildrenOfTheProgramThatEmbedsItAlone) {
  // A handler and a child of the embedding program: neither sees anything of ours.
  static int seen = 0;
  struct sigaction action{}, before{};
  action.sa_handler = [](int) { ++seen; };
  ::sigaction(SIGCHLD, &action, &before);
  Go("/usr/bin/true", {"true"});
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST_P(Run, attack_114_WhatLeftItsSessionEndsAtTheDeadline) {
  const std::string mark = "mark-of-the-tree-" + std::to_string(::getpid()) + std::to_string(int(GetParam()));
  const std::string code =
      "import os,signal,time\n"
      "signal.signal(signal.SIGTERM,signal.SIG_IGN)\n"
      "for i in range(4):\n"
      " if os.fork()==0:\n"
      "  os.setsid()\n"
      "  if os.fork(): os._exit(0)\n"
      "  os.setsid(); time.sleep(300)\n"
      "print('up',flush=True)\n"
      "time.sleep(300)\n";
  const RunOutcome outcome = Go(kPython, {"python3", "-I", "-c", code, mark}, 1500);
  EXPECT_EQ(outcome.ended, Ended::kTimedOut);
  EXPECT_EQ(outcome.out, "up\n");
  EXPECT_FALSE(Lives(mark));
}

TEST_P(Run, attack_114_WhatKeepsThePipesOpenEndsWithTheProgram) {
  const std::string mark = "mark-of-the-rest-" + std::to_string(::getpid()) + std::to_string(int(GetParam()));
  const std::string code =
      "import os,time\n"
      "if os.fork()==0:\n os.setsid(); time.sleep(300)\n"
      "print('done',flush=True); os._exit(7)\n";
  const RunOutcome outcome = Go(kPython, {"python3", "-I", "-c", code, mark});
  EXPECT_EQ(outcome.ended, Ended::kExited);
  EXPECT_EQ(outcome.number, 7u);
  EXPECT_EQ(outcome.out, "done\n");
  EXPECT_FALSE(Lives(mark));
}

TEST_P(Run, attack_114_ItSignalsNobodyElse) {
  const std::string code = "import os\ntry:\n os.kill(" + std::to_string(::getpid()) +
                           ",0); print('reached')\nexcept OSError as e: print('refused')\n";
  EXPECT_EQ(Go(kPython, {"python3", "-I", "-c", code}).out, "refused\n");
}

TEST_P(Run, ManyAtOnceDoNotMixTheirPipes) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int round = 0; round < 5; ++round) {
        const std::string text = std::to_string(i) + "/" + std::to_string(round);
        EXPECT_EQ(Go("/usr/bin/printf", {"printf", "%s", text}).out, text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Trees, Run, testing::Values(RunRequest::Tree::kBest, RunRequest::Tree::kSubreaper),
                         [](const auto& info) {
                           return info.param == RunRequest::Tree::kBest ? "Namespace" : "Subreaper";
                         });

TEST(Program, attack_112_AWriteAfterItWasOpenedShows) {
  const fs::path path = fs::temp_directory_path() / ("cordon-program-" + std::to_string(::getpid()));
  fs::copy_file("/usr/bin/true", path);
  auto program = OpenProgram(path);
  ASSERT_TRUE(program.has_value());
  EXPECT_TRUE(program->Unchanged());
  const std::string before = program->pin.digest.ToString();
  {
    std::fstream file(path, std::ios::in | std::ios::out);
    file.seekp(64);
    file.put('x');
  }
  EXPECT_FALSE(program->Unchanged());
  EXPECT_EQ(OpenPinned("true", program->pin).error().code, Code::kChanged);
  fs::remove(path);
  EXPECT_EQ(OpenPinned("true", program->pin).error().code, Code::kChanged);
}

TEST(Program, IsAFileThatTheMachineRunsByItself) {
  EXPECT_EQ(OpenProgram("/usr/bin").error().code, Code::kNotRegular);
  EXPECT_EQ(OpenProgram("/etc/passwd").error().code, Code::kInvalid);
  EXPECT_EQ(OpenProgram("/nowhere").error().code, Code::kNotFound);
  EXPECT_EQ(OpenProgram("/dev/null").error().code, Code::kNotRegular);
}

}  // namespace
}  // namespace cordon::services
