#include "policy/capability.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/capability_grammar.h"

namespace cordon::policy {
namespace {

constexpr std::size_t kTargetBytesMax = 512;

struct KindRow {
  Kind kind;
  std::string_view name;
  std::string_view prefix;  // of the compact form
  bool enforceable;
};

constexpr std::array<KindRow, kKindCount> kKinds = {{
    {Kind::kFiles, "files", "fs", true},
    {Kind::kHttp, "http", "http", true},
    {Kind::kSockets, "sockets", "net", true},
    {Kind::kEnvironment, "environment", "env", true},
    {Kind::kSecrets, "secrets", "secret", true},
    {Kind::kConfig, "config", "config", true},
    {Kind::kExec, "exec", "exec", true},
    {Kind::kStorage, "storage", "kv", true},
    {Kind::kMemory, "memory", "memory", true},
    {Kind::kMessaging, "messaging", "msg", true},
    {Kind::kCall, "call", "call", true},
    {Kind::kContext, "context", "ctx", true},
    {Kind::kClock, "clock", "clock", true},
    {Kind::kRandom, "random", "random", true},
    {Kind::kStdio, "stdio", "stdio", true},
    {Kind::kLog, "log", "log", true},
    {Kind::kArguments, "arguments", "args", true},
    {Kind::kHost, "host", "host", true},
    {Kind::kInstance, "instance", "instance", true},
}};

const KindRow& RowOf(Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::unexpected<Error> WrongName(std::string_view what, std::string_view text, std::string_view form) {
  return Fail(Code::kName, "'" + Excerpt(text) + "' is not " + std::string(what), "write " + std::string(form));
}

Result<Capability> MakeNamed(Kind kind, std::string_view action, std::string_view name) {
  return CapabilityMaker::Make(kind, NameScope{std::string(action), std::string(name)});
}

Result<Access> ParseAccess(std::string_view text) {
  if (text == "read") return Access::kRead;
  if (text == "write") return Access::kWrite;
  return Fail(Code::kSyntax, "'" + Excerpt(text) + "' is not an access", "write read or write");
}

// `word:rest`; a text without a colon is all word.
struct Split {
  std::string_view word, rest;
  bool colon;
};
Split SplitAtColon(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {text, {}, false};
  return {text.substr(0, colon), text.substr(colon + 1), true};
}

Result<Capability> ParseFiles(std::string_view rest) {
  const Split parts = SplitAtColon(rest);
  CORDON_ASSIGN(const Access access, ParseAccess(parts.word));
  const std::size_t equals = parts.rest.find('=');
  if (equals == std::string_view::npos) {
    return Fail(Code::kSyntax, "'fs:" + Excerpt(rest) + "' names no root",
                "write fs:read:/MOUNT=ROOT, such as fs:read:/data=workspace");
  }
  return MakeFiles(parts.rest.substr(0, equals), parts.rest.substr(equals + 1), access);
}

Result<Capability> ParseBare(Kind kind) {
  switch (kind) {
    case Kind::kConfig: return MakeConfig();
    case Kind::kRandom: return MakeRandom();
    case Kind::kStdio: return MakeStdio();
    case Kind::kLog: return MakeLog();
    case Kind::kArguments: return MakeArguments();
    default: break;
  }
  const std::string prefix(RowOf(kind).prefix);
  return Fail(Code::kSyntax, "'" + prefix + "' does not say what it allows", "write " + prefix + ":…");
}

Result<Capability> ParseRest(Kind kind, std::string_view rest) {
  const Split parts = SplitAtColon(rest);
  switch (kind) {
    case Kind::kFiles: return ParseFiles(rest);
    case Kind::kHttp: return ParseHttp(rest);
    case Kind::kSockets: return ParseSocket(rest);
    case Kind::kExec: return ParseExec(rest);
    case Kind::kEnvironment: return MakeEnvironment(rest);
    case Kind::kSecrets: return MakeSecret(rest);
    case Kind::kCall: return MakeCall(rest);
    case Kind::kContext: return MakeCaller(rest);
    case Kind::kHost: return MakeHost(rest);
    case Kind::kInstance: return MakeInstance(rest);
    case Kind::kMemory: return MakeMemory(parts.word, parts.rest);
    case Kind::kMessaging: return MakeMessaging(parts.word, parts.rest);
    case Kind::kStorage: {
      CORDON_ASSIGN(const Access access, ParseAccess(parts.word));
      return MakeStorage(parts.rest, access);
    }
    case Kind::kClock:
      if (rest == "coarse") return MakeClock(ClockPrecision::kCoarse);
      if (rest == "fine") return MakeClock(ClockPrecision::kFine);
      return Fail(Code::kSyntax, "'" + Excerpt(rest) + "' is not a precision", "write clock:coarse or clock:fine");
    default: break;
  }
  const std::string prefix(RowOf(kind).prefix);
  return Fail(Code::kSyntax, "'" + prefix + "' takes nothing after it", "write " + prefix);
}

std::string NameText(Kind kind, const NameScope& scope) {
  std::string text(RowOf(kind).prefix);
  if (!scope.action.empty()) text += ":" + scope.action;
  if (!scope.name.empty()) text += ":" + scope.name;
  return text;
}

std::string_view AccessName(Access access) { return access == Access::kRead ? "read" : "write"; }

Status CheckMount(std::string_view mount) {
  const auto forbidden = [&](std::string_view why) {
    return Fail(Code::kGrantForbidden, "mount '" + Excerpt(mount) + "' " + std::string(why),
                "mount at a path of its own, such as /data");
  };
  if (mount == "/") return {};  // all that the guest sees; the folder behind it is what counts
  if (mount.empty() || mount.front() != '/') {
    return Fail(Code::kSyntax, "mount '" + Excerpt(mount) + "' is not an absolute path", "write a path such as /data");
  }
  switch (CheckSegments(mount.substr(1))) {
    case PathFault::kNone: break;
    case PathFault::kDots: return forbidden("has a '.' or '..' segment");
    case PathFault::kTooLong: return Fail(Code::kLimit, "mount '" + Excerpt(mount) + "' is too long");
    case PathFault::kEmptySegment:
      return Fail(Code::kSyntax, "mount '" + Excerpt(mount) + "' has an empty segment", "write each '/' once");
    case PathFault::kCharacter:
      return Fail(Code::kSyntax, "mount '" + Excerpt(mount) + "' has a character that is not allowed",
                  "use letters, digits and ._@+,- in each segment");
  }
  for (std::string_view tree : {"/proc", "/sys", "/dev"}) {
    if (mount == tree || (mount.starts_with(tree) && mount[tree.size()] == '/')) {
      return forbidden("imitates a tree of the kernel");
    }
  }
  return {};
}

}  // namespace

std::string_view KindName(Kind kind) { return RowOf(kind).name; }
bool EnforceableNow(Kind kind) { return RowOf(kind).enforceable; }

std::optional<Kind> KindNamed(std::string_view name) {
  for (const KindRow& row : kKinds) {
    if (row.name == name) return row.kind;
  }
  return std::nullopt;
}

Result<Capability> Capability::Parse(std::string_view text) {
  if (text.size() > kCapabilityBytesMax) {
    return Fail(Code::kLimit, "a capability of " + std::to_string(text.size()) + " bytes is longer than " +
                                  std::to_string(kCapabilityBytesMax));
  }
  const Split parts = SplitAtColon(text);
  std::vector<std::string_view> prefixes;
  for (const KindRow& row : kKinds) {
    if (parts.word == row.prefix) return parts.colon ? ParseRest(row.kind, parts.rest) : ParseBare(row.kind);
    prefixes.push_back(row.prefix);
  }
  const std::string_view near = Nearest(parts.word, prefixes);
  return Fail(Code::kSyntax, "'" + Excerpt(text) + "' is not a capability",
              near.empty() ? "write a form such as fs:read:/data=workspace or env:NAME"
                           : "did you mean '" + std::string(near) + "'?");
}

std::string Capability::ToString() const {
  if (const HttpScope* scope = http()) return HttpText(*scope);
  if (const SocketScope* scope = socket()) return SocketText(*scope);
  if (const ExecScope* scope = exec()) return ExecText(*scope);
  if (const ClockScope* scope = clock()) {
    return scope->precision == ClockPrecision::kFine ? "clock:fine" : "clock:coarse";
  }
  if (const FilesScope* scope = files()) {
    std::string out = "fs:" + std::string(AccessName(scope->access)) + ":" + scope->mount + "=" + scope->root;
    if (!scope->below.empty()) out += "/" + scope->below;
    return out;
  }
  return NameText(kind_, *named());
}

std::string_view Capability::TextIn(std::span<char> room) const {
  const NameScope* scope = named();
  if (scope == nullptr) return {};
  std::size_t size = 0;
  bool fits = true;
  const auto add = [&](std::string_view text) {
    fits = fits && text.size() <= room.size() - size;
    if (!fits) return;
    std::ranges::copy(text, room.begin() + static_cast<std::ptrdiff_t>(size));
    size += text.size();
  };
  add(RowOf(kind_).prefix);
  for (const std::string* part : {&scope->action, &scope->name}) {
    if (part->empty()) continue;
    add(":");
    add(*part);
  }
  return fits ? std::string_view(room.data(), size) : std::string_view();
}

Result<Capability> MakeFiles(std::string_view mount, std::string_view from, Access access) {
  CORDON_TRY(CheckMount(mount));
  const auto fail = [&](Code code, std::string_view why) {
    return Fail(code, "'" + Excerpt(from) + "' " + std::string(why),
                "name a root that the operator maps, such as workspace or workspace/data");
  };
  if (from.empty()) return fail(Code::kMissing, "names no root");
  if (from.front() == '/') return fail(Code::kGrantForbidden, "is a path of the host, not the name of a root");
  if (from.find_first_of("~$") != std::string_view::npos) {
    return fail(Code::kGrantForbidden, "would be expanded to a path of the host");
  }
  switch (CheckSegments(from)) {
    case PathFault::kNone: break;
    case PathFault::kDots: return fail(Code::kGrantForbidden, "has a '.' or '..' segment");
    case PathFault::kTooLong: return fail(Code::kLimit, "is too long");
    case PathFault::kEmptySegment: return fail(Code::kSyntax, "has an empty segment");
    case PathFault::kCharacter: return fail(Code::kSyntax, "has a character that is not allowed");
  }
  const std::size_t slash = from.find('/');
  const std::string_view root = from.substr(0, slash);
  if (!IsLower(root.front()) || !IsSlug(root, "-")) {
    return fail(Code::kName, "does not begin with the name of a root ([a-z][a-z0-9-]*)");
  }
  const std::string_view below = slash == std::string_view::npos ? std::string_view() : from.substr(slash + 1);
  return CapabilityMaker::Make(Kind::kFiles,
                               FilesScope{access, std::string(mount), std::string(root), std::string(below)});
}

Result<Capability> MakeEnvironment(std::string_view name) {
  bool good = !name.empty() && name.size() <= 128 && !IsDigit(name.front());
  for (char c : name) good = good && (IsAlphanumeric(c) || c == '_');
  if (!good) return WrongName("a variable name", name, "a name such as GITHUB_TOKEN ([A-Za-z_][A-Za-z0-9_]*)");
  return MakeNamed(Kind::kEnvironment, "", name);
}

Result<Capability> MakeSecret(std::string_view name) {
  if (!IsSlug(name, "-_.")) return WrongName("the name of a secret", name, "a name such as api-key");
  return MakeNamed(Kind::kSecrets, "", name);
}

Result<Capability> MakeStorage(std::string_view bucket, Access access) {
  if (!IsSlug(bucket, "-_.")) return WrongName("the name of a bucket", bucket, "a name such as cache");
  return MakeNamed(Kind::kStorage, AccessName(access), bucket);
}

Result<Capability> MakeMemory(std::string_view access, std::string_view scope) {
  if (access != "recall" && access != "store" && access != "forget") {
    return WrongName("an access to memory", access, "recall, store or forget");
  }
  if (scope != "plugin" && scope != "session" && scope != "agent") {
    return WrongName("a scope of memory", scope, "plugin, session or agent");
  }
  return MakeNamed(Kind::kMemory, access, scope);
}

Result<Capability> MakeMessaging(std::string_view access, std::string_view channel) {
  if (access != "send" && access != "receive") return WrongName("an access to a channel", access, "send or receive");
  if (!IsSlug(channel, "-_.")) return WrongName("the name of a channel", channel, "a name such as alerts");
  return MakeNamed(Kind::kMessaging, access, channel);
}

Result<Capability> MakeCall(std::string_view target) {
  const std::size_t slash = target.find('/');
  const std::size_t hash = target.find('#');
  const std::string_view plugin = target.substr(0, hash);
  if (plugin.find('*') != std::string_view::npos) {
    return Fail(Code::kGrantTooWide, "'call:" + Excerpt(target) + "' would allow calls to any plugin",
                "name one plugin, such as call:acme/geocode#lookup");
  }
  const bool split = slash != std::string_view::npos && hash != std::string_view::npos && slash < hash;
  if (!split || !IsSlug(target.substr(0, slash), "-") || !IsSlug(target.substr(slash + 1, hash - slash - 1), "-") ||
      !(target.substr(hash + 1) == "*" || IsSlug(target.substr(hash + 1), "-_"))) {
    return WrongName("an action of a plugin", target, "namespace/name#action");
  }
  return MakeNamed(Kind::kCall, "", target);
}

Result<Capability> MakeCaller(std::string_view what) {
  if (what != "session" && what != "user" && what != "agent" && what != "project") {
    return WrongName("a part of the context", what, "session, user, agent or project");
  }
  return MakeNamed(Kind::kContext, "", what);
}

Result<Capability> MakeHostTarget(std::string_view name, std::string_view target) {
  if (name.empty() || !IsLower(name.front()) || !IsSlug(name, "-")) {
    return WrongName("the name of something that a host offers", name, "a name such as prices ([a-z][a-z0-9-]*)");
  }
  const std::size_t star = target.find('*');
  if (star != std::string_view::npos && star + 1 != target.size()) {
    return Fail(Code::kGrantTooWide, "'host:" + Excerpt(name) + ":" + Excerpt(target) + "' has a * before its end",
                "write one target, or a prefix such as host:prices:eu/*");
  }
  const bool printable = target.size() <= kTargetBytesMax &&
                         std::ranges::none_of(target, [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
  if (!printable) {
    return WrongName("a target", target, "printable ASCII without spaces, at most 512 characters");
  }
  return MakeNamed(Kind::kHost, name, target);
}

Result<Capability> MakeHost(std::string_view text) {
  const Split parts = SplitAtColon(text);
  if (parts.colon && parts.rest.empty()) {
    return Fail(Code::kSyntax, "'host:" + Excerpt(text) + "' names no target", "leave the last colon out");
  }
  return MakeHostTarget(parts.word, parts.rest);
}

Result<Capability> MakeInstance(std::string_view policy) {
  if (policy != "pooled" && policy != "resident") {
    return WrongName("a way to keep instances", policy, "instance:pooled or instance:resident");
  }
  return MakeNamed(Kind::kInstance, "", policy);
}

Capability MakeClock(ClockPrecision precision) { return CapabilityMaker::Make(Kind::kClock, ClockScope{precision}); }
Capability MakeConfig() { return CapabilityMaker::Make(Kind::kConfig, NameScope{}); }
Capability MakeRandom() { return CapabilityMaker::Make(Kind::kRandom, NameScope{}); }
Capability MakeStdio() { return CapabilityMaker::Make(Kind::kStdio, NameScope{}); }
Capability MakeLog() { return CapabilityMaker::Make(Kind::kLog, NameScope{}); }
Capability MakeArguments() { return CapabilityMaker::Make(Kind::kArguments, NameScope{}); }

}  // namespace cordon::policy
