#include "behaviours.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

namespace cordon::conformance {
namespace {

using namespace std::chrono_literals;

// Longer than a call needs, short enough to wait for.
constexpr Duration kShort = 60ms;
constexpr std::size_t kMiB = 1 << 20;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<audit::Record> Denials(const Stage& stage) {
  std::vector<audit::Record> denials = stage.records();
  std::erase_if(denials, [](const audit::Record& record) {
    return record.event != audit::Event::kDecision || record.decision != policy::Verdict::kDeny;
  });
  return denials;
}

bool IsProcess(const Stage& stage) { return stage.kind().runs == Kind::Runs::kProcess; }

// What an end is called that a process has by a signal.
std::string OrSignal(const Stage& stage, const char* code) { return IsProcess(stage) ? "E_EXIT" : code; }

// A host that failed one call serves the next.
void Serves(Stage& stage) { EXPECT_EQ(stage.Text("echo", "again"), "again"); }

void Echo(Stage& stage) {
  stage.Load();
  constexpr std::string_view kText = "\"quoted\" \\ line\nfeed \u00e9 \U0001f600";
  EXPECT_EQ(stage.Text("echo", "hello"), "hello");
  EXPECT_EQ(stage.Text("echo", kText), kText);
  EXPECT_EQ(stage.Text("echo", ""), "");
}

void ErrorOfItsOwn(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.OwnError("fail", "no shoes left"), "no shoes left");
  Serves(stage);
}

void Config(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.Text("setting", "greeting"), "good day");
  EXPECT_EQ(stage.Text("setting", "nothing"), "none");
  stage.Load({.grants = {}});
  EXPECT_NE(stage.Ask("setting", "greeting").text, "good day") << "not granted";
}

void State(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.Text("get", "colour"), "none");
  EXPECT_EQ(stage.Text("put", "colour blue"), "done");
  EXPECT_EQ(stage.Text("get", "colour"), "blue");
  stage.LoadAnother();
  EXPECT_EQ(stage.Text("get", "colour"), "none") << "another plugin has a bucket of its own";
}

void Log(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.Text("log", "careful\n\x1b[31m"), "done");
  ASSERT_EQ(stage.log().size(), 1u);
  const services::LogLine& line = stage.log()[0];
  EXPECT_EQ(line.message, "careful\\u000a\\u001b[31m");
  EXPECT_EQ(line.plugin, "conformance/" + std::string(stage.kind().name));
  EXPECT_EQ(line.level, services::LogLevel::kWarn);
}

void FileInMount(Stage& stage) {
  stage.Load({.access = policy::Access::kRead});
  EXPECT_EQ(stage.Text("read", "/data/inside.txt"), "inside");
  stage.OwnError("write", "/data/new.txt words");
  EXPECT_FALSE(std::filesystem::exists(stage.data() / "new.txt"));
  stage.Load({.access = policy::Access::kWrite});
  EXPECT_EQ(stage.Text("write", "/data/new.txt words"), "done");
  EXPECT_EQ(ReadFile(stage.data() / "new.txt"), "words");
}

void FileOutside(Stage& stage) {
  stage.Load();
  for (const char* path :
       {"/data/../secret.txt", "/data/out", "/etc/passwd", "../secret.txt", "/data/../../etc/passwd"}) {
    stage.OwnError("read", path);
  }
  const auto denied = Denials(stage);
  const auto of_link = std::ranges::count_if(denied, [](const auto& record) { return record.target == "/data/out"; });
  EXPECT_EQ(of_link, IsProcess(stage) ? 0 : 1) << "the link that leads out is denied and audited, once";
}

void HttpAllowed(Stage& stage) {
  const int before = stage.site().requests();
  stage.Load({.pages = {"/shop/*"}});
  EXPECT_EQ(stage.Text("fetch", stage.url("/shop/shoes")), "served");
  EXPECT_EQ(stage.site().requests(), before + 1);
  const auto records = stage.records();
  const auto allowed = std::ranges::count_if(records, [](const audit::Record& record) {
    return record.decision == policy::Verdict::kAllow && record.target.ends_with("/shop/shoes");
  });
  EXPECT_EQ(allowed, 1);
}

void HttpDenied(Stage& stage) {
  const int before = stage.site().requests();
  for (const std::vector<std::string>& pages : {std::vector<std::string>{"/shop/*"}, {}}) {
    stage.Load({.pages = pages});
    const std::size_t known = Denials(stage).size();
    const Answer answer = stage.Ask("fetch", stage.url("/office/safe"));
    EXPECT_EQ(answer.text, "");
    EXPECT_TRUE(answer.code == "" || answer.code == "E_DENIED") << answer.code;
    EXPECT_EQ(Denials(stage).size(), known + 1);
    Serves(stage);
  }
  EXPECT_EQ(stage.site().requests(), before) << "nothing was sent";
}

void Timeout(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.Code("spin", "", {.timeout = kShort}), "E_TIMEOUT");
  Serves(stage);
}

void MemoryCap(Stage& stage) {
  stage.Load({.memory = MiB(32)});
  const Answer answer = stage.Ask("grow", "64", {.text = AskOptions::Text::kDiffers});
  if (IsProcess(stage)) {
    // It may have a little more, for as long as nobody looks; then it is ended.
    EXPECT_TRUE(answer.code == "E_MEMORY" || std::atoi(answer.text.c_str()) < 64) << answer.code << answer.text;
  } else {
    EXPECT_EQ(answer.code, "");
    const int grown = std::atoi(answer.text.c_str());
    EXPECT_GT(grown, 8);
    EXPECT_LT(grown, 32);
    EXPECT_LE(answer.report.usage.memory_peak_bytes, 32 * kMiB);
  }
  Serves(stage);
}

void StdoutCap(Stage& stage) {
  constexpr std::size_t kKept = 4 << 10, kWritten = 64 << 10;
  manifest::CeilingLimits limits;
  limits.stdout_bytes = Bytes{kKept};
  limits.output = Bytes{kKept};
  stage.Load({.limits = limits});
  const Answer errors = stage.Ask("flood", "stderr 64");
  EXPECT_EQ(errors.code, "");
  EXPECT_EQ(errors.report.stderr_text, std::string(kKept, 'x'));
  EXPECT_EQ(errors.report.usage.stderr_dropped_bytes, kWritten - kKept);

  const Answer output = stage.Ask("flood", "stdout 64");
  if (stage.kind().speaks == Kind::Speaks::kProgram) {
    // Its output is its answer: an answer that is too long is none.
    EXPECT_EQ(output.code, "E_OUTPUT_SIZE");
  } else {
    EXPECT_EQ(output.code, "");
    EXPECT_EQ(output.report.stdout_text, std::string(kKept, 'x'));
    EXPECT_GE(output.report.usage.stdout_dropped_bytes, kWritten - kKept);
  }
  Serves(stage);
}

void Trap(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.Code("trap"), OrSignal(stage, "E_TRAP"));
  Serves(stage);
}

void Recursion(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.Code("recurse"), OrSignal(stage, "E_STACK_OVERFLOW"));
  Serves(stage);
}

void Cancel(Stage& stage) {
  stage.Load();
  const auto handle = std::make_shared<runtime::CallHandle>();
  std::thread host([&] {
    std::this_thread::sleep_for(kShort);
    handle->Interrupt();
  });
  EXPECT_EQ(stage.Code("spin", "", {.handle = handle}), "E_INTERRUPTED");
  host.join();
  Serves(stage);
}

void ReuseAfterFailure(Stage& stage) {
  stage.Load();
  EXPECT_EQ(stage.Code("count-and-trap"), OrSignal(stage, "E_TRAP"));
  EXPECT_EQ(stage.Text("count"), "1") << "nothing of the instance that failed is left";
  EXPECT_EQ(stage.Text("count"), "1") << "nor of the one that did not";
}

void BigData(Stage& stage) {
  manifest::CeilingLimits limits;
  limits.input = limits.output = limits.stdout_bytes = MiB(2);
  stage.Load({.limits = limits});
  const std::string big(kMiB, 'b'), too_big(3 * kMiB, 'b');
  EXPECT_TRUE(stage.Text("echo", big) == big);
  EXPECT_EQ(stage.Text("produce", "1024").size(), kMiB);
  if (stage.kind().speaks == Kind::Speaks::kStandardText) {
    // What a core module is given are numbers; its stdout is cut.
    const Answer cut = stage.Ask("echo", too_big);
    EXPECT_EQ(cut.report.stdout_text.size(), 2 * kMiB);
    EXPECT_EQ(cut.report.usage.stdout_dropped_bytes, kMiB);
  } else {
    EXPECT_EQ(stage.Code("echo", too_big), "E_INPUT_SIZE");
    // Stopped where the guest hands it over, or behind that.
    const std::string code = stage.Code("produce", "3072");
    EXPECT_TRUE(code == "E_OUTPUT_SIZE" || code == "E_LIFT_LIMIT") << code;
  }
  Serves(stage);
}

void Environment(Stage& stage) {
  ASSERT_EQ(::setenv("CORDON_OF_THE_HOST", "secret", 1), 0);
  stage.Load();
  std::istringstream variables(stage.Text("environment"));
  std::set<std::string> seen;
  for (std::string variable; std::getline(variables, variable, ';');) seen.insert(variable);
  EXPECT_EQ(seen.erase("GREETING=hello"), 1u);
  if (IsProcess(stage)) {
    // What every process in the confinement is told.
    for (const char* own :
         {"FLEDGE_PLUGIN_DIR=/run/plugin", "HOME=/tmp", "LANG=C.UTF-8", "PATH=/usr/bin:/bin", "PWD=/"}) {
      EXPECT_EQ(seen.erase(own), 1u) << own;
    }
  }
  EXPECT_EQ(seen, std::set<std::string>{}) << "nothing else is seen";
}

void ClockAndRandom(Stage& stage) {
  stage.Load();
  const Clocks clocks = ReadClocks(stage);
  EXPECT_GT(clocks.now, kLongAgoNs);
  EXPECT_EQ(clocks.now % 1'000'000, 0u) << "whole milliseconds";
  EXPECT_EQ(clocks.fine, 0u) << "so are spans";
  EXPECT_NE(clocks.random, ReadClocks(stage).random);
}

void Exit(Stage& stage) {
  stage.Load();
  const Answer answer = stage.Ask("exit", "3");
  EXPECT_EQ(answer.code, "E_EXIT");
  EXPECT_EQ(answer.text + answer.own_error, "");
  // WASI 0.2's exit knows success and failure only.
  EXPECT_TRUE(answer.exit_status == "3" || answer.exit_status == "1") << answer.exit_status;
  Serves(stage);
}

void UsageAndAudit(Stage& stage) {
  const bool has_fuel = !IsProcess(stage);
  stage.Load({.fuel = has_fuel ? std::optional<std::uint64_t>(1'000'000'000) : std::nullopt});
  const std::size_t loaded = stage.records().size();
  const engine::Usage usage = stage.Ask("echo", "hello").report.usage;
  if (has_fuel) {
    EXPECT_GT(usage.memory_peak_bytes, 0u);
    EXPECT_GT(usage.fuel, 0u);
  }
  EXPECT_GT(usage.wall.count(), 0);
  EXPECT_EQ(stage.Code("trap"), OrSignal(stage, "E_TRAP"));
  std::vector<audit::Record> calls = stage.records();
  calls.erase(calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(loaded));
  ASSERT_EQ(calls.size(), 2u) << "a record for each call, and nothing else";
  std::vector<std::string> expected = {"memory_peak_bytes", "host_calls", "bytes_in", "bytes_out"};
  if (has_fuel) expected.push_back("fuel");
  for (const audit::Record& call : calls) {
    EXPECT_EQ(call.event, audit::Event::kCall);
    EXPECT_EQ(call.plugin, "conformance/" + std::string(stage.kind().name));
    EXPECT_EQ(call.digest.substr(0, 7), "sha256:");
    EXPECT_EQ(call.action, "run");
    EXPECT_TRUE(call.duration.has_value());
    std::vector<std::string> names;
    for (const auto& [name, value] : call.usage) names.push_back(name);
    EXPECT_EQ(names, expected);
  }
  EXPECT_FALSE(calls[0].code.has_value());
  EXPECT_EQ(calls[1].code, has_fuel ? Code::kTrap : Code::kExit);
}

constexpr Behaviour kBehaviours[] = {
    {"echo", Echo},
    {"error", ErrorOfItsOwn},
    {"config", Config},
    {"state", State},
    {"log", Log},
    {"file_in_mount", FileInMount},
    {"file_outside", FileOutside},
    {"http_allowed", HttpAllowed},
    {"http_denied", HttpDenied},
    {"timeout", Timeout},
    {"memory_cap", MemoryCap},
    {"stdout_cap", StdoutCap},
    {"trap", Trap},
    {"recursion", Recursion},
    {"cancel", Cancel},
    {"reuse_after_failure", ReuseAfterFailure},
    {"big_data", BigData},
    {"environment", Environment},
    {"clock_and_random", ClockAndRandom},
    {"exit", Exit},
    {"usage_and_audit", UsageAndAudit},
};

}  // namespace

std::span<const Behaviour> Behaviours() { return kBehaviours; }

}  // namespace cordon::conformance
