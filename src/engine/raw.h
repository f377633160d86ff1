// What the files of this room share: errors of the bridge as Error, views as the ABI's structures.
#pragma once

#include <bit>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "cordon_bridge.h"
#include "engine/engine.h"
#include "engine/network.h"

namespace cordon::engine {

inline cordon_str View(std::string_view text) { return {text.data(), text.size()}; }

// A span is a pointer and a length, in this order, and so are the bridge's bytes: pieces cross as they are. The
// standard does not say so; who makes an instance looks, at no cost where it holds.
using Piece = Pieces::value_type;
static_assert(sizeof(Piece) == sizeof(cordon_bytes) && alignof(Piece) == alignof(cordon_bytes));
inline bool PiecesCrossAsTheyAre() {
  const std::uint8_t byte = 0;
  const auto raw = std::bit_cast<cordon_bytes>(Piece(&byte, 1));
  return raw.data == &byte && raw.len == 1;
}
inline const cordon_bytes* BytesOf(Pieces pieces) { return reinterpret_cast<const cordon_bytes*>(pieces.data()); }
inline const Piece* PiecesOf(const cordon_bytes* bytes) { return reinterpret_cast<const Piece*>(bytes); }

// The Error of a failed call; takes `error` over.
Error TakeError(cordon_status status, cordon_error* error);

struct Linked::Raw {
  cordon_linked* linked;
};

struct Function::Raw {
  cordon_function* function;
  std::uint32_t number = 0;  // of a remote Linked
  ~Raw() { cordon_function_free(function); }
};

struct Engine::Raw {
  cordon_engine* engine;
};

struct Compiled::Raw {
  cordon_code* code;
};

// `channel` outlives the port; the bridge makes a reference of its own out of it.
cordon_port PortOf(const std::shared_ptr<HostChannel>& channel);

struct Network::Raw {
  cordon_network* network;
};

}  // namespace cordon::engine
