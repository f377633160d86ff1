#include "engine/network.h"

#include "engine/raw.h"

namespace cordon::engine {

Result<std::shared_ptr<const Network>> Network::Create(const NetworkOptions& options) {
  std::vector<cordon_str> servers;
  for (const std::string& server : options.dns_servers) servers.push_back(View(server));
  std::vector<cordon_bytes> roots;
  for (const std::string& pem : options.extra_roots) {
    roots.push_back({reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()});
  }
  const cordon_network_options raw_options = {
      .size = sizeof(cordon_network_options),
      .dns_servers = servers.data(),
      .dns_servers_len = servers.size(),
      .extra_roots = roots.data(),
      .extra_roots_len = roots.size(),
      .system_roots = true,
      .connections = options.connections,
      .keep_alive_ns = static_cast<std::uint64_t>(options.keep_alive.count()),
  };
  cordon_network* made = nullptr;
  cordon_error* error = nullptr;
  const cordon_status status = cordon_network_new(&raw_options, &made, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  std::shared_ptr<Network> network(new Network);
  network->raw_ = new Raw{made};
  return network;
}

Network::~Network() {
  if (raw_ == nullptr) return;
  cordon_network_free(raw_->network);
  delete raw_;
}

}  // namespace cordon::engine
