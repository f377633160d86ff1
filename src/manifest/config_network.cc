#include "manifest/config_network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "manifest/keys.h"

namespace cordon::manifest {
namespace {

using yaml::Node;

constexpr Bytes kHeaderBytesMax = MiB(1);
constexpr std::string_view kMethods[] = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};

// "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53" with its port.
std::optional<std::string> ParseServer(std::string_view text) {
  std::string_view address = text, port = "53";
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    address = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty()) port = rest.starts_with(':') ? rest.substr(1) : std::string_view();
  } else if (std::ranges::count(text, ':') == 1) {
    address = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
  }
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || number == 0) {
    return std::nullopt;
  }
  const std::string terminated(address.substr(0, 64));
  unsigned char bytes[16];
  if (inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return terminated + ":" + std::to_string(number);
  if (inet_pton(AF_INET6, terminated.c_str(), bytes) == 1) return "[" + terminated + "]:" + std::to_string(number);
  return std::nullopt;
}

void ReadServers(Findings& findings, const Node* node, std::vector<std::string>& out) {
  for (const Node& item : ItemsOf(findings, node, "plugins.network.dns", 8)) {
    const auto text = ReadText(findings, item, "plugins.network.dns");
    if (!text) continue;
    if (auto server = ParseServer(*text)) {
      out.push_back(std::move(*server));
    } else {
      findings.At(item, Code::kSyntax, "'" + EscapeShort(*text, 80) + "' is not the address of a name server",
                  "write 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53");
    }
  }
}

void ReadBlocks(Findings& findings, const Node* node, std::vector<policy::AddressBlock>& out) {
  for (const Node& item : ItemsOf(findings, node, "plugins.network.private", 64)) {
    const auto text = ReadText(findings, item, "plugins.network.private");
    if (!text) continue;
    if (const auto block = policy::AddressBlock::Parse(*text)) {
      out.push_back(*block);
    } else {
      findings.At(item, Code::kSyntax, "'" + EscapeShort(*text, 80) + "' is not a block of addresses",
                  "write 10.0.0.0/8 or fd00::/8, with no bits set beyond the length");
    }
  }
}

void ReadFiles(Findings& findings, const Environment& environment, const Node* node, std::string_view name,
               std::vector<std::filesystem::path>& out) {
  for (const Node& item : ItemsOf(findings, node, name, 16)) {
    const auto text = ReadText(findings, item, name);
    if (!text) continue;
    Result<std::filesystem::path> path = ExpandPath(*text, environment);
    if (path) {
      out.push_back(std::move(*path));
    } else {
      findings.AddAt(item, std::move(path).error());
    }
  }
}

bool IsHeaderName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

class EgressReader {
 public:
  EgressReader(Findings& findings, const Environment& environment, const Node& node, std::string path)
      : findings_(findings),
        environment_(environment),
        node_(node),
        path_(std::move(path)),
        fields_(findings, &node, path_, KeysAt(ConfigKeys(), "plugins.entries.*.egress[]")) {}

  std::optional<EgressHeader> Read() {
    const auto where = Where();
    const std::string header = fields_.Text("header").value_or("");
    if (!IsHeaderName(header)) Wrong("'" + EscapeShort(header, 80) + "' is not the name of a header", "header: …");
    EgressHeader out{where.value_or(policy::MakeLog()), header, fields_.Text("prefix").value_or(""), {}, {}, {}};
    out.variable = fields_.Text("variable").value_or("");
    if (const auto file = fields_.Text("file")) {
      Result<std::filesystem::path> path = ExpandPath(*file, environment_);
      if (!path) {
        findings_.AddAt(node_, std::move(path).error());
        return std::nullopt;
      }
      out.file = std::move(*path);
    }
    if (const auto secret = fields_.Text("secret")) {
      const auto capability = policy::MakeSecret(*secret);
      if (!capability) Wrong("'" + EscapeShort(*secret, 80) + "' is not the name of a secret", "secret: NAME");
      out.secret = *secret;
    }
    if (!out.variable.empty() + !out.file.empty() + !out.secret.empty() != 1) {
      Wrong("'" + path_ + "' must say where the value is, once", "write secret: NAME, variable: NAME or file: /PATH");
    }
    if (!where || !is_right_) return std::nullopt;
    return out;
  }

 private:
  std::optional<policy::Capability> Where() {
    const Node* to = fields_.Require("to", "write to: https://HOST/*");
    if (to == nullptr) return std::nullopt;
    const auto url = ReadText(findings_, *to, path_ + ".to");
    if (!url) return std::nullopt;
    std::vector<std::string> methods;
    for (const Node& item : ItemsOf(findings_, fields_.Get("methods"), path_ + ".methods", 7)) {
      if (auto method = ReadText(findings_, item, path_ + ".methods")) methods.push_back(std::move(*method));
    }
    if (methods.empty()) methods.assign(std::begin(kMethods), std::end(kMethods));
    auto capability = policy::MakeHttp(*url, methods);
    if (capability) return std::move(*capability);
    findings_.AddAt(*to, std::move(capability).error());
    return std::nullopt;
  }

  void Wrong(std::string message, std::string remedy) {
    findings_.At(node_, Code::kInvalid, std::move(message), std::move(remedy));
    is_right_ = false;
  }

  Findings& findings_;
  const Environment& environment_;
  const Node& node_;
  std::string path_;
  Fields fields_;
  bool is_right_ = true;
};

}  // namespace

void ReadNetwork(Findings& findings, const Environment& environment, const Node* section, NetworkConfig& out) {
  const Fields fields(findings, section, "plugins.network", KeysAt(ConfigKeys(), "plugins.network"));
  ReadServers(findings, fields.Get("dns"), out.dns);
  ReadFiles(findings, environment, fields.Get("roots"), "plugins.network.roots", out.roots);
  ReadBlocks(findings, fields.Get("private"), out.private_blocks);
  const auto count = [&](std::string_view key, std::uint32_t& to) {
    const Node* node = fields.Get(key);
    if (node == nullptr) return;
    if (const auto value = ReadCount(findings, *node, fields.NameOf(key), {1, 1000})) {
      to = static_cast<std::uint32_t>(*value);
    }
  };
  const auto duration = [&](std::string_view key, Duration& to) {
    const Node* node = fields.Get(key);
    if (node == nullptr) return;
    if (const auto value = ReadDuration(findings, *node, fields.NameOf(key))) to = *value;
  };
  const auto bytes = [&](std::string_view key, Bytes& to) {
    const Node* node = fields.Get(key);
    if (node == nullptr) return;
    if (const auto value = ReadBytes(findings, *node, fields.NameOf(key))) to = *value;
  };
  count("connections", out.connections);
  count("headers", out.headers);
  duration("keep_alive", out.keep_alive);
  duration("connect", out.connect);
  duration("first_byte", out.first_byte);
  duration("idle", out.idle);
  duration("total", out.total);
  bytes("header_bytes", out.header_bytes);
  bytes("request", out.request);
  bytes("response", out.response);
  if (out.header_bytes > kHeaderBytesMax) {
    findings.At(*fields.Get("header_bytes"), Code::kRange, "'plugins.network.header_bytes' is above 1MiB");
  }
}

void ReadEgress(Findings& findings, const Environment& environment, const Node* section, const std::string& path,
                std::vector<EgressHeader>& out) {
  for (const Node& item : ItemsOf(findings, section, path, 32)) {
    if (auto header = EgressReader(findings, environment, item, path).Read()) out.push_back(std::move(*header));
  }
}

}  // namespace cordon::manifest
