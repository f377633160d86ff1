// Messages between plugins and the host, by channels: cordon:messaging as the host sees it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cordon {

// Each goes to one receiver, at least once.
struct Message {
  std::string id;
  std::string sender;         // the plugin, as the host stamped it; empty: the host itself
  std::uint64_t sent_ms = 0;  // since 1970, UTC
  std::uint32_t attempt = 0;  // 1 the first time; more: it may have been worked on before
  std::vector<std::uint8_t> body;
};

// What Host::Relay did.
struct Relayed {
  std::uint64_t sent = 0, failed = 0;  // to where the channel leads; what failed is tried again, until it is set aside
  std::uint64_t heard = 0;             // from there, and put into the channel's `NAME.in`
};

}  // namespace cordon
