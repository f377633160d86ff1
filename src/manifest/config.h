// config.yaml: the operator's side. A key is set by its flag, else its environment variable, else the file, else its
// default. Values; immutable in use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "base/units.h"
#include "cordon/result.h"
#include "formats/json.h"
#include "manifest/paths.h"
#include "policy/authority.h"
#include "policy/network.h"
#include "policy/quota.h"

namespace cordon::manifest {

// Ceilings, and what is used where a manifest asks for nothing.
struct CeilingLimits {
  Bytes memory = MiB(256);  // whole store: linear memories and tables together
  Duration timeout = std::chrono::seconds(30);
  Bytes stack = KiB(512);
  std::uint32_t tables = 20'000;  // elements per table
  std::uint32_t instances = 32;
  std::uint32_t handles = 4096;
  Bytes stdout_bytes = KiB(64);
  Bytes input = MiB(8);
  Bytes output = MiB(8);
  std::uint32_t functions = 50'000;  // of one module
  Bytes storage = MiB(64);           // of one bucket: keys and values
  std::uint32_t keys = 100'000;      // of one bucket
};

// Compiled code on disk.
struct CacheConfig {
  std::filesystem::path directory;  // the code lies in its folder `code`; empty: there is no home to keep one in
  Bytes size{4ull << 30};
};

// `plugins.network`: how plugins that may reach the network get there.
struct NetworkConfig {
  std::vector<std::string> dns;                      // "192.0.2.1:53"; none: the machine's
  std::vector<std::filesystem::path> roots;          // files of certificates in PEM, beside the system's
  std::vector<policy::AddressBlock> private_blocks;  // `private`: not public, and granted names may lead there
  std::uint32_t connections = 32;                    // at once, of one plugin
  Duration keep_alive = std::chrono::seconds(15);
  Duration connect = std::chrono::seconds(5);
  Duration first_byte = std::chrono::seconds(15);
  Duration idle = std::chrono::seconds(15);
  Duration total = std::chrono::minutes(2);
  std::uint32_t headers = 100;
  Bytes header_bytes = KiB(32);
  Bytes request = MiB(8);
  Bytes response = MiB(8);
};

// `plugins.messaging`: channels.
struct MessagingConfig {
  std::uint32_t messages = 10'000;  // of one channel, those that were set aside too
  Bytes bytes = MiB(64);            // of one channel: bodies
  std::uint32_t rate = 100;         // that one plugin may send in a second
  std::uint32_t attempts = 5;       // to work on a message before it is set aside
};

// `plugins.isolation`: what runs in a process of its own, and what it may there.
// The worker processes of one plugin. A worker is replaced when one of `calls`, `age` and `growth` is reached.
struct WorkersConfig {
  std::optional<std::uint32_t> most;  // at once; as many as there may be instances
  std::uint32_t idle = 2;             // kept for the next call
  std::uint64_t calls = 100'000;
  Duration age = std::chrono::minutes(10);
  Bytes growth{64ull << 20};  // of its own memory
};

struct IsolationConfig {
  enum class Backend : std::uint8_t { kInProcess, kWorker, kBubblewrap, kDocker, kDaytona, kFirecracker, kMicroVm };
  bool enabled = false;
  Backend backend = Backend::kWorker;
  std::vector<std::string> force;  // patterns of names, '*' within a part: isolated, whatever else is said
  bool network = false;            // whether what is isolated may reach the network, by grants
  std::optional<Duration> timeout;
  std::optional<Bytes> max_memory;
  std::optional<double> max_cpu;  // processors, of one plugin in sum
  WorkersConfig workers;          // of every plugin that is in workers

  bool Forces(std::string_view plugin) const;
  bool Isolates(std::string_view plugin) const { return (enabled && backend != Backend::kInProcess) || Forces(plugin); }
};
std::string_view BackendName(IsolationConfig::Backend backend);

// A header that the host puts on a plugin's requests; the plugin never sees it.
struct EgressHeader {
  policy::Capability where;  // of the kind http
  std::string header, prefix;
  std::string variable;        // where the value is: a variable of the environment,
  std::filesystem::path file;  // a file,
  std::string secret;          // or a secret by its name
};

struct ConfigEntry {
  std::optional<bool> enabled;
  std::optional<policy::Level> level;
  std::vector<EgressHeader> egress;
  Json config = Json::object();  // the plugin's own settings; what is secret never stands here
  policy::Quota quota;           // of this plugin
  // kShared: a resident serves all tenants with its one instance.
  enum class Tenants : std::uint8_t { kApart, kShared } tenants = Tenants::kApart;
};

struct Config {
  bool enabled = false;  // the kill switch of the daemon; the bare command line does not need it
  std::vector<std::filesystem::path> directories;
  policy::Level level = policy::Level::kDefault;
  std::optional<Timestamp> level_until;  // when level relaxed ends; the level is default from then on
  std::filesystem::path policy;          // policy.yaml; empty: none
  // Native plugins: never; when the operator says so for this load; with a warning; as any other.
  enum class Native : std::uint8_t { kRefuse, kConfirm, kWarn, kAllow } native = Native::kRefuse;
  CacheConfig cache;
  CeilingLimits limits;
  NetworkConfig network;
  MessagingConfig messaging;
  IsolationConfig isolation;
  policy::Quota quota;                         // of all plugins in sum
  std::map<std::string, ConfigEntry> entries;  // by full plugin name
  std::string otlp_endpoint;                   // where spans go; empty: nowhere, and none are made

  std::optional<std::filesystem::path> file;  // that was read; none: defaults
  std::map<std::string, std::string>
      origins;  // "plugins.limits.memory" → "/etc/cordon/config.yaml:7", a variable, a flag

  // At this moment: of all plugins, and of one, which is never weaker.
  policy::Level LevelAt(std::chrono::system_clock::time_point now) const;
  policy::Level LevelFor(std::string_view plugin, std::chrono::system_clock::time_point now) const;
  // Who set a key: an origin, or "default".
  std::string_view OriginOf(std::string_view key) const;
};

// One key that has a flag and a variable, both derived from the key. `flag` includes the dashes.
struct Setting {
  std::string_view key;       // "plugins.limits.memory"
  std::string_view variable;  // "CORDON_PLUGINS_LIMITS_MEMORY"
  std::string_view flag;      // "--plugins-limits-memory"
  std::string_view example;   // "256MiB"
  std::string_view description;
};
std::span<const Setting> Settings();

// Sets one key from text; `origin` names the flag or variable in errors and in `origins`. Text has the spelling of the
// file, without quotes; folders are separated by colons, as in PATH. E_UNKNOWN_KEY, E_TYPE, E_RANGE, E_INVALID,
// E_UNENFORCEABLE; on an error `config` is unchanged.
Status SetSetting(Config& config, std::string_view key, std::string_view text, std::string_view origin,
                  const Environment& environment);

// The document alone, over the defaults. Pure.
Result<Config> ParseConfig(std::string_view text, std::string file, const Environment& environment);

// `explicit_path`, else `$CORDON_CONFIG`, else `$XDG_CONFIG_HOME/cordon/config.yaml`, else /etc/cordon/config.yaml;
// then the variables over it. A named file that is missing is E_NOT_FOUND; where no file is, the defaults hold.
Result<Config> LoadConfig(const Environment& environment, const std::optional<std::filesystem::path>& explicit_path);

}  // namespace cordon::manifest
