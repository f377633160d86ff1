// One capability: what a plugin may do to one thing. One grammar, two spellings (docs/formats/capabilities.md).
// A value type, never invalid: it comes from Parse or a Make function. Pure; thread-safe as any value is.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cordon/result.h"

namespace cordon::policy {

// The longest text that Parse looks at.
inline constexpr std::size_t kCapabilityBytesMax = 4096;

enum class Kind : std::uint8_t {
  kFiles,
  kHttp,
  kSockets,
  kEnvironment,
  kSecrets,
  kConfig,
  kExec,
  kStorage,
  kMemory,
  kMessaging,
  kCall,
  kContext,
  kClock,
  kRandom,
  kStdio,
  kLog,
  kArguments,
  kHost,      // what the embedding program offers
  kInstance,  // that instances stay from call to call
};
inline constexpr std::size_t kKindCount = 19;

// "files", "http", "sockets", "environment", "secrets", "config", "exec", "storage", "memory", "messaging", "call",
// "context", "clock", "random", "stdio", "log", "arguments", "host", "instance": the word in YAML, errors and `deny`.
std::string_view KindName(Kind kind);
std::optional<Kind> KindNamed(std::string_view name);

// Whether this build can hold a guest to a capability of this kind. The others parse, and are never effective.
bool EnforceableNow(Kind kind);

enum class Access : std::uint8_t { kRead, kWrite /* read and write */ };
enum class ClockPrecision : std::uint8_t { kCoarse, kFine };

// `fs:read:/data=workspace/data`
struct FilesScope {
  Access access = Access::kRead;
  std::string mount;  // absolute, normalised path in the guest
  std::string root;   // name of a root that the operator maps
  std::string below;  // normalised relative path under the root; "" for all of it
  friend auto operator<=>(const FilesScope&, const FilesScope&) = default;
};

struct PortRange {
  std::uint16_t first = 0, last = 0;
  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

// `http:GET,HEAD:https://*.example.org:8443/v1/*`
struct HttpScope {
  std::vector<std::string> methods;  // sorted, unique, upper-case
  std::string scheme;                // "http" or "https"
  std::string host;                  // lower-case; "*" any; "*.suffix", apex excluded; IPv6 in brackets
  PortRange ports;
  std::string path;  // exact, or a prefix that ends in "/*"
  friend auto operator<=>(const HttpScope&, const HttpScope&) = default;
};

// `net:tcp:db.internal:5432`, `net:listen-tcp:127.0.0.1:8080`
struct SocketScope {
  std::string action;  // "tcp", "udp", "listen-tcp", "listen-udp"
  std::string host;    // as in HttpScope, or a CIDR block
  PortRange ports;
  friend auto operator<=>(const SocketScope&, const SocketScope&) = default;
};

// `exec:git log --oneline <re:[0-9a-f]{7,40}>`
struct ExecArgument {
  enum class Form : std::uint8_t { kLiteral, kOneOf, kInteger, kPath, kPattern };
  Form form = Form::kLiteral;
  std::string text;  // the literal; "a|b"; "1..9"; a mount; an anchored pattern
  friend auto operator<=>(const ExecArgument&, const ExecArgument&) = default;
};
struct ExecScope {
  std::string program;
  std::vector<ExecArgument> arguments;
  friend auto operator<=>(const ExecScope&, const ExecScope&) = default;
};

struct ClockScope {
  ClockPrecision precision = ClockPrecision::kCoarse;
  friend auto operator<=>(const ClockScope&, const ClockScope&) = default;
};

// Kinds that are a name with, for some, a word: `kv:write:cache`, `memory:recall:session`, `msg:send:alerts`,
// `env:GITHUB_TOKEN`, `secret:api-key`, `call:acme/geocode#lookup`, `ctx:user`, `config`, `random`, `stdio`, `log`,
// `args`, `host:prices`, `host:prices:eu/*` (the action is the name of what the host offers, the name a target),
// `instance:resident`.
struct NameScope {
  std::string action;  // "read", "write", "recall", "send" …, or ""
  std::string name;    // or ""
  friend auto operator<=>(const NameScope&, const NameScope&) = default;
};

using Scope = std::variant<FilesScope, HttpScope, SocketScope, ExecScope, ClockScope, NameScope>;

class Capability {
 public:
  // The compact form. E_SYNTAX, E_NAME, E_LIMIT, E_RANGE; E_GRANT_FORBIDDEN for host paths and `..`; E_GRANT_TOO_WIDE
  // for wildcards that no level allows (`a.*.com`, `*evil.com`).
  static Result<Capability> Parse(std::string_view text);
  // The canonical compact form; Parse gives the same value back.
  std::string ToString() const;
  // The same in `room`, for kinds that are a name with a word; empty for others, and where it does not fit.
  std::string_view TextIn(std::span<char> room) const;

  Kind kind() const { return kind_; }
  // The parts, by kind; nullptr for another kind.
  const FilesScope* files() const { return std::get_if<FilesScope>(&scope_); }
  const HttpScope* http() const { return std::get_if<HttpScope>(&scope_); }
  const SocketScope* socket() const { return std::get_if<SocketScope>(&scope_); }
  const ExecScope* exec() const { return std::get_if<ExecScope>(&scope_); }
  const ClockScope* clock() const { return std::get_if<ClockScope>(&scope_); }
  const NameScope* named() const { return std::get_if<NameScope>(&scope_); }

  // Whether everything that `other` allows is allowed by this.
  bool Covers(const Capability& other) const;
  friend bool operator==(const Capability&, const Capability&) = default;

 private:
  friend struct CapabilityMaker;
  Capability(Kind kind, Scope scope) : kind_(kind), scope_(std::move(scope)) {}
  Kind kind_;
  Scope scope_;
};

// What both allow, never wider than either; nothing when they have nothing in common. Commutative.
std::optional<Capability> Intersect(const Capability& a, const Capability& b);

// The pieces of the YAML form. Errors as Parse.
// `mount`: absolute and normalised. `from`: `root` or `root/sub/path`.
Result<Capability> MakeFiles(std::string_view mount, std::string_view from, Access access);
Result<Capability> MakeHttp(std::string_view url, std::span<const std::string> methods);
// One request, as a service asks: `path` is exact, normalised, and whatever a URL may hold; `method` is what the guest
// said, and may be one that no grant covers. E_SYNTAX for a host that no grant could name.
Result<Capability> MakeHttpRequest(std::string_view method, std::string_view scheme, std::string_view host,
                                   std::uint16_t port, std::string_view path);
// `address`: "tcp://db.internal:5432", "udp://10.0.0.0/8:53".
enum class SocketUse : std::uint8_t { kConnect, kListen };
Result<Capability> MakeSocket(std::string_view address, SocketUse use);
Result<Capability> MakeEnvironment(std::string_view name);
Result<Capability> MakeSecret(std::string_view name);
Result<Capability> MakeExec(std::string_view program, std::span<const ExecArgument> arguments);
Result<Capability> MakeStorage(std::string_view bucket, Access access);
// `access`: recall, store, forget; `scope`: plugin, session, agent.
Result<Capability> MakeMemory(std::string_view access, std::string_view scope);
// `access`: send, receive.
Result<Capability> MakeMessaging(std::string_view access, std::string_view channel);
// "acme/geocode#lookup", "acme/geocode#*"
Result<Capability> MakeCall(std::string_view target);
// The kind `context`: session, user, agent, project.
Result<Capability> MakeCaller(std::string_view what);
// pooled, resident.
Result<Capability> MakeInstance(std::string_view policy);
Capability MakeClock(ClockPrecision precision);
Capability MakeConfig();
Capability MakeRandom();
Capability MakeStdio();
Capability MakeLog();
Capability MakeArguments();
// "prices", or "prices:eu/*": what the embedding program offers, all of it or some targets.
Result<Capability> MakeHost(std::string_view text);
// One target of it, as a service asks.
Result<Capability> MakeHostTarget(std::string_view name, std::string_view target);

}  // namespace cordon::policy
