// Compiled code on disk, and the process that compiles: what attackers, accidents and other processes do to them.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using cordon::HostOptions;
using shop::CodeOf;

// A cache in a folder of its own, and hosts that share it as processes would.
class Cache : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cordon-cache-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    folder_ = base_ / "code";
  }
  void TearDown() override { fs::remove_all(base_); }

  struct Seen {
    bool compiled = false;
    std::string sum;                 // what the plugin answered, or the code of the error
    std::vector<std::string> rules;  // of the audit's records on the cache
  };

  // A new host with this cache loads a guest and calls it.
  Seen Load(const std::string& guest = "bench", const std::function<void(HostOptions&)>& change = nullptr) {
    Seen seen;
    const auto audit = cordon::AuditMemory::Make();
    HostOptions options;
    options.audit = audit;
    options.code_cache = folder_;
    if (change) change(options);
    auto host = cordon::Host::Create(std::move(options));
    if (!host) {
      seen.sum = cordon::CodeName(host.error().code);
      return seen;
    }
    cordon::LoadOptions load;
    load.progress = [&](std::string_view stage) { seen.compiled |= stage == "compiling"; };
    auto plugin = host->Load(shop::Guest(guest), load);
    if (plugin) {
      auto answer = plugin->Call("add", guest == "core_math" ? R"({"p0":40,"p1":2})" : R"({"a":40,"b":2})");
      seen.sum = answer ? answer->json : std::string(cordon::CodeName(answer.error().code));
    } else {
      seen.sum = cordon::CodeName(plugin.error().code);
    }
    for (const cordon::AuditRecord& record : audit->records()) {
      if (record.target.starts_with("code-cache:")) seen.rules.push_back(record.rule);
    }
    return seen;
  }

  fs::path Entry() const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == ".code") return entry.path();
    }
    return {};
  }
  std::size_t Partials() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder_))
      count += entry.path().filename().string().starts_with("partial-");
    return count;
  }
  static void Flip(const fs::path& path, std::size_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }
  // The entry was not used, that is in the audit, and the plugin works all the same.
  void ExpectRefused(const std::string& rule) {
    const Seen seen = Load();
    EXPECT_TRUE(seen.compiled);
    EXPECT_EQ(seen.sum, "42");
    EXPECT_EQ(seen.rules, std::vector<std::string>{rule});
    const Seen after = Load();
    EXPECT_FALSE(after.compiled) << "what was compiled again is kept";
    EXPECT_TRUE(after.rules.empty());
  }

  fs::path base_, folder_;
};

TEST_F(Cache, ASecondLoadDoesNotCompile) {
  const Seen first = Load();
  EXPECT_TRUE(first.compiled);
  EXPECT_EQ(first.sum, "42");
  const Seen second = Load();
  EXPECT_FALSE(second.compiled);
  EXPECT_EQ(second.sum, "42");
  EXPECT_TRUE(second.rules.empty());
  EXPECT_EQ(fs::status(folder_).permissions() & fs::perms::all, fs::perms::owner_all);
}

using attack_76 = Cache;
TEST_F(attack_76, AForgedEntryUnderTheRightNameIsNeverRun) {
  Load();
  const auto size = fs::file_size(Entry());
  std::ofstream(Entry(), std::ios::binary) << std::string(size, 'x');
  ExpectRefused("code-cache:refused");
  // A header that is right in every part that can be known, over code of the attacker's.
  Flip(Entry(), size - 5);
  ExpectRefused("code-cache:forged");
}
TEST_F(attack_76, ThreeForgeriesAreAnAlarmThoughEachIsSeenByAnotherProcess) {
  Load();
  for (int i = 0; i < 3; ++i) {
    Flip(Entry(), fs::file_size(Entry()) - 5);
    const std::vector<std::string> rules = Load().rules;
    EXPECT_EQ(std::ranges::count(rules, "code-cache:alarm"), i == 2 ? 1 : 0);
  }
}
TEST_F(attack_76, ThreeForgeriesAreAnAlarm) {
  const auto audit = cordon::AuditMemory::Make();
  HostOptions options;
  options.audit = audit;
  options.code_cache = folder_;
  auto host = cordon::Host::Create(std::move(options));
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(host->Load(shop::Guest("bench")));
    Flip(Entry(), fs::file_size(Entry()) - 5);
  }
  const auto records = audit->records();
  EXPECT_EQ(std::ranges::count(records, "code-cache:forged", &cordon::AuditRecord::rule), 3);
  EXPECT_EQ(std::ranges::count(records, "code-cache:alarm", &cordon::AuditRecord::rule), 1);
}

TEST_F(attack_76, CompilingInThisProcessLeavesTheSameRecords) {
  const auto in_process = [](HostOptions& options) { options.compiler = HostOptions::Compiler::kInProcess; };
  EXPECT_TRUE(Load("bench", in_process).compiled);
  EXPECT_FALSE(Load("bench", in_process).compiled);
  EXPECT_FALSE(Load().compiled) << "both make the same code";
  Flip(Entry(), fs::file_size(Entry()) - 5);
  const Seen seen = Load("bench", in_process);
  EXPECT_TRUE(seen.compiled);
  EXPECT_EQ(seen.rules, std::vector<std::string>{"code-cache:forged"});
}

using attack_77 = Cache;
TEST_F(attack_77, AGenuineEntryUnderAnothersNameIsAMiss) {
  Load("core_math");
  const fs::path other = Entry();
  const std::string bytes = [&] {
    std::ifstream file(other, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  }();
  fs::remove(other);
  Load();
  std::ofstream(Entry(), std::ios::binary | std::ios::trunc) << bytes;
  ExpectRefused("code-cache:refused");
}

using attack_78 = Cache;
TEST_F(attack_78, AFlippedBitAnywhereIsAMiss) {
  Load();
  const std::size_t size = fs::file_size(Entry());
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{8}, std::size_t{16}, std::size_t{40}, std::size_t{48}, std::size_t{60},
        std::size_t{64}, std::size_t{96}, std::size_t{150}, size / 2, size - 1}) {
    Flip(Entry(), at);
    const Seen seen = Load();
    EXPECT_TRUE(seen.compiled) << at;
    EXPECT_EQ(seen.sum, "42") << at;
    EXPECT_EQ(std::ranges::count_if(seen.rules, [](const auto& rule) { return rule != "code-cache:alarm"; }), 1) << at;
  }
}
TEST_F(attack_78, TruncatedEmptyAndLongerEntriesAreMisses) {
  Load();
  const std::size_t size = fs::file_size(Entry());
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{1}, std::size_t{95}, std::size_t{96}, size - 1, size + 1}) {
    fs::resize_file(Entry(), length);
    const Seen seen = Load();
    EXPECT_TRUE(seen.compiled) << length;
    EXPECT_EQ(seen.sum, "42") << length;
    EXPECT_EQ(seen.rules.size(), 1u) << length;
  }
}

using attack_79 = Cache;
TEST_F(attack_79, CodeForOtherSettingsIsNotFound) {
  Load();
  const Seen small =
      Load("bench", [](HostOptions& options) { options.address_space = HostOptions::AddressSpace::kSmall; });
  EXPECT_TRUE(small.compiled);
  EXPECT_EQ(small.sum, "42");
  EXPECT_TRUE(small.rules.empty()) << "another profile is another entry";
}
TEST_F(attack_79, AfterARotationEverythingIsCold) {
  Load();
  fs::remove(folder_ / "secret");
  ExpectRefused("code-cache:refused");
}

using attack_80 = Cache;
TEST_F(attack_80, LinksPipesAndSharedFilesAreRefused) {
  Load();
  const fs::path entry = Entry(), kept = base_ / "kept";
  fs::rename(entry, kept);
  fs::create_symlink(kept, entry);
  ExpectRefused("code-cache:refused");
  fs::create_hard_link(entry, base_ / "second");
  ExpectRefused("code-cache:refused");
  fs::remove(entry);
  ASSERT_EQ(::mkfifo(entry.c_str(), 0600), 0);
  ExpectRefused("code-cache:refused");
  ASSERT_EQ(::chmod(entry.c_str(), 0666), 0);
  ExpectRefused("code-cache:refused");
}
TEST_F(attack_80, AFolderThatOthersMayWriteToIsRefused) {
  Load();
  ASSERT_EQ(::chmod(folder_.c_str(), 0770), 0);
  EXPECT_EQ(Load().sum, "E_UNAVAILABLE");
  ASSERT_EQ(::chmod(folder_.c_str(), 0700), 0);
  const fs::path link = base_ / "link";
  fs::create_directory_symlink(folder_, link);
  EXPECT_EQ(Load("bench", [&](HostOptions& options) { options.code_cache = link; }).sum, "E_UNAVAILABLE");
}

using attack_81 = Cache;
TEST_F(attack_81, OverwritingTheFileChangesNothingThatRuns) {
  Load();
  HostOptions options;
  options.code_cache = folder_;
  auto host = cordon::Host::Create(std::move(options));
  auto plugin = host->Load(shop::Guest("bench"));
  ASSERT_TRUE(plugin);
  const fs::path entry = Entry();
  const auto size = fs::file_size(entry);
  const int fd = ::open(entry.c_str(), O_WRONLY);
  const std::string junk(size, '\xcc');
  ASSERT_EQ(::pwrite(fd, junk.data(), junk.size(), 0), static_cast<ssize_t>(size));
  ::close(fd);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(plugin->Call("add", R"({"a":40,"b":2})")->json, "42");
  auto again = host->Load(shop::Guest("bench"));
  ASSERT_TRUE(again) << "one process reads an entry once";
  EXPECT_EQ(again->Call("add", R"({"a":40,"b":2})")->json, "42");
}

using attack_82 = Cache;
TEST_F(attack_82, HalfWrittenFilesAreNobodysAndGoAway) {
  Load();
  std::ofstream(folder_ / "partial-0011223344556677") << "half";
  EXPECT_FALSE(Load().compiled);
  EXPECT_EQ(Partials(), 1u) << "a young one may be somebody's";
  const timespec old[2] = {{1, 0}, {1, 0}};
  ::utimensat(AT_FDCWD, (folder_ / "partial-0011223344556677").c_str(), old, 0);
  EXPECT_FALSE(Load().compiled);
  EXPECT_EQ(Partials(), 0u);
}
TEST_F(attack_82, AFolderThatCannotBeWrittenCostsTimeNotCorrectness) {
  if (::geteuid() == 0) GTEST_SKIP() << "root writes anyway";
  Load();
  fs::remove(Entry());
  ASSERT_EQ(::chmod(folder_.c_str(), 0500), 0);
  const Seen seen = Load();
  EXPECT_TRUE(seen.compiled);
  EXPECT_EQ(seen.sum, "42");
  ::chmod(folder_.c_str(), 0700);
}
TEST_F(attack_82, ManyHostsThatCompileOneKeyAllWork) {
  std::vector<Seen> seen(4);
  {
    std::vector<std::jthread> threads;
    for (Seen& one : seen) threads.emplace_back([&] { one = Load(); });
  }
  for (const Seen& one : seen) {
    EXPECT_EQ(one.sum, "42");
    EXPECT_TRUE(one.rules.empty());
  }
  EXPECT_EQ(Partials(), 0u);
  EXPECT_FALSE(Load().compiled);
}

TEST_F(Cache, CodeThatIsLargerThanTheCacheWorksAndIsNotKept) {
  const Seen seen = Load("bench", [](HostOptions& options) { options.code_cache_bytes_max = 1000; });
  EXPECT_EQ(seen.sum, "42");
  EXPECT_EQ(seen.rules, std::vector<std::string>{"code-cache:not-kept"});
  EXPECT_TRUE(Entry().empty());
}

TEST_F(Cache, TheLeastRecentlyUsedGoesFirst) {
  Load("bench");
  const auto room = static_cast<std::uint64_t>(fs::file_size(Entry()));  // for one of them
  fs::remove(Entry());
  Load("core_math");
  const fs::path old = Entry();
  ASSERT_LT(fs::file_size(old), room);
  const timespec times[2] = {{1'000'000, 0}, {1'000'000, 0}};
  ::utimensat(AT_FDCWD, old.c_str(), times, 0);
  Load("bench", [&](HostOptions& options) { options.code_cache_bytes_max = room; });
  EXPECT_FALSE(fs::exists(old));
  EXPECT_FALSE(Load("bench").compiled);
}

std::string Leb(std::uint32_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

std::string Section(char number, const std::string& content) {
  return number + Leb(static_cast<std::uint32_t>(content.size())) + content;
}

// A module of functions with a given body each.
std::string ModuleOf(std::uint32_t functions, const std::string& body) {
  std::string types = Leb(1) + "\x60" + Leb(0) + Leb(0), signatures = Leb(functions), bodies = Leb(functions);
  for (std::uint32_t i = 0; i < functions; ++i) {
    signatures += Leb(0);
    bodies += Leb(static_cast<std::uint32_t>(body.size())) + body;
  }
  return std::string("\0asm\1\0\0\0", 8) + Section(1, types) + Section(3, signatures) + Section(10, bodies);
}

// 50,000 locals that are all written and read, and a br_table over thousands of blocks.
std::string ExpensiveBody() {
  constexpr std::uint32_t kLocals = 49'000, kBlocks = 3'000;
  std::string body = Leb(1) + Leb(kLocals) + "\x7f";
  for (std::uint32_t i = 1; i < kLocals; i += 7) body += "\x20" + Leb(i - 1) + "\x21" + Leb(i);
  for (std::uint32_t i = 0; i < kBlocks; ++i) body += "\x02\x40";
  body += "\x20" + Leb(kLocals - 1) + "\x0e" + Leb(kBlocks - 1);
  for (std::uint32_t i = 0; i < kBlocks; ++i) body += Leb(i);
  for (std::uint32_t i = 0; i < kBlocks; ++i) body += "\x0b";
  return body + "\x0b";
}

cordon::Result<cordon::Plugin> LoadModule(cordon::Host& host, const std::string& bytes,
                                          const cordon::LoadOptions& options = {}) {
  return host.LoadBytes("hostile", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, options);
}

TEST(attack_10, TooManyFunctionsAreRefusedBeforeTheyAreCompiled) {
  auto host = cordon::Host::Create();
  const auto plugin = LoadModule(*host, ModuleOf(100'000, Leb(0) + "\x0b"));
  EXPECT_EQ(CodeOf(plugin), Code::kCompileLimit);
}
TEST(attack_10, WhatIsExpensiveToCompileEndsByCancellationAndTheHostLives) {
  auto host = cordon::Host::Create();
  const std::string body = ExpensiveBody();
  std::string bytes = ModuleOf(400, body);
  cordon::LoadOptions options;
  options.cancel = cordon::CancelToken::Make();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    options.cancel.Cancel();
  });
  const auto plugin = LoadModule(*host, bytes, options);
  EXPECT_EQ(CodeOf(plugin), Code::kInterrupted);
  EXPECT_TRUE(host->Load(shop::Guest("bench"))) << "the host goes on";
}

TEST(attack_10, ACompilationThatHitsItsLimitsIsRefusedWithTheirName) {
  if (shop::kSanitized) GTEST_SKIP() << "a sanitizer's terabytes have no limit";
  const std::string bytes = ModuleOf(400, ExpensiveBody());
  HostOptions options;
  options.compile_timeout = std::chrono::milliseconds(200);
  auto host = cordon::Host::Create(options);
  auto plugin = LoadModule(*host, bytes);
  ASSERT_EQ(CodeOf(plugin), Code::kCompileLimit);
  EXPECT_EQ(plugin.error().Detail("limit"), "wall");
  options = {};
  options.compile_memory_bytes = 120 << 20;
  host = cordon::Host::Create(options);
  plugin = LoadModule(*host, bytes);
  ASSERT_EQ(CodeOf(plugin), Code::kCompileLimit);
  EXPECT_EQ(plugin.error().Detail("limit"), "memory");
  EXPECT_TRUE(host->Load(shop::Guest("bench"))) << "within the same limits, what is modest compiles";
}

TEST(Compiler, WithoutItNothingIsCompiledUnlessTheEmbedderSaysSo) {
  HostOptions options;
  options.compiler_path = "/nowhere/cordon-compile";
  auto host = cordon::Host::Create(options);
  ASSERT_TRUE(host);
  EXPECT_EQ(CodeOf(host->Load(shop::Guest("bench"))), Code::kUnavailable);
  options.compiler = HostOptions::Compiler::kInProcess;
  host = cordon::Host::Create(options);
  EXPECT_TRUE(host->Load(shop::Guest("bench")));
}

TEST(Compiler, WhatIsNotOneIsAnErrorNotAHang) {
  HostOptions options;
  options.compiler_path = "/bin/false";
  auto host = cordon::Host::Create(options);
  EXPECT_EQ(CodeOf(host->Load(shop::Guest("bench"))), Code::kCompileLimit);
  options.compiler_path = "/bin/cat";
  host = cordon::Host::Create(options);
  EXPECT_FALSE(host->Load(shop::Guest("bench")));
}

TEST(Compiler, AHostThatIgnoresItsChildrenStillGetsItsCode) {
  struct sigaction before{}, ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGCHLD, &ignore, &before);
  auto host = cordon::Host::Create();
  EXPECT_TRUE(host->Load(shop::Guest("bench")));
  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST(Compiler, LeavesNoProcessBehind) {
  {
    auto host = cordon::Host::Create();
    EXPECT_TRUE(host->Load(shop::Guest("bench")));
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

}  // namespace
