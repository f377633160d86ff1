// Plugins of an agent in a program of one's own: memory that it brings or that a plugin provides, and messages.
#include <fstream>
#include <mutex>

#include "shop.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;
using shop::CodeOf;

constexpr char kAgent[] = "cordon:agent-guest/agent@0.1.0#";
const std::vector<std::string> kGrants = {"ctx:user",
                                          "memory:store:plugin",
                                          "memory:recall:plugin",
                                          "memory:forget:plugin",
                                          "memory:store:session",
                                          "memory:recall:session",
                                          "msg:send:alerts",
                                          "msg:receive:alerts"};

std::string Called(const cordon::Plugin& plugin, const std::string& function, std::string_view input,
                   const cordon::CallOptions& options = {}) {
  auto answer = plugin.Call(kAgent + function, input, options);
  return answer ? answer->json : std::string(cordon::CodeName(answer.error().code));
}

cordon::Host MakeHost(cordon::HostOptions options = {}) {
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  auto host = cordon::Host::Create(std::move(options));
  EXPECT_TRUE(host) << host.error().message;
  return std::move(*host);
}

cordon::Plugin Load(cordon::Host& host) {
  auto plugin = host.Load(shop::Guest("agent"), {.grants = kGrants});
  EXPECT_TRUE(plugin) << plugin.error().message;
  return *plugin;
}

// A folder with a plugin.yaml for the guest that provides memory and a channel.
class Provider {
 public:
  explicit Provider(const std::string& provides) {
    std::string pattern = (fs::temp_directory_path() / "cordon-provider-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    fs::copy_file(shop::Guest("provider"), folder_ / "guest.wasm");
    std::ofstream(folder_ / "plugin.yaml") << "manifest: 1\nname: acme/keeper\nversion: 1.0.0\n"
                                              "runtime: { abi: component, artifact: guest.wasm }\n"
                                           << provides << "\n";
  }
  ~Provider() { fs::remove_all(folder_); }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

// What a program might remember with.
class OwnMemory final : public cordon::Memory {
 public:
  cordon::Result<std::string> Store(const Place& place, std::string_view text,
                                    std::span<const std::string> labels) override {
    if (text == "throw") throw std::runtime_error("a fault of the program");
    if (text == "lie") return std::string(300, 'x');
    places.push_back(place);
    texts.push_back(std::string(text) + "/" + std::to_string(labels.size()));
    return "id-" + std::to_string(texts.size());
  }
  cordon::Result<std::vector<Entry>> Recall(const Place&, std::string_view query, std::size_t entries_max) override {
    return std::vector<Entry>(entries_max + 5, Entry{"id", std::string(query), {"label"}, 1});
  }
  cordon::Result<bool> Forget(const Place&, std::string_view) override {
    return cordon::Fail(Code::kUnavailable, "this memory forgets nothing");
  }
  cordon::Result<std::uint64_t> ForgetAll(const Place&) override { return 7; }
  std::vector<Place> places;
  std::vector<std::string> texts;
};

TEST(Agent, APrincipalReachesThePluginThatMayKnow) {
  auto host = MakeHost();
  const auto plugin = Load(host);
  cordon::CallOptions options;
  options.principal = {.user = "alice", .session = "s1"};
  EXPECT_EQ(Called(plugin, "who", "{}", options),
            R"({"user":{"ok":"alice"},"session":{"err":"access-denied"},"agent":{"err":"access-denied"}})");
  EXPECT_EQ(Called(plugin, "who", "{}"),
            R"({"user":{"ok":null},"session":{"err":"access-denied"},"agent":{"err":"access-denied"}})");
}

TEST(Agent, AProgramsOwnMemoryAnswersAndItsFaultsStayErrors) {
  const auto memory = std::make_shared<OwnMemory>();
  auto host = MakeHost({.memory = memory});
  const auto plugin = Load(host);
  cordon::CallOptions options;
  options.principal.session = "s1";
  EXPECT_EQ(Called(plugin, "store", R"({"scope":"session","text":"t","labels":["a","b"]})", options),
            R"({"ok":"id-1"})");
  ASSERT_EQ(memory->places.size(), 1u);
  EXPECT_EQ(memory->places[0].owner, plugin.name());
  EXPECT_EQ(memory->places[0].scope, cordon::Memory::Scope::kSession);
  EXPECT_EQ(memory->places[0].name, "s1");
  EXPECT_EQ(memory->places[0].entries_max, 100'000u);
  EXPECT_EQ(memory->places[0].bytes_max, 64u << 20);
  EXPECT_GT(memory->places[0].deadline_ns, 0);
  EXPECT_EQ(memory->texts[0], "t/2");
  EXPECT_EQ(Called(plugin, "recall", R"({"scope":"plugin","query":"q","max":1})"),
            R"({"ok":[{"id":"id","text":"q","labels":["label"]}]})");
  EXPECT_EQ(Called(plugin, "forget", R"({"scope":"plugin","id":"x"})"),
            R"({"err":"E_UNAVAILABLE: this memory forgets nothing"})");
  EXPECT_EQ(Called(plugin, "forget-all", R"({"scope":"plugin"})"), R"({"ok":7})");
  EXPECT_EQ(Called(plugin, "store", R"({"scope":"plugin","text":"throw","labels":[]})"),
            R"({"err":"E_INTERNAL: a fault of the program"})");
  EXPECT_EQ(Called(plugin, "store", R"({"scope":"plugin","text":"lie","labels":[]})"),
            R"({"err":"E_INVALID: what keeps the memories answered with one that is none"})");
}

TEST(Agent, APluginProvidesMemory) {
  const Provider provider("provides: { memory: true }");
  const auto audit = cordon::AuditMemory::Make();
  auto keepers = MakeHost({.audit = audit});
  auto keeper = keepers.Load(provider.folder());
  ASSERT_TRUE(keeper) << keeper.error().message;
  auto memory = cordon::MemoryOf(*keeper);
  ASSERT_TRUE(memory) << memory.error().message;
  auto host = MakeHost({.memory = *memory});
  const auto plugin = Load(host);
  EXPECT_EQ(Called(plugin, "store", R"({"scope":"plugin","text":"t","labels":["a","b"]})"),
            R"({"ok":"agent/Scope::Plugin/ t a,b"})");
  cordon::CallOptions options;
  options.principal.session = "s1";
  EXPECT_EQ(Called(plugin, "recall", R"({"scope":"session","query":"q","max":1})", options),
            R"({"ok":[{"id":"0","text":"agent/Scope::Session/s1","labels":["q"]}]})");
  EXPECT_EQ(Called(plugin, "forget", R"({"scope":"plugin","id":"0"})"), R"({"ok":true})");
  EXPECT_EQ(Called(plugin, "forget-all", R"({"scope":"plugin"})"), R"({"ok":100000})");
  EXPECT_EQ(Called(plugin, "store", R"({"scope":"plugin","text":"refuse","labels":[]})"),
            R"({"err":"E_LIMIT: it is full"})");
  EXPECT_EQ(Called(plugin, "store", R"({"scope":"plugin","text":"lie","labels":[]})"),
            R"({"err":"E_INVALID: what keeps the memories answered with one that is none"})");
  EXPECT_TRUE(
      Called(plugin, "store", R"({"scope":"plugin","text":"crash","labels":[]})").starts_with(R"({"err":"E_TRAP)"));
  const auto records = audit->records();
  EXPECT_TRUE(std::ranges::any_of(records, [](const cordon::AuditRecord& record) {
    return record.event == "call" && record.plugin == "acme/keeper" &&
           record.callers == std::vector<std::string>{"agent"};
  }));
  keeper->Unload();
  EXPECT_EQ(CodeOf(cordon::MemoryOf(*keeper)), Code::kUnavailable);
}

TEST(Agent, OnlyWhatSaysThatItProvidesDoes) {
  const Provider none("license: MIT");
  auto host = MakeHost();
  auto keeper = host.Load(none.folder());
  ASSERT_TRUE(keeper) << keeper.error().message;
  EXPECT_EQ(CodeOf(cordon::MemoryOf(*keeper)), Code::kInvalid);
  EXPECT_EQ(CodeOf(host.Relay("alerts", *keeper)), Code::kInvalid);
  EXPECT_EQ(CodeOf(cordon::MemoryOf(Load(host))), Code::kInvalid);
}

TEST(Agent, TheHostSendsReceivesAndRelays) {
  auto host = MakeHost();
  const auto plugin = Load(host);
  const std::uint8_t body[] = {'h', 'i'};
  const auto id = host.Send("alerts", body);
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_EQ(Called(plugin, "receive", R"({"channel":"alerts","max":5,"then":"acknowledge"})"),
            R"({"ok":[{"id":")" + *id + R"(","sender":"host","attempt":1,"body":"hi"}]})");
  EXPECT_TRUE(Called(plugin, "send", R"({"channel":"alerts","body":"fine"})").starts_with(R"({"ok":")"));
  auto messages = host.Receive("alerts", 10, std::chrono::milliseconds(1));
  ASSERT_EQ(messages->size(), 1u);
  EXPECT_EQ((*messages)[0].sender, plugin.name());
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(*host.Acknowledge("alerts", (*messages)[0].id)) << "too late";
  messages = host.Receive("alerts", 10);
  ASSERT_EQ(messages->size(), 1u);
  EXPECT_EQ((*messages)[0].attempt, 2u);
  EXPECT_TRUE(*host.Acknowledge("alerts", (*messages)[0].id));
  EXPECT_EQ(CodeOf(host.Send("../x", body)), Code::kName);
  EXPECT_EQ(CodeOf(host.Receive("*", 1)), Code::kName);

  const Provider telegraph("provides: { channels: [alerts] }");
  auto channel = host.Load(telegraph.folder());
  ASSERT_TRUE(channel) << channel.error().message;
  ASSERT_TRUE(host.Send("alerts", body));
  const auto relayed = host.Relay("alerts", *channel);
  ASSERT_TRUE(relayed) << relayed.error().message;
  EXPECT_EQ(relayed->sent, 1u);
  EXPECT_EQ(relayed->failed, 0u);
  EXPECT_EQ(relayed->heard, 2u);
  const auto heard = host.Receive("alerts.in", 10);
  ASSERT_EQ(heard->size(), 2u);
  EXPECT_EQ((*heard)[0].sender, "acme/keeper");
  ASSERT_TRUE(host.Shutdown());
  EXPECT_EQ(CodeOf(host.Send("alerts", body)), Code::kUnavailable);
}

}  // namespace
