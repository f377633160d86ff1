// The host's half of a call, as frames: reads what the worker says until it is done. The worker is hostile here:
// whatever it sends ends in a result, or in an error and nothing else. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/message_codec.h"
#include "engine/engine.h"
#include "worker/frames.h"
#include "worker/link.h"

namespace cordon::worker {

struct TalkLimits {
  std::uint64_t output_bytes = 8ull << 20;  // of one result
  std::uint64_t stream_bytes = 64u << 10;   // kept of stdout, and of stderr
};

// A worker did what no worker of ours does: E_WORKER_LOST, detail "reason" is "protocol".
Error BrokenRule(std::string_view what);

// How long a frame of a type may be that comes from a worker; 0: there is none.
std::uint32_t FrameBound(const TalkLimits& limits, std::uint16_t type);

// Answers a question of the guest, now or later, under its number.
using Answerer = std::function<Status(std::uint32_t number, OwnedRequest asked)>;

// Until the worker is done. `sink` may be null: then no result is expected. What `answer` fails with ends it.
Result<Done> ReadCall(Link& link, const TalkLimits& limits, const Link::Watch& watch, const Answerer& answer,
                      engine::ResultSink* sink);

}  // namespace cordon::worker
