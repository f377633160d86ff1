#include "runtime/network.h"

#include <algorithm>
#include <cstdlib>

#include "base/file.h"

namespace cordon::runtime {
namespace {

constexpr std::size_t kRootsBytesMax = 4 << 20;

Error NoValue(const manifest::EgressHeader& header) {
  return Error(Code::kInvalid, "the value of the header " + header.header + " is too long, or not printable ASCII");
}

Result<std::string> ValueOf(const manifest::EgressHeader& header) {
  std::string value;
  if (!header.variable.empty()) {
    const char* found = std::getenv(header.variable.c_str());
    if (found == nullptr) {
      return Fail(
          Code::kMissing,
          "the variable " + header.variable + ", which is the value of the header " + header.header + ", is not set",
          "set it, or name another in plugins.entries.*.egress of config.yaml");
    }
    value = found;
  } else {
    CORDON_ASSIGN(value, ReadFile(header.file, services::kHeaderValueBytesMax));
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
  }
  value = header.prefix + value;
  if (!services::IsHeaderValue(value)) return Fail(NoValue(header));
  return value;
}

// Looked at when the plugin is loaded, so that the operator is told before anything runs; each request reads it anew.
Status CheckSecret(const manifest::EgressHeader& header, const std::string& plugin, services::SecretSource& secrets) {
  CORDON_ASSIGN(const std::optional<SecretText> secret, secrets.Find(plugin, header.secret));
  if (!secret) {
    return Fail(Code::kMissing,
                "there is no secret '" + header.secret + "', which is the value of the header " + header.header +
                    " of " + plugin,
                "set it: cordon secret set " + header.secret);
  }
  if (!services::IsHeaderValue(header.prefix) || !services::IsHeaderValue(secret->reveal()) ||
      header.prefix.size() + secret->reveal().size() > services::kHeaderValueBytesMax) {
    return Fail(NoValue(header));
  }
  return {};
}

}  // namespace

Result<engine::NetworkOptions> NetworkOptionsOf(const manifest::NetworkConfig& config) {
  engine::NetworkOptions options;
  options.dns_servers = config.dns;
  options.connections = config.connections;
  options.keep_alive = config.keep_alive;
  for (const auto& file : config.roots) {
    CORDON_ASSIGN(std::string pem, ReadFile(file, kRootsBytesMax));
    options.extra_roots.push_back(std::move(pem));
  }
  return options;
}

Result<services::EgressOptions> EgressOptionsOf(const manifest::Config& config, const std::string& plugin,
                                                const std::shared_ptr<services::SecretSource>& secrets) {
  const manifest::NetworkConfig& network = config.network;
  services::EgressOptions options;
  options.limits = {
      .connect = network.connect,
      .first_byte = network.first_byte,
      .idle = network.idle,
      .total = network.total,
      .header_count = network.headers,
      .header_bytes = static_cast<std::uint32_t>(network.header_bytes.count),
      .request_bytes = network.request.count,
      .response_bytes = network.response.count,
  };
  options.private_blocks = network.private_blocks;
  options.secrets = secrets;
  const auto entry = config.entries.find(plugin);
  if (entry == config.entries.end()) return options;
  for (const manifest::EgressHeader& header : entry->second.egress) {
    if (!header.secret.empty()) {
      CORDON_TRY(CheckSecret(header, plugin, *secrets));
      options.headers.push_back({header.where, header.header, header.prefix, header.secret});
      continue;
    }
    CORDON_ASSIGN(std::string value, ValueOf(header));
    options.headers.push_back({header.where, header.header, std::move(value)});
  }
  return options;
}

}  // namespace cordon::runtime
