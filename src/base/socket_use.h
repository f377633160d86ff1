// What a guest is about to do with a socket, as the engine asks the host (docs/formats/wire.md): interface
// "cordon:host/sockets", function "use".
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/wire.h"

namespace cordon {

inline constexpr std::string_view kSocketsInterface = "cordon:host/sockets";
inline constexpr std::string_view kSocketUse = "use";

// As wasmtime-wasi has them.
enum class SocketStep : std::uint32_t {
  kTcpBind = 0,
  kTcpListen,
  kTcpAccept,
  kTcpConnect,
  kUdpBind,
  kUdpSend,
  kUdpReceive,
};
inline constexpr std::uint32_t kSocketStepCount = 7;

struct SocketUse {
  SocketStep step{};
  std::string_view address;  // in what was decoded
  std::uint16_t port = 0;
};

// E_INVALID for what is none.
inline Result<SocketUse> DecodeSocketUse(std::span<const std::uint8_t> payload) {
  wire::Reader in(payload);
  SocketUse use;
  use.step = static_cast<SocketStep>(in.Case(kSocketStepCount));
  use.address = in.String();
  use.port = in.U16();
  CORDON_TRY(in.Finish());
  // What reads addresses stops at a NUL, what compares names does not.
  if (use.address.find('\0') != use.address.npos) return Fail(Code::kInvalid, "an address with a NUL");
  return use;
}

}  // namespace cordon
