// The bench guest's functions as an embedder calls them: through the public API, with the C++ types that
// `cordon bindgen --host cpp tests/guests/bench/wit` writes into guest_types.h (bindgen.bench_is_current).
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/host.h"
#include "guest_types.h"

namespace cordon::bench {

// A plugin for Extism: bytes in, bytes or its own error out.
struct ExtismError {
  std::int32_t code = 0;
  std::string message;
};

}  // namespace cordon::bench

CORDON_RECORD(cordon::bench::ExtismError, code, message);

namespace cordon::bench {

using calls::Entry;
using calls::Level;
using calls::Message;

// The values that both sides pass (raw/src/calls.rs has the same).
std::string SampleText(std::size_t bytes);
std::vector<std::uint8_t> SampleBytes(std::size_t bytes);
Message SampleMessage();
Entry SampleEntry();
std::string SampleEntryJson();  // the parameters of echo-record

using Add = TypedFunction<std::int32_t(std::int32_t, std::int32_t)>;

using ExtismBytes = std::vector<std::uint8_t>;
using ExtismSignature = std::expected<ExtismBytes, ExtismError>(std::span<const std::uint8_t>);
using ExtismCall = TypedFunction<ExtismSignature>;

// A warm instance and its functions.
struct GuestCalls {
  static Result<GuestCalls> Open(const Plugin& plugin);

  Instance instance;
  calls::Calls functions;
};

}  // namespace cordon::bench
