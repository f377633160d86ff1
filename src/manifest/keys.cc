#include "manifest/keys.h"

#include <algorithm>
#include <array>

namespace cordon::manifest {
namespace {

using Names = std::string_view;

constexpr Names kRoot[] = {"manifest",     "name",      "version", "description", "license",  "requires",
                           "authors",      "runtime",   "actions", "permissions", "provides", "limits",
                           "dependencies", "lifecycle", "config",  "link"};
constexpr Names kRequires[] = {"cordon"};
constexpr Names kRuntime[] = {"abi", "artifact", "digest", "world", "instance", "modules"};
constexpr Names kAction[] = {"description", "export", "input", "output", "timeout", "idempotent", "risk", "command"};
constexpr Names kCommand[] = {"args", "stdin", "output"};
constexpr Names kCommandArgument[] = {"flag", "input"};
constexpr Names kCommandStdin[] = {"input"};
constexpr Names kModule[] = {"name", "artifact", "digest"};
constexpr Names kPermissions[] = {"required", "optional"};
constexpr Names kPermission[] = {"files",   "http",   "sockets",   "environment", "secrets", "config", "exec",
                                 "storage", "memory", "messaging", "call",        "context", "clocks", "random",
                                 "stdio",   "log",    "arguments", "host",        "reason"};
constexpr Names kFiles[] = {"mount", "from", "access"};
constexpr Names kHttp[] = {"url", "methods"};
constexpr Names kSockets[] = {"connect", "listen"};
constexpr Names kExec[] = {"program", "args"};
constexpr Names kExecArgument[] = {"enum", "integer", "path", "pattern"};
constexpr Names kStorage[] = {"bucket", "access", "quota"};
constexpr Names kMemory[] = {"access", "scope"};
constexpr Names kMessaging[] = {"channel", "access"};
constexpr Names kProvides[] = {"tools", "channels", "memory", "commands", "services", "hooks", "actions"};
constexpr Names kLimits[] = {"memory", "timeout", "cpu", "fuel", "vars", "http-response", "concurrency", "io"};
constexpr Names kLifecycle[] = {"restart", "liveness", "on-failure", "drain", "state"};
constexpr Names kLiveness[] = {"every", "timeout"};
constexpr Names kState[] = {"snapshot"};

constexpr Names kIo[] = {"read", "write", "operations", "network", "requests"};

constexpr Keys kManifest[] = {
    {"", kRoot},
    {"requires", kRequires},
    {"runtime", kRuntime},
    {"runtime.modules[]", kModule},
    {"actions.*", kAction},
    {"actions.*.command", kCommand},
    {"actions.*.command.args[]", kCommandArgument},
    {"actions.*.command.stdin", kCommandStdin},
    {"permissions", kPermissions},
    {"permissions.required[]", kPermission},
    {"permissions.optional[]", kPermission},
    {"permissions.required[].files", kFiles},
    {"permissions.required[].http", kHttp},
    {"permissions.required[].sockets", kSockets},
    {"permissions.required[].exec", kExec},
    {"permissions.required[].exec.args[]", kExecArgument},
    {"permissions.required[].storage", kStorage},
    {"permissions.required[].memory", kMemory},
    {"permissions.required[].messaging", kMessaging},
    {"provides", kProvides},
    {"limits", kLimits},
    {"lifecycle", kLifecycle},
    {"lifecycle.liveness", kLiveness},
    {"lifecycle.state", kState},
    {"limits.io", kIo},
};

constexpr Names kConfigRoot[] = {"plugins", "telemetry", "compat", "registries", "trust", "server"};
constexpr Names kPlugins[] = {"enabled",   "directories", "cache",   "level",   "level_until", "policy", "native",
                              "isolation", "limits",      "entries", "network", "messaging",   "quotas"};
constexpr Names kCeiling[] = {"memory", "timeout", "stack",  "tables",    "instances", "handles",
                              "stdout", "input",   "output", "functions", "storage",   "keys"};
constexpr Names kIsolation[] = {"enabled", "backend", "force", "network_enabled", "timeout", "limits", "workers"};
constexpr Names kIsolationLimits[] = {"max_cpu", "max_memory"};
constexpr Names kWorkers[] = {"most", "idle", "calls", "age", "growth"};
constexpr Names kCache[] = {"directory", "size"};
constexpr Names kNetwork[] = {"dns",  "roots", "private", "connections",  "keep_alive", "connect", "first_byte",
                              "idle", "total", "headers", "header_bytes", "request",    "response"};
constexpr Names kMessagingLimits[] = {"messages", "bytes", "rate", "attempts"};
constexpr Names kEgress[] = {"to", "methods", "header", "prefix", "variable", "file", "secret"};
constexpr Names kQuota[] = {"cpu", "memory", "concurrency", "io", "alert"};
constexpr Names kQuotaCpu[] = {"share", "time", "per"};
constexpr Names kEntry[] = {"enabled", "level", "config", "egress", "quotas", "tenants"};
constexpr Names kTelemetry[] = {"otlp"};
constexpr Names kOtlp[] = {"endpoint"};
constexpr Names kCompat[] = {"nexus_empty_allowlist"};

constexpr Keys kConfig[] = {
    {"", kConfigRoot},
    {"plugins", kPlugins},
    {"plugins.cache", kCache},
    {"plugins.isolation", kIsolation},
    {"plugins.isolation.limits", kIsolationLimits},
    {"plugins.isolation.workers", kWorkers},
    {"plugins.limits", kCeiling},
    {"plugins.network", kNetwork},
    {"plugins.messaging", kMessagingLimits},
    {"plugins.quotas", kQuota},
    {"plugins.quotas.cpu", kQuotaCpu},
    {"plugins.quotas.io", kIo},
    {"plugins.entries.*", kEntry},
    {"plugins.entries.*.egress[]", kEgress},
    {"plugins.entries.*.quotas", kQuota},
    {"plugins.entries.*.quotas.cpu", kQuotaCpu},
    {"plugins.entries.*.quotas.io", kIo},
    {"telemetry", kTelemetry},
    {"telemetry.otlp", kOtlp},
    {"compat", kCompat},
};

constexpr Names kPolicyRoot[] = {"level", "risk", "allow", "plugins"};
constexpr Names kPolicyPlugin[] = {"level", "risk", "allow", "artifacts"};
constexpr Keys kPolicy[] = {{"", kPolicyRoot}, {"plugins.*", kPolicyPlugin}};

}  // namespace

std::span<const Keys> ManifestKeys() { return kManifest; }
std::span<const Keys> ConfigKeys() { return kConfig; }
std::span<const Keys> PolicyKeys() { return kPolicy; }

std::span<const std::string_view> KeysAt(std::span<const Keys> table, std::string_view path) {
  const auto found = std::ranges::find(table, path, &Keys::path);
  return found == table.end() ? std::span<const std::string_view>() : found->names;
}

}  // namespace cordon::manifest
