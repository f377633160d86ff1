#include "manifest/config.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/file.h"
#include "base/text.h"
#include "manifest/config_isolation.h"
#include "manifest/config_network.h"
#include "manifest/config_quota.h"
#include "manifest/fields.h"
#include "manifest/keys.h"
#include "manifest/name.h"

namespace cordon::manifest {
namespace {

using yaml::Node;

constexpr std::size_t kConfigBytesMax = 256 << 10;
constexpr std::size_t kDirectoriesMax = 64;
constexpr std::string_view kSystemFile = "/etc/cordon/config.yaml";
constexpr std::array<std::string_view, 4> kLevels = {"relaxed", "default", "strict", "paranoid"};
// As Config::Native.
constexpr std::array<std::string_view, 2> kTenants = {"apart", "shared"};
constexpr std::array<std::string_view, 4> kNative = {"refuse", "confirm", "warn", "allow"};
constexpr std::array<std::string_view, 2> kAllowlist = {"deny", "allow"};
constexpr std::string_view kNotYet = "remove it: this part of cordon does not exist yet";

// Where a value is read: the findings of its document, and what paths are relative to.
struct Reader {
  Findings& findings;
  const Environment& environment;
};

std::optional<policy::Level> ReadLevel(Findings& findings, const Node& node, std::string_view name) {
  const auto word = ReadWord(findings, node, name, kLevels);
  if (!word) return std::nullopt;
  return static_cast<policy::Level>(*word);
}

void ReadEnabled(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  if (const auto value = ReadBool(reader.findings, node, key)) config.enabled = *value;
}

void ReadPluginsLevel(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  if (const auto value = ReadLevel(reader.findings, node, key)) config.level = *value;
}

void ReadLevelUntil(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  const auto text = ReadText(reader.findings, node, key);
  if (!text) return;
  auto moment = ParseTimestamp(*text);
  if (moment) {
    config.level_until = *moment;
  } else {
    reader.findings.AddAt(node, std::move(moment).error());
  }
}

// Relative to the folder of the file that says so.
void ReadPolicy(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  const auto text = ReadText(reader.findings, node, key);
  if (!text) return;
  const std::filesystem::path folder = std::filesystem::path(reader.findings.document().file).parent_path();
  const bool is_relative = !text->starts_with('/') && !text->starts_with('~') && folder.is_absolute();
  auto path = ExpandPath(is_relative ? (folder / *text).string() : *text, reader.environment);
  if (path) {
    config.policy = std::move(*path);
  } else {
    reader.findings.AddAt(node, std::move(path).error());
  }
}

void ReadDirectories(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  std::vector<std::filesystem::path> folders;
  if (!IsNothing(node) && node.kind != Node::Kind::kSequence) {
    reader.findings.At(node, Code::kType,
                       "'" + std::string(key) + "' must be a list of folders, not " + std::string(KindName(node)),
                       "write directories: [/path/to/plugins]");
    return;
  }
  if (node.items.size() > kDirectoriesMax) {
    reader.findings.At(node, Code::kLimit,
                       "'" + std::string(key) + "' has more than " + std::to_string(kDirectoriesMax) + " folders");
    return;
  }
  for (const Node& item : node.items) {
    const auto text = ReadText(reader.findings, item, key);
    if (!text) continue;
    Result<std::filesystem::path> folder = ExpandPath(*text, reader.environment);
    if (folder) {
      folders.push_back(std::move(*folder));
    } else {
      reader.findings.AddAt(item, std::move(folder).error());
    }
  }
  config.directories = std::move(folders);
}

std::optional<Bytes> ReadSizeWithin(const Reader& reader, const Node& node, std::string_view key, std::uint64_t min,
                                    std::uint64_t max) {
  const auto value = ReadBytes(reader.findings, node, key);
  if (!value || (value->count >= min && value->count <= max)) return value;
  reader.findings.At(node, Code::kRange,
                     "'" + std::string(key) + "' must be between " + FormatBytes({min}) + " and " + FormatBytes({max}) +
                         ", not " + node.text);
  return std::nullopt;
}

template <Bytes CeilingLimits::* Field, std::uint64_t Min, std::uint64_t Max>
void ReadSize(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  if (const auto value = ReadSizeWithin(reader, node, key, Min, Max)) config.limits.*Field = *value;
}

template <std::uint32_t CeilingLimits::* Field, std::uint64_t Max>
void ReadNumber(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  if (const auto value = ReadCount(reader.findings, node, key, {1, Max})) {
    config.limits.*Field = static_cast<std::uint32_t>(*value);
  }
}

void ReadTimeout(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  if (const auto value = ReadDuration(reader.findings, node, key)) config.limits.timeout = *value;
}

constexpr std::uint64_t kKiB = 1ull << 10, kMiB = 1ull << 20, kGiB = 1ull << 30;

void ReadCacheDirectory(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  const auto text = ReadText(reader.findings, node, key);
  if (!text) return;
  Result<std::filesystem::path> folder = ExpandPath(*text, reader.environment);
  if (folder) {
    config.cache.directory = std::move(*folder);
  } else {
    reader.findings.AddAt(node, std::move(folder).error());
  }
}

void ReadCacheSize(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  if (const auto size = ReadSizeWithin(reader, node, key, kMiB, 1024 * kGiB)) config.cache.size = *size;
}

using ReadIsolation = void (*)(Findings&, const Node&, std::string_view, IsolationConfig&);
template <ReadIsolation Read>
void Isolation(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  Read(reader.findings, node, key, config.isolation);
}

template <std::size_t Index>
void QuotaInSum(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  QuotaKeys()[Index].read(reader.findings, node, key, config.quota);
}

void ReadEndpoint(const Reader& reader, const Node& node, std::string_view key, Config& config) {
  const auto text = ReadText(reader.findings, node, key);
  if (!text) return;
  if (text->starts_with("http://") && text->size() <= 1024) {
    config.otlp_endpoint = *text;
    return;
  }
  const bool secure = text->starts_with("https://");
  reader.findings.At(node, secure ? Code::kUnenforceable : Code::kInvalid,
                     secure ? "spans cannot be sent over TLS by this build"
                            : "'" + EscapeShort(*text, 80) + "' is not the place of a collector",
                     "write the place of a collector on this machine: http://127.0.0.1:4318");
}

constexpr Setting kSettings[] = {
    {"plugins.enabled", "CORDON_PLUGINS_ENABLED", "--plugins-enabled", "true",
     "the kill switch: while it is off, the daemon runs no plugin"},
    {"plugins.directories", "CORDON_PLUGINS_DIRECTORIES", "--plugins-directories", "/srv/plugins:~/plugins",
     "folders in which plugins are found by name"},
    {"plugins.level", "CORDON_PLUGINS_LEVEL", "--plugins-level", "default", "the security level"},
    {"plugins.level_until", "CORDON_PLUGINS_LEVEL_UNTIL", "--plugins-level_until", "2026-01-02T03:04:05Z",
     "when level relaxed ends"},
    {"plugins.policy", "CORDON_PLUGINS_POLICY", "--plugins-policy", "/etc/cordon/policy.yaml",
     "the file that caps every grant"},
    {"plugins.cache.directory", "CORDON_PLUGINS_CACHE_DIRECTORY", "--plugins-cache-directory", "/var/cache/cordon",
     "where compiled code is kept, in a folder named code"},
    {"plugins.cache.size", "CORDON_PLUGINS_CACHE_SIZE", "--plugins-cache-size", "4GiB",
     "of compiled code at most; the least recently used goes first"},
    {"plugins.limits.memory", "CORDON_PLUGINS_LIMITS_MEMORY", "--plugins-limits-memory", "256MiB",
     "all linear memories and tables of a plugin together"},
    {"plugins.limits.timeout", "CORDON_PLUGINS_LIMITS_TIMEOUT", "--plugins-limits-timeout", "30s",
     "wall time of a call"},
    {"plugins.limits.stack", "CORDON_PLUGINS_LIMITS_STACK", "--plugins-limits-stack", "512KiB", "the plugin's stack"},
    {"plugins.limits.tables", "CORDON_PLUGINS_LIMITS_TABLES", "--plugins-limits-tables", "20000",
     "elements of a table"},
    {"plugins.limits.instances", "CORDON_PLUGINS_LIMITS_INSTANCES", "--plugins-limits-instances", "32",
     "core instances inside one plugin"},
    {"plugins.limits.handles", "CORDON_PLUGINS_LIMITS_HANDLES", "--plugins-limits-handles", "4096", "resource handles"},
    {"plugins.limits.stdout", "CORDON_PLUGINS_LIMITS_STDOUT", "--plugins-limits-stdout", "64KiB",
     "kept of stdout, and as much of stderr"},
    {"plugins.limits.input", "CORDON_PLUGINS_LIMITS_INPUT", "--plugins-limits-input", "8MiB", "the input of a call"},
    {"plugins.limits.output", "CORDON_PLUGINS_LIMITS_OUTPUT", "--plugins-limits-output", "8MiB",
     "the output of a call"},
    {"plugins.limits.functions", "CORDON_PLUGINS_LIMITS_FUNCTIONS", "--plugins-limits-functions", "50000",
     "functions of a module"},
    {"plugins.limits.storage", "CORDON_PLUGINS_LIMITS_STORAGE", "--plugins-limits-storage", "64MiB",
     "keys and values of a bucket"},
    {"plugins.limits.keys", "CORDON_PLUGINS_LIMITS_KEYS", "--plugins-limits-keys", "100000", "keys of a bucket"},
    {"plugins.isolation.enabled", "CORDON_PLUGINS_ISOLATION_ENABLED", "--plugins-isolation-enabled", "true",
     "run plugins in processes of their own"},
    {"plugins.isolation.backend", "CORDON_PLUGINS_ISOLATION_BACKEND", "--plugins-isolation-backend", "worker",
     "what these processes are"},
    {"plugins.isolation.force", "CORDON_PLUGINS_ISOLATION_FORCE", "--plugins-isolation-force", "untrusted/*:acme/x",
     "plugins that are isolated, whatever else is said"},
    {"plugins.isolation.network_enabled", "CORDON_PLUGINS_ISOLATION_NETWORK_ENABLED",
     "--plugins-isolation-network_enabled", "true", "isolated plugins may reach the network, as far as it is granted"},
    {"plugins.isolation.timeout", "CORDON_PLUGINS_ISOLATION_TIMEOUT", "--plugins-isolation-timeout", "30s",
     "wall time of a call of an isolated plugin"},
    {"plugins.isolation.limits.max_cpu", "CORDON_PLUGINS_ISOLATION_LIMITS_MAX_CPU",
     "--plugins-isolation-limits-max_cpu", "1", "processors that an isolated plugin may keep busy"},
    {"plugins.isolation.limits.max_memory", "CORDON_PLUGINS_ISOLATION_LIMITS_MAX_MEMORY",
     "--plugins-isolation-limits-max_memory", "256MiB", "memory of an isolated plugin"},
    {"plugins.quotas.cpu.share", "CORDON_PLUGINS_QUOTAS_CPU_SHARE", "--plugins-quotas-cpu-share", "0.5",
     "processors that plugins may keep busy on average, in sum"},
    {"plugins.quotas.cpu.time", "CORDON_PLUGINS_QUOTAS_CPU_TIME", "--plugins-quotas-cpu-time", "10s",
     "CPU time of all plugins in each period"},
    {"plugins.quotas.cpu.per", "CORDON_PLUGINS_QUOTAS_CPU_PER", "--plugins-quotas-cpu-per", "1m",
     "the period of that time"},
    {"plugins.quotas.memory", "CORDON_PLUGINS_QUOTAS_MEMORY", "--plugins-quotas-memory", "512MiB",
     "memory of all calls and instances at once"},
    {"plugins.quotas.concurrency", "CORDON_PLUGINS_QUOTAS_CONCURRENCY", "--plugins-quotas-concurrency", "8",
     "calls of all plugins at once"},
    {"plugins.quotas.io.read", "CORDON_PLUGINS_QUOTAS_IO_READ", "--plugins-quotas-io-read", "20MiB/s",
     "what all plugins may read from files"},
    {"plugins.quotas.io.write", "CORDON_PLUGINS_QUOTAS_IO_WRITE", "--plugins-quotas-io-write", "5MiB/s",
     "what all plugins may write to files"},
    {"plugins.quotas.io.operations", "CORDON_PLUGINS_QUOTAS_IO_OPERATIONS", "--plugins-quotas-io-operations", "1000/s",
     "operations on files, of all plugins"},
    {"plugins.quotas.io.network", "CORDON_PLUGINS_QUOTAS_IO_NETWORK", "--plugins-quotas-io-network", "10MiB/s",
     "bytes of the network, of all plugins"},
    {"plugins.quotas.io.requests", "CORDON_PLUGINS_QUOTAS_IO_REQUESTS", "--plugins-quotas-io-requests", "600/min",
     "requests to services, of all plugins"},
    {"plugins.quotas.alert", "CORDON_PLUGINS_QUOTAS_ALERT", "--plugins-quotas-alert", "80%",
     "tell the host when this part of a quota is used"},
    {"telemetry.otlp.endpoint", "CORDON_TELEMETRY_OTLP_ENDPOINT", "--telemetry-otlp-endpoint", "http://127.0.0.1:4318",
     "traces of calls go to this collector"},
};

// The readers of kSettings, in its order.
using Read = void (*)(const Reader&, const Node&, std::string_view key, Config&);
constexpr Read kReaders[] = {
    ReadEnabled,
    ReadDirectories,
    ReadPluginsLevel,
    ReadLevelUntil,
    ReadPolicy,
    ReadCacheDirectory,
    ReadCacheSize,
    ReadSize<&CeilingLimits::memory, 64 * kKiB, 64 * kGiB>,
    ReadTimeout,
    ReadSize<&CeilingLimits::stack, 16 * kKiB, 64 * kMiB>,
    ReadNumber<&CeilingLimits::tables, 10'000'000>,
    ReadNumber<&CeilingLimits::instances, 10'000>,
    ReadNumber<&CeilingLimits::handles, 1'000'000>,
    ReadSize<&CeilingLimits::stdout_bytes, 1, kGiB>,
    ReadSize<&CeilingLimits::input, 1, kGiB>,
    ReadSize<&CeilingLimits::output, 1, kGiB>,
    ReadNumber<&CeilingLimits::functions, 1'000'000>,
    ReadSize<&CeilingLimits::storage, 1, 1024 * kGiB>,
    ReadNumber<&CeilingLimits::keys, 1'000'000'000>,
    Isolation<ReadIsolationEnabled>,
    Isolation<ReadIsolationBackend>,
    Isolation<ReadIsolationForce>,
    Isolation<ReadIsolationNetwork>,
    Isolation<ReadIsolationTimeout>,
    Isolation<ReadMaxCpu>,
    Isolation<ReadMaxMemory>,
    QuotaInSum<0>,
    QuotaInSum<1>,
    QuotaInSum<2>,
    QuotaInSum<3>,
    QuotaInSum<4>,
    QuotaInSum<5>,
    QuotaInSum<6>,
    QuotaInSum<7>,
    QuotaInSum<8>,
    QuotaInSum<9>,
    QuotaInSum<10>,
    ReadEndpoint,
};
static_assert(std::size(kSettings) == std::size(kReaders));

Read ReaderOf(std::string_view key) {
  const auto found = std::ranges::find(kSettings, key, &Setting::key);
  return found == std::end(kSettings) ? nullptr : kReaders[found - std::begin(kSettings)];
}

// One document over the defaults.
class Parser {
 public:
  Parser(const yaml::Document& document, const Environment& environment, Config defaults)
      : document_(document), findings_(document), environment_(environment), out_(std::move(defaults)) {}

  Result<Config> Run() {
    const Fields root(findings_, &document_.root, "", KeysAt(ConfigKeys(), ""));
    Plugins(root.Get("plugins"));
    const Fields telemetry(findings_, root.Get("telemetry"), "telemetry", KeysAt(ConfigKeys(), "telemetry"));
    ReadSettings(Fields(findings_, telemetry.Get("otlp"), "telemetry.otlp", KeysAt(ConfigKeys(), "telemetry.otlp")));
    const Fields compat(findings_, root.Get("compat"), "compat", KeysAt(ConfigKeys(), "compat"));
    if (const Node* allowlist = compat.Get("nexus_empty_allowlist")) {
      if (ReadWord(findings_, *allowlist, "compat.nexus_empty_allowlist", kAllowlist) > 0) {
        findings_.At(*allowlist, Code::kUnenforceable, "manifests of nexus cannot be read by this build",
                     "write nexus_empty_allowlist: deny, or leave the key out");
      }
    }
    for (std::string_view key : {"registries", "trust", "server"})
      root.RefuseLater(key, Fields::Empty::kMeansNothing, kNotYet);
    if (!findings_.empty()) return Fail(std::move(findings_).Take());
    return std::move(out_);
  }

 private:
  void Plugins(const Node* section) {
    const Fields fields(findings_, section, "plugins", KeysAt(ConfigKeys(), "plugins"));
    ReadSettings(fields);
    ReadSettings(Fields(findings_, fields.Get("cache"), "plugins.cache", KeysAt(ConfigKeys(), "plugins.cache")));
    ReadSettings(Fields(findings_, fields.Get("limits"), "plugins.limits", KeysAt(ConfigKeys(), "plugins.limits")));
    const Fields isolation(findings_, fields.Get("isolation"), "plugins.isolation",
                           KeysAt(ConfigKeys(), "plugins.isolation"));
    ReadSettings(isolation);
    ReadSettings(Fields(findings_, isolation.Get("limits"), "plugins.isolation.limits",
                        KeysAt(ConfigKeys(), "plugins.isolation.limits")));
    ReadWorkers(findings_, isolation.Get("workers"), "plugins.isolation.workers", out_.isolation.workers);
    if (const Node* level = fields.Get("level");
        level != nullptr && out_.level == policy::Level::kRelaxed && fields.Get("level_until") == nullptr) {
      findings_.At(*level, Code::kMissing, "level relaxed needs an end",
                   "write level_until: \"2026-01-02T03:04:05Z\" beside it");
    }
    if (const Node* native = fields.Get("native")) {
      const auto word = ReadWord(findings_, *native, "plugins.native", kNative);
      if (word) out_.native = static_cast<Config::Native>(*word);
    }
    ReadNetwork(findings_, environment_, fields.Get("network"), out_.network);
    ReadMessaging(fields.Get("messaging"));
    ReadQuota(findings_, fields.Get("quotas"), "plugins.quotas", out_.quota,
              [this](std::string_view key, const Node& node) {
                out_.origins[std::string(key)] = document_.file + ":" + std::to_string(node.line);
              });
    Entries(fields.Get("entries"));
  }

  void ReadMessaging(const Node* section) {
    const Fields fields(findings_, section, "plugins.messaging", KeysAt(ConfigKeys(), "plugins.messaging"));
    const auto count = [&](std::string_view key, std::uint64_t max, std::uint32_t& to) {
      const Node* node = fields.Get(key);
      if (node == nullptr) return;
      if (const auto value = ReadCount(findings_, *node, fields.NameOf(key), {1, max})) {
        to = static_cast<std::uint32_t>(*value);
      }
    };
    count("messages", 100'000'000, out_.messaging.messages);
    count("rate", 1'000'000, out_.messaging.rate);
    count("attempts", 1000, out_.messaging.attempts);
    if (const Node* node = fields.Get("bytes")) {
      if (const auto value = ReadBytes(findings_, *node, fields.NameOf("bytes"))) out_.messaging.bytes = *value;
    }
  }

  void ReadSettings(const Fields& fields) {
    for (const Setting& setting : kSettings) {
      const std::string_view name = setting.key.substr(setting.key.rfind('.') + 1);
      if (fields.NameOf(name) != setting.key) continue;
      const Node* node = fields.Get(name);
      if (node == nullptr) continue;
      ReaderOf(setting.key)(Reader{findings_, environment_}, *node, setting.key, out_);
      out_.origins[std::string(setting.key)] = document_.file + ":" + std::to_string(node->line);
    }
  }

  void Entries(const Node* section) {
    if (section == nullptr || IsNothing(*section)) return;
    if (section->kind != Node::Kind::kMapping) {
      findings_.At(*section, Code::kType, "'plugins.entries' must be a mapping, not " + std::string(KindName(*section)),
                   "write one key per plugin: its name");
      return;
    }
    for (const Node::Entry& entry : section->entries) {
      Result<std::string> name = ParsePluginName(entry.key);
      if (!name) {
        findings_.Add(std::move(name).error().At(document_.PlaceAt(entry.line, entry.column)));
      } else if (out_.entries.contains(*name)) {
        findings_.Add(Error(Code::kDuplicateKey, "'" + *name + "' has two entries")
                          .At(document_.PlaceAt(entry.line, entry.column)));
      } else {
        out_.entries[*name] = Entry("plugins.entries." + *name, entry.value);
      }
    }
  }

  ConfigEntry Entry(const std::string& path, const Node& node) {
    const Fields fields(findings_, &node, path, KeysAt(ConfigKeys(), "plugins.entries.*"));
    ConfigEntry entry;
    if (const Node* enabled = fields.Get("enabled")) entry.enabled = ReadBool(findings_, *enabled, path + ".enabled");
    if (const Node* level = fields.Get("level")) entry.level = ReadLevel(findings_, *level, path + ".level");
    if (const Node* config = fields.Get("config"); config != nullptr && !IsNothing(*config)) {
      if (config->kind == Node::Kind::kMapping) {
        entry.config = yaml::ToJson(*config);
      } else {
        findings_.At(*config, Code::kType,
                     "'" + path + ".config' must be a mapping, not " + std::string(KindName(*config)),
                     "write one key per setting of the plugin");
      }
    }
    ReadEgress(findings_, environment_, fields.Get("egress"), path + ".egress", entry.egress);
    ReadQuota(findings_, fields.Get("quotas"), path + ".quotas", entry.quota);
    if (const Node* tenants = fields.Get("tenants")) {
      const auto word = ReadWord(findings_, *tenants, path + ".tenants", kTenants);
      if (word) entry.tenants = static_cast<ConfigEntry::Tenants>(*word);
    }
    return entry;
  }

  const yaml::Document& document_;
  Findings findings_;
  const Environment& environment_;
  Config out_;
};

Config Defaults(const Environment& environment) {
  Config config;
  if (Result<std::filesystem::path> folder = PluginsHome(environment)) config.directories = {std::move(*folder)};
  if (Result<std::filesystem::path> folder = CacheHome(environment)) config.cache.directory = std::move(*folder);
  return config;
}

// The value as it would stand in the file. A comment or a quote is a part of the text here, and so of no type.
Result<yaml::Document> ReadValue(std::string_view key, std::string_view text, std::string_view origin) {
  yaml::Document document{std::string(origin), std::string(text), {}};
  if (key == "plugins.directories" || key == "plugins.isolation.force") {
    document.root.kind = Node::Kind::kSequence;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find(':'), text.size());
      Node item;
      item.kind = Node::Kind::kString;
      item.text = std::string(text.substr(0, end));
      if (end > 0) document.root.items.push_back(std::move(item));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return document;
  }
  if (key == "plugins.level_until" || key == "plugins.policy") {  // what a file would have to quote
    document.root.kind = Node::Kind::kString;
    document.root.text = std::string(text);
    return document;
  }
  Result<yaml::Document> parsed = yaml::Parse(text, std::string(origin));
  if (parsed && parsed->root.plain && parsed->root.text == text && !text.empty()) return parsed;
  if (!parsed && parsed.error().code != Code::kSyntax) return parsed;
  return Fail(Code::kType, "'" + EscapeShort(text, 80) + "' is not a value",
              "write it as in config.yaml, without quotes");
}

Result<std::optional<Config>> ReadConfigFile(const std::filesystem::path& file, const Environment& environment) {
  Result<std::string> text = ReadFile(file, kConfigBytesMax);
  if (!text && text.error().code == Code::kNotFound) return std::nullopt;
  if (!text) return Fail(std::move(text).error());
  CORDON_ASSIGN(Config config, ParseConfig(*text, file.string(), environment));
  config.file = file;
  return config;
}

// The file that someone named: it must be there.
Result<Config> ReadNamedFile(const std::filesystem::path& file, std::string_view who, const Environment& environment) {
  CORDON_ASSIGN(std::optional<Config> config, ReadConfigFile(file, environment));
  if (config) return std::move(*config);
  return Fail(Code::kNotFound, "no configuration at " + file.string() + ", which " + std::string(who) + " names",
              "write that file, or name another");
}

Result<Config> ReadDefaultFile(const Environment& environment) {
  Result<std::filesystem::path> home = ConfigHome(environment);
  if (!home && home.error().code != Code::kMissing) return Fail(std::move(home).error());
  if (home) {
    CORDON_ASSIGN(std::optional<Config> config, ReadConfigFile(*home / "config.yaml", environment));
    if (config) return std::move(*config);
  }
  CORDON_ASSIGN(std::optional<Config> config, ReadConfigFile(kSystemFile, environment));
  return config ? std::move(*config) : Defaults(environment);
}

}  // namespace

policy::Level Config::LevelAt(std::chrono::system_clock::time_point now) const {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);  // nanoseconds end in the year 2262
  if (level != policy::Level::kRelaxed || (level_until && second < *level_until)) return level;
  return policy::Level::kDefault;
}

policy::Level Config::LevelFor(std::string_view plugin, std::chrono::system_clock::time_point now) const {
  const policy::Level all = LevelAt(now);
  const auto entry = entries.find(std::string(plugin));
  return entry == entries.end() ? all : std::max(all, entry->second.level.value_or(all));
}

std::string_view Config::OriginOf(std::string_view key) const {
  const auto found = origins.find(std::string(key));
  return found == origins.end() ? std::string_view("default") : found->second;
}

std::span<const Setting> Settings() { return kSettings; }

Status SetSetting(Config& config, std::string_view key, std::string_view text, std::string_view origin,
                  const Environment& environment) {
  const Read read = ReaderOf(key);
  if (read == nullptr) return Fail(Code::kUnknownKey, "no setting is named '" + EscapeShort(key, 80) + "'");
  const auto name_origin = [&](Error error) {
    error.message = std::string(origin) + ": " + error.message;
    error.place.reset();
    return Fail(std::move(error).With("origin", std::string(origin)));
  };
  Result<yaml::Document> document = ReadValue(key, text, origin);
  if (!document) return name_origin(std::move(document).error());
  Findings findings(*document);
  Config changed = config;
  read(Reader{findings, environment}, document->root, key, changed);
  if (!findings.empty()) return name_origin(std::move(findings).Take());
  changed.origins[std::string(key)] = origin;
  config = std::move(changed);
  return {};
}

Result<Config> ParseConfig(std::string_view text, std::string file, const Environment& environment) {
  CORDON_ASSIGN(yaml::Document document, yaml::Parse(text, std::move(file)));
  return Parser(document, environment, Defaults(environment)).Run();
}

Result<Config> LoadConfig(const Environment& environment, const std::optional<std::filesystem::path>& explicit_path) {
  const std::string named = environment("CORDON_CONFIG").value_or("");
  CORDON_ASSIGN(Config config, explicit_path    ? ReadNamedFile(*explicit_path, "--config", environment)
                               : !named.empty() ? ReadNamedFile(named, "$CORDON_CONFIG", environment)
                                                : ReadDefaultFile(environment));
  for (const Setting& setting : kSettings) {
    const std::optional<std::string> value = environment(setting.variable);
    if (value) CORDON_TRY(SetSetting(config, setting.key, *value, setting.variable, environment));
  }
  return config;
}

}  // namespace cordon::manifest
