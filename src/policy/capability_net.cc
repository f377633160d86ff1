// http and sockets: one parse of a host, and one comparison. An address has one spelling, or it is refused.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "policy/capability_grammar.h"
#include "policy/network.h"

namespace cordon::policy {
namespace {

constexpr std::array<std::string_view, 7> kMethods = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};

std::unexpected<Error> BadHost(std::string_view host, std::string_view why) {
  return Fail(Code::kSyntax, "host '" + Excerpt(host) + "' " + std::string(why),
              "write a name such as api.example.com, *.example.com, or an address such as 192.0.2.1 or [2001:db8::1]");
}

Status CheckLabels(std::string_view name, std::string_view shown) {
  if (name.empty() || name.size() > 253) return BadHost(shown, "is empty or too long");
  std::string_view rest = name;
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63) return BadHost(shown, "has an empty or too long label");
    if (label.front() == '-' || label.back() == '-') return BadHost(shown, "has a label that begins or ends with '-'");
    for (char c : label) {
      if (!IsLower(c) && !IsDigit(c) && c != '-') return BadHost(shown, "has a character that is not allowed");
    }
    if (dot == std::string_view::npos) {
      // A last label that is a number makes an address of the whole name, in one of its many spellings.
      const bool number = std::all_of(label.begin(), label.end(), IsDigit) || label.starts_with("0x");
      return number ? Status(BadHost(shown, "is an address in a spelling that is not canonical")) : Status();
    }
    rest.remove_prefix(dot + 1);
  }
}

Result<std::string> ParseBracketed(std::string_view host) {
  const std::string inside(host.substr(1, host.size() - 2));
  in6_addr address{};
  if (inside.size() > 45 || inet_pton(AF_INET6, inside.c_str(), &address) != 1) {
    return BadHost(host, "is not an IPv6 address");
  }
  if (IN6_IS_ADDR_V4MAPPED(&address) || IN6_IS_ADDR_V4COMPAT(&address)) {
    return BadHost(host, "is an IPv4 address in disguise");
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, &address, text.data(), text.size());
  return "[" + std::string(text.data()) + "]";
}

Result<std::string> ParseCidr(std::string_view host) {
  const auto block = AddressBlock::Parse(host);
  if (!block) return BadHost(host, "is not a block such as 10.0.0.0/8, with no bits set beyond its length");
  return std::string(host);
}

enum class Blocks : std::uint8_t { kAllowed, kRefused };

Result<std::string> ParseHost(std::string_view text, Blocks blocks) {
  if (text.find('\0') != text.npos) return BadHost(text, "has a NUL");
  std::string host(text);
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (host == "*") return host;
  if (host.find('*') != std::string::npos) {
    const std::string_view suffix = host.starts_with("*.") ? std::string_view(host).substr(2) : std::string_view();
    if (suffix.empty() || suffix.find('*') != std::string_view::npos) {
      return Fail(Code::kGrantTooWide, "host '" + Excerpt(text) + "' has a '*' that is not a whole first label",
                  "write one name, or *.example.com for every name below it");
    }
    CORDON_TRY(CheckLabels(suffix, text));
    return host;
  }
  if (host.find('/') != std::string::npos && blocks == Blocks::kAllowed) return ParseCidr(host);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') return ParseBracketed(host);
  in_addr address{};
  if (host.size() <= 15 && inet_pton(AF_INET, host.c_str(), &address) == 1) return host;
  CORDON_TRY(CheckLabels(host, text));
  return host;
}

Result<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto parsed = std::from_chars(begin, end, port);
  if (text.empty() || text.front() == '0' || parsed.ec != std::errc() || parsed.ptr != end || !IsDigit(text.front())) {
    return Fail(Code::kRange, "'" + Excerpt(text) + "' is not a port", "write a number from 1 to 65535, or 8000-8010");
  }
  return port;
}

Result<PortRange> ParsePorts(std::string_view text) {
  const std::size_t dash = text.find('-');
  CORDON_ASSIGN(const std::uint16_t first, ParsePort(text.substr(0, dash)));
  if (dash == std::string_view::npos) return PortRange{first, first};
  CORDON_ASSIGN(const std::uint16_t last, ParsePort(text.substr(dash + 1)));
  if (last < first) return Fail(Code::kRange, "'" + Excerpt(text) + "' ends before it begins");
  return PortRange{first, last};
}

std::string PortsText(PortRange ports) {
  const std::string first = std::to_string(ports.first);
  return ports.first == ports.last ? first : first + "-" + std::to_string(ports.last);
}

// `host[:ports]`; the colon of an IPv6 address is inside its brackets.
struct HostAndPorts {
  std::string_view host, ports;
};
HostAndPorts SplitPorts(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

Result<std::string> ParseUrlPath(std::string_view path) {
  const auto wrong = [&](std::string_view why) {
    return Fail(Code::kSyntax, "path '" + Excerpt(path) + "' " + std::string(why),
                "write an exact path, or a prefix such as /v1/*");
  };
  if (path.empty()) return wrong("is missing; for every path write /*");
  std::string_view body = path;
  if (body.ends_with("/*")) body.remove_suffix(1);
  for (char c : body) {
    if (!IsAlphanumeric(c) && std::string_view("._~!$&'()+@/-").find(c) == std::string_view::npos) {
      return wrong("has a character that is not allowed");
    }
  }
  std::string_view rest = body.substr(1);
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return wrong("is not normalised");
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return body.ends_with('/') ? std::string(body) + "*" : std::string(body);
}

std::uint16_t DefaultPort(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

}  // namespace

Result<Capability> MakeHttp(std::string_view url, std::span<const std::string> methods) {
  HttpScope scope;
  const std::size_t colon = url.find("://");
  scope.scheme = std::string(url.substr(0, colon == std::string_view::npos ? 0 : colon));
  if (scope.scheme != "http" && scope.scheme != "https") {
    return Fail(Code::kSyntax, "'" + Excerpt(url) + "' is not an http or https URL", "write https://HOST/PATH");
  }
  const std::string_view rest = url.substr(colon + 3);
  if (rest.find_first_of("@?#\\%") < rest.find('/')) {
    return Fail(Code::kSyntax, "'" + Excerpt(url) + "' has more than a host and a port before its path",
                "write https://HOST/PATH");
  }
  const std::size_t slash = rest.find('/');
  const HostAndPorts authority = SplitPorts(rest.substr(0, slash));
  CORDON_ASSIGN(scope.host, ParseHost(authority.host, Blocks::kRefused));
  scope.ports = {DefaultPort(scope.scheme), DefaultPort(scope.scheme)};
  if (authority.ports.data() != nullptr) {
    CORDON_ASSIGN(scope.ports, ParsePorts(authority.ports));
  }
  CORDON_ASSIGN(scope.path, ParseUrlPath(slash == std::string_view::npos ? std::string_view() : rest.substr(slash)));
  if (methods.empty()) return Fail(Code::kMissing, "'" + Excerpt(url) + "' names no method", "write methods: [GET]");
  for (const std::string& method : methods) {
    if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
      return Fail(Code::kName, "'" + Excerpt(method) + "' is not a method that can be granted",
                  "write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
    }
  }
  scope.methods.assign(methods.begin(), methods.end());
  std::sort(scope.methods.begin(), scope.methods.end());
  scope.methods.erase(std::unique(scope.methods.begin(), scope.methods.end()), scope.methods.end());
  return CapabilityMaker::Make(Kind::kHttp, std::move(scope));
}

Result<Capability> MakeHttpRequest(std::string_view method, std::string_view scheme, std::string_view host,
                                   std::uint16_t port, std::string_view path) {
  HttpScope scope;
  scope.methods = {std::string(method)};
  scope.scheme = std::string(scheme);
  if (host.find('*') != std::string_view::npos) return BadHost(host, "has a '*'");
  CORDON_ASSIGN(scope.host, ParseHost(host, Blocks::kRefused));
  scope.ports = {port, port};
  // A star that a guest writes is a star, not a prefix.
  for (char c : path) {
    if (c == '*') {
      scope.path += "%2A";
    } else {
      scope.path += c;
    }
  }
  return CapabilityMaker::Make(Kind::kHttp, std::move(scope));
}

Result<Capability> ParseHttp(std::string_view rest) {
  const std::size_t colon = rest.find(':');
  if (colon > 64) {  // absent too
    return Fail(Code::kSyntax, "'http:" + Excerpt(rest) + "' has no URL", "write http:GET:https://HOST/PATH");
  }
  std::vector<std::string> methods;
  std::string_view list = rest.substr(0, colon);
  while (true) {
    const std::size_t comma = list.find(',');
    methods.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return MakeHttp(rest.substr(colon + 1), methods);
}

std::string HttpText(const HttpScope& scope) {
  std::string text = "http:";
  for (const std::string& method : scope.methods) text += (text.back() == ':' ? "" : ",") + method;
  text += ":" + scope.scheme + "://" + scope.host;
  const std::uint16_t usual = DefaultPort(scope.scheme);
  if (scope.ports != PortRange{usual, usual}) text += ":" + PortsText(scope.ports);
  return text + scope.path;
}

Result<Capability> MakeSocket(std::string_view address, SocketUse use) {
  const std::size_t colon = address.find("://");
  const std::string_view scheme = address.substr(0, colon == std::string_view::npos ? 0 : colon);
  if (scheme != "tcp" && scheme != "udp") {
    return Fail(Code::kSyntax, "'" + Excerpt(address) + "' is not a tcp or udp address", "write tcp://HOST:PORT");
  }
  const HostAndPorts parts = SplitPorts(address.substr(colon + 3));
  if (parts.ports.data() == nullptr) {
    return Fail(Code::kMissing, "'" + Excerpt(address) + "' names no port", "write tcp://HOST:PORT");
  }
  SocketScope scope;
  scope.action = (use == SocketUse::kListen ? "listen-" : "") + std::string(scheme);
  CORDON_ASSIGN(scope.host, ParseHost(parts.host, Blocks::kAllowed));
  CORDON_ASSIGN(scope.ports, ParsePorts(parts.ports));
  return CapabilityMaker::Make(Kind::kSockets, std::move(scope));
}

Result<Capability> ParseSocket(std::string_view rest) {
  const std::size_t colon = rest.find(':');
  std::string_view action = rest.substr(0, colon);
  const SocketUse use = action.starts_with("listen-") ? SocketUse::kListen : SocketUse::kConnect;
  if (use == SocketUse::kListen) action.remove_prefix(7);
  if (colon == std::string_view::npos) {
    return Fail(Code::kSyntax, "'net:" + Excerpt(rest) + "' has no host", "write net:tcp:HOST:PORT");
  }
  return MakeSocket(std::string(action) + "://" + std::string(rest.substr(colon + 1)), use);
}

std::string SocketText(const SocketScope& scope) {
  return "net:" + scope.action + ":" + scope.host + ":" + PortsText(scope.ports);
}

std::string IntersectHosts(const std::string& a, const std::string& b) {
  if (a == b || b == "*") return a;
  if (a == "*") return b;
  const auto inside = [](const std::string& wide, const std::string& one) {
    if (wide.starts_with("*.")) return one.size() > wide.size() - 1 && one.ends_with(std::string_view(wide).substr(1));
    const auto block = AddressBlock::Parse(wide);
    const auto other = AddressBlock::Parse(one);
    return block && other && block->Holds(*other);
  };
  if (inside(a, b)) return b;
  if (inside(b, a)) return a;
  return {};
}

}  // namespace cordon::policy
