// Messages as bytes: what a process boundary between a guest and its services carries (docs/formats/wire.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/message.h"

namespace cordon {

// The largest payload of one message, and the longest name in it.
inline constexpr std::size_t kMessagePayloadMax = 16 << 20;
inline constexpr std::size_t kMessageNameMax = 1024;

// A request that owns its parts; Views() is valid while it lives unchanged.
struct OwnedRequest {
  std::uint64_t call_id = 0;
  std::string interface_name;
  std::string function;
  std::vector<std::uint8_t> payload;
  std::int64_t deadline_ns = 0;
  HostRequest Views() const { return {call_id, interface_name, function, payload, deadline_ns}; }
};

// The reply that ends a guest's call with an error.
HostReply TrapOf(Error error);

// E_LIMIT when a part is too big, E_INVALID when the bytes are not a message.
Result<std::vector<std::uint8_t>> EncodeRequest(const HostRequest& request);
Result<OwnedRequest> DecodeRequest(std::span<const std::uint8_t> bytes);
Result<std::vector<std::uint8_t>> EncodeReply(const HostReply& reply);
Result<HostReply> DecodeReply(std::span<const std::uint8_t> bytes);

// Sends every message through bytes, both ways: the same answers as without it, or the message was not one.
class CodecChannel final : public HostChannel {
 public:
  // `inner` must outlive the channel.
  explicit CodecChannel(HostChannel& inner) : inner_(inner) {}
  HostReply Send(const HostRequest& request) override;
  void Begin(const HostRequest& request, Done done) override;

 private:
  HostChannel& inner_;
};

}  // namespace cordon
