// What is particular to worker processes: they may die at any moment, and nobody else notices.
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "processes.h"
#include "residents.h"

namespace {

using cordon::Code;
using processes::Keepers;
using processes::ParentOf;
using processes::Soon;
using processes::Workers;
using shop::CodeOf;

shop::Loaded LoadInWorkers() {
  cordon::HostOptions options;
  options.placement = cordon::HostOptions::Placement::kWorkers;
  return shop::Load(std::move(options));
}

// The folder of a process in the hierarchy that counts processes, and whether others can be made in it.
std::filesystem::path GroupOf(pid_t process) {
  std::ifstream groups("/proc/" + std::to_string(process) + "/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t at = line.find(":pids:");
    if (at != line.npos) return "/sys/fs/cgroup/pids" + line.substr(at + 6);
  }
  return {};
}
bool HasGroups() { return ::access(GroupOf(::getpid()).c_str(), W_OK) == 0; }

int HomesOfThisHost() {
  int count = 0;
  for (const auto& one : std::filesystem::directory_iterator(GroupOf(::getpid()))) {
    const std::string name = one.path().filename().string();
    count += name.starts_with("cordon-") && name.find("-" + std::to_string(::getpid()) + "-") != name.npos ? 1 : 0;
  }
  return count;
}

constexpr char kSum[] = R"({"a": 20, "b": 22})";

TEST(Worker, TheGuestRunsThereAndNotHere) {
  auto loaded = LoadInWorkers();
  ASSERT_TRUE(loaded.plugin) << loaded.plugin.error().message;
  EXPECT_EQ(loaded.plugin->Call("add", kSum)->json, "42");
  ASSERT_EQ(Keepers().size(), 1u);
  EXPECT_EQ(Workers().size(), 1u);
}

TEST(Worker, NothingIsLeftWhenTheHostGoes) {
  {
    auto loaded = LoadInWorkers();
    ASSERT_TRUE(loaded.plugin);
    auto kept = loaded.plugin->NewInstance();
    ASSERT_TRUE(kept);
    EXPECT_EQ(loaded.plugin->Call("add", kSum)->json, "42");
    EXPECT_EQ(Workers().size(), 2u);
  }
  EXPECT_TRUE(Soon([] { return Keepers().empty(); }));
}

TEST(Worker, OneThatIsKilledCostsItsCallAndNoOther) {
  auto loaded = LoadInWorkers();
  ASSERT_TRUE(loaded.plugin);
  for (int i = 0; i < 20; ++i) {
    for (const pid_t worker : Workers()) ::kill(worker, SIGKILL);
    const auto answer = loaded.plugin->Call("add", kSum);
    if (!answer) {
      EXPECT_EQ(answer.error().code, Code::kWorkerLost) << answer.error().message;
      EXPECT_EQ(loaded.plugin->Call("add", kSum)->json, "42");
    } else {
      EXPECT_EQ(answer->json, "42");
    }
  }
}

TEST(Worker, attack_104_AResidentWhoseWorkerIsKilledComesBackWithItsState) {
  const residents::Folder folder;
  cordon::HostOptions options;
  options.placement = cordon::HostOptions::Placement::kWorkers;
  auto host = residents::HostWith(std::move(options));
  auto plugin = residents::Load(*host, folder.Plugin("lifecycle: { state: { snapshot: 100ms } }"));
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(residents::Add(*plugin, 5), "5");
  ASSERT_TRUE(Soon([&] { return plugin->residency()->snapshot.has_value(); }));
  // Asleep in a call of its own, so that its worker is the one that is busy.
  std::string lost;
  std::jthread sleeper([&] { lost = residents::Called(*plugin, "rest", R"({"ms": 20000})"); });
  ::usleep(100'000);
  for (const pid_t worker : Workers()) ::kill(worker, SIGKILL);
  sleeper.join();
  EXPECT_EQ(lost, "E_WORKER_LOST");
  EXPECT_TRUE(Soon([&] { return residents::Add(*plugin, 1) == "6"; }));
  EXPECT_GE(plugin->residency()->restarts, 1u);
  // Between calls, too: the next one finds out, or the probe.
  for (const pid_t worker : Workers()) ::kill(worker, SIGKILL);
  EXPECT_TRUE(Soon([&] { return plugin->Call("add", R"({"n": 0})").has_value(); }));
}

TEST(Worker, OneThatStandsStillEndsWithItsDeadline) {
  auto loaded = LoadInWorkers();
  ASSERT_TRUE(loaded.plugin);
  EXPECT_EQ(loaded.plugin->Call("add", kSum)->json, "42");
  for (const pid_t worker : Workers()) ::kill(worker, SIGSTOP);
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(100);
  EXPECT_EQ(CodeOf(loaded.plugin->Call("add", kSum, brief)), Code::kTimeout);
  EXPECT_EQ(loaded.plugin->Call("add", kSum)->json, "42");
}

TEST(Worker, AKeeperThatIsKilledIsReplaced) {
  auto loaded = LoadInWorkers();
  ASSERT_TRUE(loaded.plugin);
  EXPECT_EQ(loaded.plugin->Call("add", kSum)->json, "42");
  const std::vector<pid_t> workers = Workers();
  for (const pid_t keeper : Keepers()) ::kill(keeper, SIGKILL);
  EXPECT_TRUE(Soon([&] {
    for (const pid_t worker : workers) {
      if (ParentOf(worker) != 0) return false;
    }
    return true;
  })) << "workers end with their keeper";
  // A call that met a worker on its way out is lost, and says so; the next one has another.
  auto again = loaded.plugin->Call("add", kSum);
  if (!again && again.error().code == Code::kWorkerLost) again = loaded.plugin->Call("add", kSum);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->json, "42");
}

// Whoever called gets a code, and what was asked for ran once.
TEST(Worker, attack_168_ACalleeThatIsKilledRanOnce) {
  const auto folder = std::filesystem::temp_directory_path() / ("cordon-killed-" + std::to_string(::getpid()));
  cordon::HostOptions options;
  options.placement = cordon::HostOptions::Placement::kWorkers;
  auto host = cordon::Host::Create(options);
  ASSERT_TRUE(host) << host.error().message;
  const auto load = [&](const std::string& name, std::vector<std::string> grants) {
    std::filesystem::create_directories(folder / name);
    std::filesystem::copy_file(shop::Guest("tools"), folder / name / "guest.wasm");
    std::ofstream(folder / name / "plugin.yaml")
        << "manifest: 1\nname: acme/" << name << "\nversion: 1.0.0\nruntime: {abi: component, artifact: guest.wasm}\n"
        << "actions: { ask: {export: \"cordon:tools-guest/relay@0.1.0#ask\"}, "
           "spin: {export: \"cordon:tools-guest/relay@0.1.0#spin\"}, "
           "look: {export: \"cordon:tools-guest/relay@0.1.0#look\"} }\n"
           "permissions: {optional: [{storage: {bucket: kept, access: write}}, {call: [\"acme/b#*\"]}]}\n";
    auto plugin = host->Load(folder / name, {.grants = std::move(grants)});
    EXPECT_TRUE(plugin) << plugin.error().message;
    return *plugin;
  };
  const auto a = load("a", {"call:acme/b#*"});
  const std::vector<pid_t> of_a = Workers();
  const auto b = load("b", {"kv:write:kept"});
  std::string answer;
  std::jthread asking([&] {
    auto asked = a.Call("ask", R"({"action": "acme/b#spin", "input": "{}"})");
    answer = asked ? asked->json : asked.error().message;
  });
  const auto count = [&] { return b.Call("look", R"({"key": "count"})")->json; };
  ASSERT_TRUE(Soon([&] { return count() == R"({"ok":"1"})"; })) << count();
  for (const pid_t worker : Workers()) {
    if (std::ranges::find(of_a, worker) == of_a.end()) ::kill(worker, SIGKILL);
  }
  asking.join();
  EXPECT_EQ(answer.find(R"({"err":"E_WORKER_LOST )"), 0u) << answer;
  EXPECT_EQ(count(), R"({"ok":"1"})");
  std::filesystem::remove_all(folder);
}

// To make them costs processor time that is other plugins'.
TEST(Worker, ThoseThatFallAgainAndAgainAreMadeMoreSlowly) {
  auto loaded = LoadInWorkers();
  ASSERT_TRUE(loaded.plugin);
  const auto fall = [&] {
    for (const pid_t worker : Workers()) ::kill(worker, SIGKILL);
    ASSERT_TRUE(Soon([] { return Workers().empty(); }));
  };
  // A call that meets a worker on its way out is lost.
  const auto answered = [&] { return loaded.plugin->Call("add", kSum).has_value(); };
  for (int i = 0; i < 5; ++i) {
    fall();
    ASSERT_TRUE(answered() || answered());
  }
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) {
    fall();
    ASSERT_TRUE(answered() || answered());
  }
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(3 * 40));
  fall();
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(20);
  Code refused = CodeOf(loaded.plugin->Call("add", kSum, brief));
  if (refused == Code::kWorkerLost) refused = CodeOf(loaded.plugin->Call("add", kSum, brief));
  EXPECT_EQ(refused, Code::kBusy) << "who has no time to wait is told so at once";
}

// A keeper that ends before its worker asked for a signal sends none: what is left is the door.
TEST(Worker, OneWhoseHostLeftTheDoorEndsByItself) {
  auto loaded = LoadInWorkers();
  ASSERT_TRUE(loaded.plugin);
  const auto doors = [] {
    std::set<int> found;
    for (int fd = 3; fd < 256; ++fd) {
      int type = 0;
      socklen_t size = sizeof type;
      if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) found.insert(fd);
    }
    return found;
  };
  const std::set<int> before = doors();
  const std::vector<pid_t> others = Workers();
  auto kept = loaded.plugin->NewInstance();
  ASSERT_TRUE(kept);
  auto second = loaded.plugin->NewInstance();
  ASSERT_TRUE(second);
  for (const int door : doors()) {
    if (!before.contains(door)) ::shutdown(door, SHUT_RDWR);
  }
  EXPECT_TRUE(Soon([&] { return Workers() == others || Workers().empty(); }));
}

// A worker that was taken over, by a program that attacks as soon as it is called.
class Drill : public testing::Test {
 protected:
  explicit Drill(std::vector<std::string> more_grants = {}) : grants_(std::move(more_grants)) {}
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    cordon::HostOptions options;
    options.placement = cordon::HostOptions::Placement::kWorkers;
    options.worker_path = CORDON_DRILL_PATH;
    options.audit = audit_;
    auto host = cordon::Host::Create(std::move(options));
    ASSERT_TRUE(host) << host.error().message;
    host_.emplace(std::move(*host));
    ASSERT_TRUE(host_->Register(shop::Prices()));
    cordon::LoadOptions load;
    load.grants = grants_;
    load.grants.insert(load.grants.end(), {"host:catalogue", "host:prices"});
    load.mounts = {{folder_, "/data"}};
    auto plugin = host_->Load(shop::Guest(), load);
    ASSERT_TRUE(plugin) << plugin.error().message;
    plugin_.emplace(std::move(*plugin));
    auto greet = plugin_->Function<std::string(std::string_view)>("greet");
    ASSERT_TRUE(greet);
    greet_.emplace(std::move(*greet));
  }
  ~Drill() override { std::filesystem::remove_all(folder_); }

  std::map<std::string, std::string> Attacks(std::string_view how = "break out") {
    const auto report = (*greet_)(how);
    std::istringstream lines(report ? *report : report.error().message);
    std::map<std::string, std::string> attacks;
    for (std::string line; std::getline(lines, line);) {
      const std::size_t at = std::min(line.rfind(" refused: "), line.rfind(" got in"));
      attacks[line.substr(0, at)] = line.substr(std::min(at + 1, line.size()));
    }
    return attacks;
  }

  std::ptrdiff_t BrokenRules() const {
    const auto records = audit_->records();
    return std::ranges::count_if(records, [](const auto& record) { return record.rule == "worker:protocol"; });
  }

  std::vector<std::string> grants_;
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("cordon-drill-" + std::to_string(::getpid()));
  std::shared_ptr<cordon::AuditMemory> audit_ = cordon::AuditMemory::Make();
  std::optional<cordon::Host> host_;
  std::optional<cordon::Plugin> plugin_;
  std::optional<cordon::TypedFunction<std::string(std::string_view)>> greet_;
};

TEST_F(Drill, NothingGetsIn) {
  const auto attacks = Attacks();
  for (const auto& [attack, result] : attacks) EXPECT_EQ(result.find("refused: "), 0u) << attack << " " << result;
  EXPECT_GE(attacks.size(), 50u);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(100);
  EXPECT_EQ(CodeOf(greet_->Call(brief, "never stop")), Code::kTimeout) << "whoever always asks has a deadline too";
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(CodeOf(greet_->Call(brief, "never listen")), Code::kTimeout) << "and who takes no answer";
  EXPECT_EQ(CodeOf(greet_->Call(brief, "dribble")), Code::kTimeout) << "and whose next byte always comes soon";
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
  // What a guest that was linked without it could never ask.
  EXPECT_EQ(CodeOf((*greet_)("ask for more")), Code::kWorkerLost);
  EXPECT_EQ(BrokenRules(), 1) << "and the audit says so";
}

// One that may use sockets: its host does what it asks of them, where a decision allowed exactly that.
class DrillWithSockets : public Drill {
 protected:
  DrillWithSockets() : Drill({"net:tcp:db.example.test:1-65535", "net:udp:127.0.0.1:8"}) {}
};

TEST_F(DrillWithSockets, attack_130_WhatWasNotAskedEndsTheWorker) {
  std::ptrdiff_t broken = 0;
  for (const char* what : {"connect", "bind", "listen", "datagram", "raw", "found"}) {
    const auto answer = (*greet_)(std::string("misuse sockets: ") + what);
    EXPECT_EQ(CodeOf(answer), Code::kWorkerLost) << what << " " << (answer ? *answer : answer.error().message);
    EXPECT_EQ(BrokenRules(), ++broken) << what;
    EXPECT_EQ(plugin_->Call("add", kSum)->json, "42");
  }
}

TEST_F(DrillWithSockets, attack_130_WhatIsNoPartOfSocketsIsRefused) {
  auto attacks = Attacks("misuse sockets: all");
  EXPECT_EQ(attacks.size(), 17u);
  for (const auto& [attack, result] : attacks) {
    if (!attack.starts_with("sockets ")) {
      EXPECT_EQ(result.find("refused: "), 0u) << attack << " " << result;
    }
  }
  EXPECT_TRUE(attacks.contains("sockets 64")) << "how many it could make";
  EXPECT_EQ(BrokenRules(), 0);
}

TEST_F(Drill, attack_138_ProcessesDevicesAndTheKernelHaveNoFiles) {
  auto attacks = Attacks();
  for (const char* attack :
       {"open-own-memory", "proc-descriptor", "proc-root", "dev-descriptor", "open-device", "sys", "control-groups"}) {
    const std::string result = attacks[attack];
    EXPECT_TRUE(result == "refused: ENOENT" || result == "refused: EACCES") << attack << " " << result;
  }
}

TEST_F(Drill, attack_104_AWorkerThatCrashesCostsItsCallAlone) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(CodeOf((*greet_)("crash")), Code::kWorkerLost);
    EXPECT_EQ(plugin_->Call("add", kSum)->json, "42");
  }
}

// With a control group the kernel ends it, without one it is refused more memory, and gives up.
TEST_F(Drill, attack_104_AWorkerThatIsOutOfMemoryCostsItsCallAlone) {
  for (int i = 0; i < 2; ++i) {
    const auto eaten = (*greet_)("eat memory");
    ASSERT_FALSE(eaten);
    EXPECT_EQ(eaten.error().code, HasGroups() ? Code::kMemory : Code::kWorkerLost) << eaten.error().message;
    EXPECT_EQ(plugin_->Call("add", kSum)->json, "42");
  }
}

TEST_F(Drill, attack_23_AWorkerHasFewThreads) {
  if (!HasGroups()) GTEST_SKIP() << "this system lets this process have no control groups";
  const auto started = (*greet_)("start threads");
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_LT(std::stoi(*started), 64);
}

// The groups of workers are this host's, and go with it; they are used again before more are made.
TEST(Worker, ControlGroupsAreUsedAgainAndLeaveNothing) {
  if (!HasGroups()) GTEST_SKIP() << "this system lets this process have no control groups";
  {
    auto loaded = LoadInWorkers();
    ASSERT_TRUE(loaded.plugin);
    // A call that meets a worker on its way out is lost.
    const auto answered = [&] { return loaded.plugin->Call("add", kSum).has_value(); };
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(answered() || answered());
      const auto before = Workers();
      ASSERT_EQ(before.size(), 1u);
      ::kill(before.front(), SIGKILL);
      ASSERT_TRUE(Soon([] { return Workers().empty(); }));
    }
    ASSERT_TRUE(answered() || answered());
    ASSERT_EQ(Workers().size(), 1u);
    const std::filesystem::path group = GroupOf(Workers().front());
    EXPECT_LE(std::stoi(group.filename()), 3) << group;
    EXPECT_EQ(HomesOfThisHost(), 1);
  }
  EXPECT_EQ(HomesOfThisHost(), 0);
}

TEST(Worker, AnHostThatIsKilledLeavesNothing) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    auto loaded = LoadInWorkers();
    auto spin = std::jthread([&] { (void)loaded.plugin->Call("spin", "{}"); });
    std::vector<pid_t> made = Keepers();
    for (const pid_t worker : Workers()) made.push_back(worker);
    (void)!::write(pipe[1], made.data(), made.size() * sizeof(pid_t));
    ::pause();
  }
  pid_t made[2] = {};
  ASSERT_EQ(::read(pipe[0], made, sizeof made), static_cast<ssize_t>(sizeof made));
  ::kill(host, SIGKILL);
  ::waitpid(host, nullptr, 0);
  for (const pid_t process : made) EXPECT_TRUE(Soon([&] { return ParentOf(process) == 0; }));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

// What a worker has: a link, a door, and nothing of its host's.
TEST(Worker, HasNoDescriptorOfItsHosts) {
  auto loaded = LoadInWorkers();
  ASSERT_TRUE(loaded.plugin);
  EXPECT_EQ(loaded.plugin->Call("add", kSum)->json, "42");
  for (const pid_t worker : Workers()) {
    std::ifstream status("/proc/" + std::to_string(worker) + "/status");
    const std::string text((std::istreambuf_iterator<char>(status)), {});
    EXPECT_NE(text.find("NoNewPrivs:\t1"), text.npos);
    EXPECT_NE(text.find("Seccomp:\t2"), text.npos);
    EXPECT_NE(text.find("CapEff:\t"), text.npos);
  }
}

}  // namespace
