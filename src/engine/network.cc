#include "engine/network.h"

#include <new>

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

Result<std::shared_ptr<const Network>> Network::Through(std::shared_ptr<HostChannel> channel) {
  const cordon_port port = PortOf(channel);
  cordon_network* made = nullptr;
  cordon_error* error = nullptr;
  const cordon_status status = cordon_network_far(&port, &made, &error);
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

struct Ways::Raw {
  cordon_ways* ways;
};

namespace {

void Append(void* user, const std::uint8_t* data, std::size_t size) noexcept {
  try {
    static_cast<std::vector<std::uint8_t>*>(user)->assign(data, data + size);
  } catch (const std::bad_alloc&) {}  // an empty answer is none
}

}  // namespace

Result<std::shared_ptr<Ways>> Ways::Create(std::shared_ptr<const Network> network) {
  cordon_ways* made = nullptr;
  cordon_error* error = nullptr;
  const cordon_status status = cordon_ways_new(network->raw()->network, &made, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  std::shared_ptr<Ways> ways(new Ways);
  ways->network_ = std::move(network);
  ways->raw_ = new Raw{made};
  return ways;
}

Ways::~Ways() {
  if (raw_ == nullptr) return;
  cordon_ways_free(raw_->ways);
  delete raw_;
}

HostReply Ways::Answer(std::uint64_t call, const HostRequest& request, const std::shared_ptr<HostChannel>& channel) {
  const cordon_port port = PortOf(channel);
  HostReply reply;
  const cordon_writer writer = {&reply.payload, Append};
  if (cordon_ways_answer(raw_->ways, &port, call, request.call_id, View(request.function),
                         {request.payload.data(), request.payload.size()}, &writer)) {
    return reply;
  }
  reply.outcome = HostReply::Outcome::kTrap;
  reply.code = Code::kInvalid;
  reply.message = "not a message of a request";
  return reply;
}

void Ways::End(std::uint64_t call) { cordon_ways_end(raw_->ways, call); }

}  // namespace cordon::engine
