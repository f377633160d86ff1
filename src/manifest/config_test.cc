#include "manifest/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "manifest/limits.h"

namespace cordon::manifest {
namespace {

namespace fs = std::filesystem;
using Variables = std::map<std::string, std::string, std::less<>>;

Environment Of(const Variables& variables) {
  return [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

Result<Config> Parse(std::string_view text) { return ParseConfig(text, "config.yaml", Of({{"HOME", "/home/op"}})); }

template <typename T>
Code CodeOf(const Result<T>& result) {
  return result ? Code::kInternal : result.error().code;
}

// A home of its own, removed afterwards.
class Home {
 public:
  Home() {
    std::string pattern = (fs::temp_directory_path() / "cordon-config-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Home() { fs::remove_all(path_); }
  fs::path Write(const fs::path& name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }
  Variables With(Variables more) const {
    more.emplace("HOME", path_.string());
    return more;
  }

 private:
  fs::path path_;
};

TEST(Config, DefaultsAreThoseOfTheFormat) {
  const Result<Config> config = Parse("");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(config->enabled);
  EXPECT_EQ(config->directories, std::vector<fs::path>{"/home/op/.local/share/cordon/plugins"});
  EXPECT_EQ(config->level, policy::Level::kDefault);
  EXPECT_EQ(config->cache.directory, "/home/op/.cache/cordon");
  EXPECT_EQ(config->cache.size, MiB(4096));
  EXPECT_EQ(config->limits.memory, MiB(256));
  EXPECT_EQ(config->limits.timeout, Duration(std::chrono::seconds(30)));
  EXPECT_EQ(config->limits.stack, KiB(512));
  EXPECT_EQ(config->limits.tables, 20'000u);
  EXPECT_EQ(config->limits.instances, 32u);
  EXPECT_EQ(config->limits.handles, 4096u);
  EXPECT_EQ(config->limits.stdout_bytes, KiB(64));
  EXPECT_EQ(config->limits.input, MiB(8));
  EXPECT_EQ(config->limits.output, MiB(8));
  EXPECT_EQ(config->limits.functions, 50'000u);
  EXPECT_EQ(config->OriginOf("plugins.limits.memory"), "default");
}

TEST(Config, EveryKeyThatExistsChangesItsValue) {
  const Result<Config> config = Parse(
      "plugins:\n"
      "  enabled: true\n"
      "  directories: [~/plugins, /srv/./plugins]\n"
      "  level: default\n"
      "  native: refuse\n"
      "  cache: { directory: ~/code, size: 64MiB }\n"
      "  limits: { memory: 1MiB, timeout: 1s, stack: 64KiB, tables: 1, instances: 2, handles: 3, stdout: 1KiB, input: "
      "2KiB,\n"
      "            output: 3KiB, functions: 4 }\n"
      "  entries:\n"
      "    acme/linkcheck: { enabled: true, level: default }\n"
      "    bare: { enabled: false }\n"
      "compat: { nexus_empty_allowlist: deny }\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->enabled);
  EXPECT_EQ(config->directories, (std::vector<fs::path>{"/home/op/plugins", "/srv/plugins"}));
  EXPECT_EQ(config->cache.directory, "/home/op/code");
  EXPECT_EQ(config->cache.size, MiB(64));
  EXPECT_EQ(config->limits.memory, MiB(1));
  EXPECT_EQ(config->limits.timeout, Duration(std::chrono::seconds(1)));
  EXPECT_EQ(config->limits.stack, KiB(64));
  EXPECT_EQ(config->limits.tables, 1u);
  EXPECT_EQ(config->limits.instances, 2u);
  EXPECT_EQ(config->limits.handles, 3u);
  EXPECT_EQ(config->limits.stdout_bytes, KiB(1));
  EXPECT_EQ(config->limits.input, KiB(2));
  EXPECT_EQ(config->limits.output, KiB(3));
  EXPECT_EQ(config->limits.functions, 4u);
  EXPECT_EQ(config->entries.at("acme/linkcheck").level, policy::Level::kDefault);
  EXPECT_EQ(config->entries.at("local/bare").enabled, false);
  EXPECT_EQ(config->OriginOf("plugins.limits.memory"), "config.yaml:7");
}

TEST(Config, QuotasAreOfAllInSumAndOfOne) {
  using namespace std::chrono_literals;
  const Result<Config> config = Parse(
      "plugins:\n"
      "  quotas: { cpu: { share: 1.5, time: 10s, per: 2m }, memory: 512MiB, concurrency: 8, alert: 90%,\n"
      "            io: { read: 20MiB/s, write: 5MiB/s, operations: 100/s, network: 10MiB/s, requests: 600/min } }\n"
      "  entries:\n"
      "    acme/linkcheck: { quotas: { cpu: { time: 1s }, concurrency: 2, io: { read: 1MiB/s } } }\n");
  ASSERT_TRUE(config) << config.error().message;
  const policy::Quota& sum = config->quota;
  EXPECT_EQ(sum.cpu_share, 1.5);
  EXPECT_EQ(sum.cpu_time, Duration(10s));
  EXPECT_EQ(sum.cpu_period, Duration(2min));
  EXPECT_EQ(sum.memory, MiB(512));
  EXPECT_EQ(sum.concurrency, 8u);
  EXPECT_EQ(sum.read, (Rate{MiB(20).count, 1s}));
  EXPECT_EQ(sum.write, (Rate{MiB(5).count, 1s}));
  EXPECT_EQ(sum.operations, (Rate{100, 1s}));
  EXPECT_EQ(sum.network, (Rate{MiB(10).count, 1s}));
  EXPECT_EQ(sum.requests, (Rate{600, 1min}));
  EXPECT_EQ(sum.alert, 0.9);
  EXPECT_EQ(config->OriginOf("plugins.quotas.memory"), "config.yaml:2");
  EXPECT_EQ(config->OriginOf("plugins.quotas.io.read"), "config.yaml:3");
  const policy::Quota& one = config->entries.at("acme/linkcheck").quota;
  EXPECT_EQ(one.cpu_time, Duration(1s));
  EXPECT_EQ(one.cpu_period, Duration(1min));
  EXPECT_EQ(one.concurrency, 2u);
  EXPECT_EQ(one.alert, 0.8);
  EXPECT_FALSE(one.memory || one.requests || one.cpu_share);
  EXPECT_FALSE(Parse("plugins: {}")->quota.any());
}

TEST(Config, AQuotaThatIsNoneIsAnError) {
  const std::pair<std::string, Code> cases[] = {
      {"cpu: { share: 0 }", Code::kRange},
      {"cpu: { share: half }", Code::kType},
      {"cpu: { time: 0s }", Code::kRange},
      {"cpu: { time: 1s, per: 1ms }", Code::kRange},
      {"cpu: { per: 1m }", Code::kUnenforceable},
      {"memory: 1KiB", Code::kRange},
      {"concurrency: 0", Code::kRange},
      {"concurrency: -1", Code::kRange},
      {"io: { read: 0B/s }", Code::kRange},
      {"io: { read: 10/s }", Code::kType},
      {"io: { requests: 1MiB/s }", Code::kType},
      {"io: { network: 2000000GiB/s }", Code::kRange},
      {"alert: 80", Code::kType},
      {"alert: 0%", Code::kType},
      {"alert: 101%", Code::kRange},
      {"speed: 1", Code::kUnknownKey},
  };
  for (const auto& [text, code] : cases) {
    EXPECT_EQ(CodeOf(Parse("plugins: { quotas: { " + text + " } }")), code) << text;
    EXPECT_EQ(CodeOf(Parse("plugins: { entries: { acme/x: { quotas: { " + text + " } } } }")), code) << text;
  }
}

TEST(Config, TheNetworkOfAPlugin) {
  const Result<Config> config = Parse(
      "plugins:\n"
      "  network: { dns: [192.0.2.1, '[2001:db8::1]:5353'], roots: [~/ca.pem], private: [10.0.0.0/8],\n"
      "             connections: 3, keep_alive: 1s, connect: 2s, first_byte: 3s, idle: 4s, total: 5s,\n"
      "             headers: 6, header_bytes: 7KiB, request: 8KiB, response: 9KiB }\n"
      "  entries:\n"
      "    acme/linkcheck:\n"
      "      egress:\n"
      "        - { to: 'https://api.example.com/*', methods: [GET], header: Authorization, prefix: 'Bearer ',\n"
      "            variable: API_KEY }\n"
      "        - { to: 'https://b.example.com/*', header: X-Key, secret: api-key }\n");
  ASSERT_TRUE(config) << config.error().message;
  const NetworkConfig& network = config->network;
  EXPECT_EQ(network.dns, (std::vector<std::string>{"192.0.2.1:53", "[2001:db8::1]:5353"}));
  EXPECT_EQ(network.roots, std::vector<fs::path>{"/home/op/ca.pem"});
  ASSERT_EQ(network.private_blocks.size(), 1u);
  EXPECT_TRUE(network.private_blocks[0].Holds(*policy::AddressBlock::Parse("10.1.2.3")));
  EXPECT_EQ(network.connections, 3u);
  EXPECT_EQ(network.keep_alive, Duration(std::chrono::seconds(1)));
  EXPECT_EQ(network.connect, Duration(std::chrono::seconds(2)));
  EXPECT_EQ(network.first_byte, Duration(std::chrono::seconds(3)));
  EXPECT_EQ(network.idle, Duration(std::chrono::seconds(4)));
  EXPECT_EQ(network.total, Duration(std::chrono::seconds(5)));
  EXPECT_EQ(network.headers, 6u);
  EXPECT_EQ(network.header_bytes, KiB(7));
  EXPECT_EQ(network.request, KiB(8));
  EXPECT_EQ(network.response, KiB(9));
  ASSERT_EQ(config->entries.at("acme/linkcheck").egress.size(), 2u);
  const EgressHeader& header = config->entries.at("acme/linkcheck").egress[0];
  EXPECT_EQ(header.where.ToString(), "http:GET:https://api.example.com/*");
  EXPECT_EQ(header.header + "=" + header.prefix + header.variable, "Authorization=Bearer API_KEY");
  EXPECT_EQ(config->entries.at("acme/linkcheck").egress[1].secret, "api-key");
}

TEST(Config, MessagesOfChannels) {
  const Result<Config> config = Parse("plugins: { messaging: { messages: 3, bytes: 4KiB, rate: 5, attempts: 6 } }");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->messaging.messages, 3u);
  EXPECT_EQ(config->messaging.bytes, KiB(4));
  EXPECT_EQ(config->messaging.rate, 5u);
  EXPECT_EQ(config->messaging.attempts, 6u);
  EXPECT_EQ(CodeOf(Parse("plugins: { messaging: { rate: 0 } }")), Code::kRange);
}

TEST(Config, NativePluginsAreRefusedUnlessItSaysOtherwise) {
  using Native = Config::Native;
  EXPECT_EQ(Parse("plugins: {}")->native, Native::kRefuse);
  for (const auto& [word, native] : std::vector<std::pair<std::string, Native>>{{"refuse", Native::kRefuse},
                                                                                {"confirm", Native::kConfirm},
                                                                                {"warn", Native::kWarn},
                                                                                {"allow", Native::kAllow}}) {
    EXPECT_EQ(Parse("plugins: { native: " + word + " }")->native, native) << word;
  }
  EXPECT_EQ(CodeOf(Parse("plugins: { native: yes please }")), Code::kRange);
}

TEST(Config, IsolationSaysWhoIsIsolatedAndWhatIsLeftToThem) {
  const Result<Config> config = Parse(
      "plugins: { isolation: { enabled: true, backend: worker, force: ['untrusted/*', acme/x], network_enabled: true, "
      "timeout: 3s, limits: { max_cpu: 0.5, max_memory: 32MiB } } }");
  ASSERT_TRUE(config) << config.error().message;
  const IsolationConfig& isolation = config->isolation;
  EXPECT_TRUE(isolation.enabled);
  EXPECT_TRUE(isolation.network);
  EXPECT_EQ(isolation.timeout, std::chrono::seconds(3));
  EXPECT_EQ(isolation.max_memory, MiB(32));
  EXPECT_EQ(isolation.max_cpu, 0.5);
  EXPECT_TRUE(isolation.Isolates("any/one"));
  IsolationConfig forced;
  forced.force = isolation.force;
  EXPECT_TRUE(forced.Isolates("untrusted/anything"));
  EXPECT_TRUE(forced.Isolates("acme/x"));
  EXPECT_FALSE(forced.Isolates("acme/xy"));
  EXPECT_FALSE(forced.Isolates("untrusted/a/b"));
  EXPECT_FALSE(Parse("plugins: {}")->isolation.Isolates("any/one"));
  for (const char* text : {"force: ['../x']", "force: [\"a b\"]", "force: ['/']"}) {
    EXPECT_EQ(CodeOf(Parse("plugins: { isolation: { " + std::string(text) + " } }")), Code::kName) << text;
  }
  for (const char* text : {"limits: { max_cpu: 0 }", "limits: { max_cpu: -1 }", "limits: { max_memory: 1KiB }",
                           "timeout: 0s", "limits: { max_cpu: 1e9 }"}) {
    EXPECT_EQ(CodeOf(Parse("plugins: { isolation: { " + std::string(text) + " } }")), Code::kRange) << text;
  }
  EXPECT_EQ(CodeOf(Parse("plugins: { isolation: { limits: { max_cpu: much } } }")), Code::kType);
  EXPECT_FALSE(Parse("plugins: { isolation: { backend: kvm } }"));
}

TEST(Config, WorkersAreBounded) {
  const auto workers = [](const std::string& text) {
    return Parse("plugins: { isolation: { workers: " + text + " } }");
  };
  const Result<Config> config = workers("{ most: 8, idle: 0, calls: 1000, age: 30s, growth: 1MiB }");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->isolation.workers.most, 8u);
  EXPECT_EQ(config->isolation.workers.idle, 0u);
  EXPECT_EQ(config->isolation.workers.calls, 1000u);
  EXPECT_EQ(config->isolation.workers.age, std::chrono::seconds(30));
  EXPECT_EQ(config->isolation.workers.growth, MiB(1));
  EXPECT_EQ(Parse("plugins: {}")->isolation.workers.growth, MiB(64));
  for (const char* text : {"{ most: 0 }", "{ most: 4097 }", "{ idle: -1 }", "{ calls: 0 }", "{ age: 0s }",
                           "{ growth: 1KiB }", "{ growth: 65GiB }"}) {
    EXPECT_EQ(CodeOf(workers(text)), Code::kRange) << text;
  }
  EXPECT_EQ(CodeOf(workers("{ growth: much }")), Code::kType);
  EXPECT_EQ(CodeOf(workers("{ per: tenant }")), Code::kUnknownKey);
}

TEST(Config, TenantsShareAResidentOnlyWhenTheOperatorSaysSo) {
  using Tenants = ConfigEntry::Tenants;
  EXPECT_EQ(Parse("plugins: { entries: { acme/x: { tenants: shared } } }")->entries.at("acme/x").tenants,
            Tenants::kShared);
  EXPECT_EQ(Parse("plugins: { entries: { acme/x: {} } }")->entries.at("acme/x").tenants, Tenants::kApart);
  EXPECT_EQ(CodeOf(Parse("plugins: { entries: { acme/x: { tenants: all } } }")), Code::kRange);
}

TEST(Config, WhatDoesNotExistYetIsRefused) {
  for (const char* text : {"compat: { nexus_empty_allowlist: allow }", "registries: { a: b }", "trust: { a: b }",
                           "server: { listen: 'unix:/x' }"}) {
    const Result<Config> config = Parse(text);
    EXPECT_EQ(CodeOf(config), Code::kUnenforceable) << text;
    EXPECT_TRUE(config || !config.error().remedy.empty()) << text;
  }
}

TEST(Config, WrongValuesHaveTheirPlace) {
  struct Case {
    const char* text;
    Code code;
    std::uint32_t line, column;
  };
  for (const Case& c :
       {Case{"plugins:\n  enabled: \"true\"\n", Code::kType, 2, 12},
        Case{"plugins:\n  enabled: yes\n", Code::kType, 2, 12},
        Case{"plugins:\n  limits: { memory: 0 }\n", Code::kRange, 2, 21},
        Case{"plugins:\n  limits: { memory: 1KiB }\n", Code::kRange, 2, 21},
        Case{"plugins:\n  limits: { memory: 1TiB }\n", Code::kType, 2, 21},
        Case{"plugins:\n  limits: { tables: 99999999999 }\n", Code::kRange, 2, 21},
        Case{"plugins:\n  cache: { size: 64KiB }\n", Code::kRange, 2, 18},
        Case{"plugins:\n  cache: { directory: here }\n", Code::kInvalid, 2, 23},
        Case{"plugins:\n  cache: ~/code\n", Code::kType, 2, 10},
        Case{"plugins:\n  directories: [plugins]\n", Code::kInvalid, 2, 17},
        Case{"plugins:\n  directories: /srv\n", Code::kType, 2, 16},
        Case{"plugins:\n  entries: { ../x: {} }\n", Code::kName, 2, 14},
        Case{"plugins:\n  level: high\n", Code::kRange, 2, 10},
        Case{"plugins:\n  network: { dns: [dns.example] }\n", Code::kSyntax, 2, 20},
        Case{"plugins:\n  network: { dns: [192.0.2.1:0] }\n", Code::kSyntax, 2, 20},
        Case{"plugins:\n  network: { private: [10.0.0.1/8] }\n", Code::kSyntax, 2, 24},
        Case{"plugins:\n  network: { connections: 0 }\n", Code::kRange, 2, 27},
        Case{"plugins:\n  entries: { a/b: { egress: [{ header: X, variable: KEY }] } }\n", Code::kMissing, 2, 30},
        Case{"plugins:\n  entries: { a/b: { egress: [{ to: 'http://h/*', header: X, secret: A }] } }\n", Code::kInvalid,
             2, 30},
        Case{"plugins:\n  entries:\n    a/b:\n      egress:\n"
             "        - { to: 'http://h.test/*', header: X, secret: a, variable: KEY }\n",
             Code::kInvalid, 5, 11},
        Case{"pluginz: {}\n", Code::kUnknownKey, 1, 1},
        Case{"- plugins\n", Code::kType, 1, 1}}) {
    const Result<Config> config = Parse(c.text);
    ASSERT_EQ(CodeOf(config), c.code) << c.text << (config ? "" : config.error().message);
    EXPECT_EQ(config.error().place->line, c.line) << c.text;
    EXPECT_EQ(config.error().place->column, c.column) << c.text;
  }
}

TEST(ConfigSettings, VariableAndFlagAreMadeFromTheKey) {
  for (const Setting& setting : Settings()) {
    std::string variable = "CORDON_", flag = "--";
    for (char c : setting.key) {
      variable += c == '.' ? '_' : static_cast<char>(std::toupper(c));
      flag += c == '.' ? '-' : c;
    }
    EXPECT_EQ(setting.variable, variable);
    EXPECT_EQ(setting.flag, flag);
    EXPECT_FALSE(setting.description.empty());
  }
}

TEST(ConfigSettings, EachTakesItsExampleAndNamesItsOrigin) {
  for (const Setting& setting : Settings()) {
    Config config;
    const Status status =
        SetSetting(config, setting.key, setting.example, setting.variable, Of({{"HOME", "/home/op"}}));
    ASSERT_TRUE(status) << setting.key << ": " << status.error().message;
    EXPECT_EQ(config.OriginOf(setting.key), setting.variable);
  }
}

TEST(ConfigSettings, AVariableIsStrongerThanTheFileAndWeakerThanAFlag) {
  const Home home;
  home.Write(".config/cordon/config.yaml", "plugins: { limits: { memory: 10MiB, tables: 7 } }\n");
  const Environment environment = Of(home.With({{"CORDON_PLUGINS_LIMITS_MEMORY", "20MiB"}}));
  Result<Config> config = LoadConfig(environment, std::nullopt);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->limits.memory, MiB(20));
  EXPECT_EQ(config->limits.tables, 7u);
  ASSERT_TRUE(SetSetting(*config, "plugins.limits.memory", "30MiB", "--plugins-limits-memory", environment));
  EXPECT_EQ(config->limits.memory, MiB(30));
  EXPECT_EQ(config->OriginOf("plugins.limits.memory"), "--plugins-limits-memory");
}

TEST(ConfigSettings, AWrongVariableIsNamed) {
  const Home home;
  for (const char* value :
       {"", "0MiB", "64", "64MB", "\"64MiB\"", "64MiB # a comment", "[64MiB]", "64MiB\n65MiB", "\x1b[31m"}) {
    const Result<Config> config = LoadConfig(Of(home.With({{"CORDON_PLUGINS_LIMITS_MEMORY", value}})), std::nullopt);
    ASSERT_FALSE(config) << value;
    EXPECT_EQ(config.error().Detail("origin"), "CORDON_PLUGINS_LIMITS_MEMORY") << value;
    EXPECT_TRUE(config.error().message.starts_with("CORDON_PLUGINS_LIMITS_MEMORY: ")) << config.error().message;
    EXPECT_FALSE(config.error().place) << value;
  }
}

TEST(ConfigSettings, AListIsSeparatedByColons) {
  Config config;
  ASSERT_TRUE(SetSetting(config, "plugins.directories", "~/a:/b/../c", "--x", Of({{"HOME", "/h"}})));
  EXPECT_EQ(config.directories, (std::vector<fs::path>{"/h/a", "/c"}));
  EXPECT_FALSE(SetSetting(config, "plugins.directories", "relative", "--x", Of({})));
  EXPECT_EQ(config.directories.size(), 2u);
}

TEST(LoadConfig, ANamedFileMustBeThere) {
  const Home home;
  EXPECT_EQ(CodeOf(LoadConfig(Of(home.With({})), fs::path("/nonexistent/config.yaml"))), Code::kNotFound);
  EXPECT_EQ(CodeOf(LoadConfig(Of(home.With({{"CORDON_CONFIG", "/nonexistent/config.yaml"}})), std::nullopt)),
            Code::kNotFound);
  EXPECT_TRUE(LoadConfig(Of(home.With({})), std::nullopt));
}

TEST(LoadConfig, TheFirstFileOfTheOrderIsRead) {
  const Home home;
  const fs::path flag = home.Write("flag.yaml", "plugins: { limits: { tables: 1 } }\n");
  const fs::path variable = home.Write("variable.yaml", "plugins: { limits: { tables: 2 } }\n");
  home.Write("xdg/cordon/config.yaml", "plugins: { limits: { tables: 3 } }\n");
  home.Write(".config/cordon/config.yaml", "plugins: { limits: { tables: 4 } }\n");
  const fs::path xdg = variable.parent_path() / "xdg";
  const auto tables = [&](const Variables& variables, const std::optional<fs::path>& file) {
    const Result<Config> config = LoadConfig(Of(home.With(variables)), file);
    return config ? config->limits.tables : 0;
  };
  const Variables all = {{"CORDON_CONFIG", variable.string()}, {"XDG_CONFIG_HOME", xdg.string()}};
  EXPECT_EQ(tables(all, flag), 1u);
  EXPECT_EQ(tables(all, std::nullopt), 2u);
  EXPECT_EQ(tables({{"XDG_CONFIG_HOME", xdg.string()}}, std::nullopt), 3u);
  EXPECT_EQ(tables({}, std::nullopt), 4u);
}

TEST(LoadConfig, ABrokenFileIsNeverTakenForNone) {
  const Home home;
  home.Write(".config/cordon/config.yaml", "plugins: { enabled: maybe }\n");
  EXPECT_EQ(CodeOf(LoadConfig(Of(home.With({})), std::nullopt)), Code::kType);
  const Home other;
  other.Write(".config/cordon/config.yaml/inside", "");
  EXPECT_EQ(CodeOf(LoadConfig(Of(other.With({})), std::nullopt)), Code::kNotRegular);
}

TEST(Folders, FollowTheirVariables) {
  const Environment plain = Of({{"HOME", "/home/op"}});
  EXPECT_EQ(ConfigHome(plain), "/home/op/.config/cordon");
  EXPECT_EQ(StateHome(plain), "/home/op/.local/state/cordon");
  EXPECT_EQ(CacheHome(plain), "/home/op/.cache/cordon");
  const Environment own = Of({{"HOME", "/home/op"}, {"CORDON_HOME", "/srv/cordon"}, {"XDG_STATE_HOME", "/var/s"}});
  EXPECT_EQ(StateHome(own), "/srv/cordon");
  EXPECT_EQ(CacheHome(own), "/srv/cordon/cache");
  EXPECT_EQ(PluginsHome(own), "/srv/cordon/plugins");
  EXPECT_EQ(StateHome(Of({{"XDG_STATE_HOME", "/var/s"}})), "/var/s/cordon");
  EXPECT_EQ(CodeOf(StateHome(Of({{"CORDON_HOME", "cordon"}}))), Code::kInvalid);
  EXPECT_EQ(CodeOf(StateHome(Of({}))), Code::kMissing);
  EXPECT_EQ(StateHome(Of({{"HOME", "/h"}, {"CORDON_HOME", ""}})), "/h/.local/state/cordon");
}

Manifest Asking(LimitRequests limits) {
  Manifest manifest;
  manifest.limits = limits;
  manifest.actions["check"].timeout = std::chrono::seconds(1);
  manifest.actions["long"].timeout = std::chrono::hours(1);
  return manifest;
}

TEST(EffectiveLimits, ABareModuleHasTheCeiling) {
  const Limits limits = EffectiveLimits(nullptr, Config{});
  EXPECT_EQ(limits.memory, MiB(256));
  EXPECT_FALSE(limits.cpu);
  EXPECT_FALSE(limits.fuel);
  EXPECT_EQ(limits.DecidedBy("memory"), "plugins.limits.memory (default)");
  EXPECT_TRUE(limits.narrowed.empty());
}

TEST(EffectiveLimits, ARequestNarrows) {
  const Manifest manifest = Asking({MiB(64), std::chrono::seconds(5), std::nullopt, 100});
  const Limits limits = EffectiveLimits(&manifest, Config{});
  EXPECT_EQ(limits.memory, MiB(64));
  EXPECT_EQ(limits.timeout, Duration(std::chrono::seconds(5)));
  EXPECT_EQ(limits.fuel, 100u);
  EXPECT_EQ(limits.DecidedBy("memory"), "plugin.yaml limits.memory");
  EXPECT_EQ(EffectiveLimits(&manifest, Config{}, "check").timeout, Duration(std::chrono::seconds(1)));
}

TEST(EffectiveLimits, ARequestAboveTheCeilingIsNarrowedAndReported) {
  Config config;
  config.limits.memory = MiB(16);
  config.origins["plugins.limits.memory"] = "config.yaml:3";
  const Manifest manifest = Asking({MiB(64), std::nullopt, std::nullopt, std::nullopt});
  const Limits limits = EffectiveLimits(&manifest, config);
  EXPECT_EQ(limits.memory, MiB(16));
  ASSERT_EQ(limits.narrowed.size(), 1u);
  EXPECT_EQ(limits.narrowed[0], "limits.memory asks for 64MiB and gets 16MiB (plugins.limits.memory (config.yaml:3))");
  const Limits action = EffectiveLimits(&manifest, config, "long");
  EXPECT_EQ(action.timeout, config.limits.timeout);
  EXPECT_EQ(action.narrowed.size(), 2u);
}

TEST(EffectiveLimits, TheSmallerQuotaHolds) {
  using namespace std::chrono_literals;
  Config config;
  policy::Quota& quota = config.entries["acme/linkcheck"].quota;
  quota = {.memory = MiB(64), .concurrency = 4, .read = Rate{60, 1min}, .requests = Rate{10, 1s}};
  Manifest manifest = Asking({});
  manifest.limits.quota = {.concurrency = 8, .read = Rate{1, 1s}, .write = Rate{5, 1s}, .requests = Rate{100, 1min}};
  Limits limits;
  AddQuota(&manifest, config, "acme/linkcheck", limits);
  EXPECT_EQ(limits.quota.concurrency, 4u);
  EXPECT_EQ(limits.quota.memory, MiB(64)) << "only the operator sets it";
  EXPECT_EQ(limits.quota.read, (Rate{1, 1s})) << "as fast as the operator's";
  EXPECT_EQ(limits.quota.write, (Rate{5, 1s}));
  EXPECT_EQ(limits.quota.requests, (Rate{100, 1min})) << "slower than ten a second";
  ASSERT_EQ(limits.narrowed.size(), 1u);
  EXPECT_EQ(limits.narrowed[0], "limits.concurrency asks for 8 and gets 4 (plugins.entries)");
  EXPECT_EQ(limits.DecidedBy("concurrency"), "plugins.entries.acme/linkcheck.quotas");
  EXPECT_EQ(limits.DecidedBy("io.requests"), "plugin.yaml limits.io.requests");
  Limits bare;
  AddQuota(nullptr, config, "other", bare);
  EXPECT_FALSE(bare.quota.any());
  config.entries["local/other"].quota.concurrency = 1;
  AddQuota(nullptr, config, "other", bare);
  EXPECT_EQ(bare.quota.concurrency, 1u) << "a bare module goes by its file's name";
}

}  // namespace
}  // namespace cordon::manifest
