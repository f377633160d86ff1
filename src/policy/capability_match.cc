// Intersect and Covers: the algebra under everything else. Whatever is not known to be common is not common.
#include <algorithm>

#include "policy/capability.h"
#include "policy/capability_grammar.h"
#include "policy/exec_match.h"

namespace cordon::policy {
namespace {

// The deeper of two paths when one is the other or above it.
const std::string* Deeper(const std::string& a, const std::string& b) {
  const std::string& shorter = a.size() <= b.size() ? a : b;
  const std::string& longer = a.size() <= b.size() ? b : a;
  const bool beneath =
      shorter.empty() || shorter == longer || (longer.starts_with(shorter) && longer[shorter.size()] == '/');
  return beneath ? &longer : nullptr;
}

std::optional<Scope> Common(const FilesScope& a, const FilesScope& b) {
  if (a.mount != b.mount || a.root != b.root) return std::nullopt;
  const std::string* below = Deeper(a.below, b.below);
  if (below == nullptr) return std::nullopt;
  return FilesScope{std::min(a.access, b.access), a.mount, a.root, *below};
}

std::optional<PortRange> CommonPorts(PortRange a, PortRange b) {
  const PortRange both{std::max(a.first, b.first), std::min(a.last, b.last)};
  if (both.first > both.last) return std::nullopt;
  return both;
}

// "/v1/*" and "/v1/users" → "/v1/users".
std::optional<std::string> CommonPath(const std::string& a, const std::string& b) {
  if (a == b) return a;
  const auto prefix = [](const std::string& path) -> std::optional<std::string_view> {
    if (!path.ends_with("/*")) return std::nullopt;
    return std::string_view(path).substr(0, path.size() - 1);
  };
  if (const auto outer = prefix(a); outer && b.starts_with(*outer)) return b;
  if (const auto outer = prefix(b); outer && a.starts_with(*outer)) return a;
  return std::nullopt;
}

std::optional<Scope> Common(const HttpScope& a, const HttpScope& b) {
  if (a.scheme != b.scheme) return std::nullopt;
  HttpScope both;
  both.scheme = a.scheme;
  std::set_intersection(a.methods.begin(), a.methods.end(), b.methods.begin(), b.methods.end(),
                        std::back_inserter(both.methods));
  both.host = IntersectHosts(a.host, b.host);
  const auto ports = CommonPorts(a.ports, b.ports);
  const auto path = CommonPath(a.path, b.path);
  if (both.methods.empty() || both.host.empty() || !ports || !path) return std::nullopt;
  both.ports = *ports;
  both.path = *path;
  return both;
}

std::optional<Scope> Common(const SocketScope& a, const SocketScope& b) {
  if (a.action != b.action) return std::nullopt;
  SocketScope both{a.action, IntersectHosts(a.host, b.host), {}};
  const auto ports = CommonPorts(a.ports, b.ports);
  if (both.host.empty() || !ports) return std::nullopt;
  both.ports = *ports;
  return both;
}

std::optional<Scope> Common(const ExecScope& a, const ExecScope& b) {
  auto both = CommonExec(a, b);
  if (!both) return std::nullopt;
  return std::move(*both);
}

std::optional<Scope> Common(const ClockScope& a, const ClockScope& b) {
  return ClockScope{std::min(a.precision, b.precision)};
}

// "acme/geo#*" of "acme/geo#lookup".
bool CallsCover(const std::string& wide, const std::string& one) {
  return wide.ends_with("#*") && one.starts_with(std::string_view(wide).substr(0, wide.size() - 1));
}

// "" of every target, "eu/*" of "eu/x".
bool TargetsCover(const std::string& wide, const std::string& one) {
  return wide.empty() || (wide.ends_with('*') && one.starts_with(std::string_view(wide).substr(0, wide.size() - 1)));
}

// Whether CommonNames gives `b`, without making it.
bool NamesCover(Kind kind, const NameScope& a, const NameScope& b) {
  if (a == b) return true;
  if (kind == Kind::kStorage) return a.name == b.name && b.action == "read";
  if (kind == Kind::kCall) return CallsCover(a.name, b.name);
  return kind == Kind::kHost && a.action == b.action && TargetsCover(a.name, b.name);
}

std::optional<Scope> CommonNames(Kind kind, const NameScope& a, const NameScope& b) {
  if (a == b) return a;
  if (kind == Kind::kStorage && a.name == b.name) return NameScope{"read", a.name};
  if (kind == Kind::kCall) {
    if (CallsCover(a.name, b.name)) return b;
    if (CallsCover(b.name, a.name)) return a;
  }
  if (kind == Kind::kHost && a.action == b.action) {
    if (TargetsCover(a.name, b.name)) return b;
    if (TargetsCover(b.name, a.name)) return a;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Capability> Intersect(const Capability& a, const Capability& b) {
  if (a.kind() != b.kind()) return std::nullopt;
  std::optional<Scope> both;
  if (a.files() != nullptr) {
    both = Common(*a.files(), *b.files());
  } else if (a.http() != nullptr) {
    both = Common(*a.http(), *b.http());
  } else if (a.socket() != nullptr) {
    both = Common(*a.socket(), *b.socket());
  } else if (a.exec() != nullptr) {
    both = Common(*a.exec(), *b.exec());
  } else if (a.clock() != nullptr) {
    both = Common(*a.clock(), *b.clock());
  } else {
    both = CommonNames(a.kind(), *a.named(), *b.named());
  }
  if (!both) return std::nullopt;
  return CapabilityMaker::Make(a.kind(), std::move(*both));
}

// The answer of Intersect, and for what guests ask most without its memory.
bool Capability::Covers(const Capability& other) const {
  if (kind() != other.kind()) return false;
  if (const FilesScope* a = files()) {
    const FilesScope& b = *other.files();
    return a->mount == b.mount && a->root == b.root && a->access >= b.access && Deeper(a->below, b.below) != nullptr &&
           a->below.size() <= b.below.size();
  }
  if (const NameScope* a = named()) return NamesCover(kind(), *a, *other.named());
  return Intersect(*this, other) == other;
}

}  // namespace cordon::policy
