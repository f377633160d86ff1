// Decides over sockets: which names may be looked up, and which addresses may be connected to, sent to and bound. The
// engine opens sockets and resolves names (bridge/engine, sockets.rs); this service says whether.
//
// Interface "cordon:host/sockets", not importable by guests. Payloads (docs/formats/wire.md):
//   lookup(name: string) -> bool
//   found(name: string, addresses: list<string>) -> list<u32>: the indices of those that the guest may see
//   use(use: SocketStep as u32, address: string, port: u16) -> bool
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/socket_use.h"
#include "policy/network.h"
#include "services/router.h"

namespace cordon::services {

// Thread-safe.
class SocketsService final : public HostService {
 public:
  // `guard` must outlive the service. `private_blocks`: what granted names may lead to, though it is not public.
  SocketsService(const Guard& guard, std::vector<policy::AddressBlock> private_blocks)
      : guard_(guard), private_blocks_(std::move(private_blocks)) {}
  std::string_view interface_name() const override { return kSocketsInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  bool Lookup(const Caller& caller, std::string_view name) const;
  std::vector<std::uint32_t> Found(const Caller& caller, std::string_view name,
                                   std::span<const std::string_view> addresses);
  bool Use(const Caller& caller, SocketStep step, std::string_view address, std::uint16_t port);
  bool Decide(const Caller& caller, std::string_view action, const std::string& host, std::uint16_t port);
  // What was granted by name, and led to `address`; else the address itself.
  policy::Capability Asked(std::string_view action, const std::string& host, std::uint16_t port) const;
  void Remember(std::string_view name, std::string_view address);

  const Guard& guard_;
  std::vector<policy::AddressBlock> private_blocks_;
  mutable std::mutex mutex_;                               // guards what follows
  std::deque<std::pair<std::string, std::string>> names_;  // name, address: as looked up, the latest last
  // What was allowed to the call that asked last: datagrams to one peer are one decision.
  std::uint64_t call_id_ = 0;
  std::set<std::tuple<std::string, std::string, std::uint16_t>> allowed_;
};

}  // namespace cordon::services
