// What host and worker say to each other (docs/formats/worker.md): the types of frames and the encoding of their
// bodies. Everything is decoded strictly and within bounds, on both sides. Pure; fuzzed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/wire.h"
#include "engine/engine.h"

namespace cordon::worker {

// Both sides are of one build; this catches an installation that is not.
inline constexpr std::uint32_t kVersion = 1;

enum FrameType : std::uint16_t {
  // Host to worker.
  kFind = 1,
  kOnce,    // a call in a fresh instance
  kCreate,  // an instance that is kept
  kCall,    // in the instance that is kept
  kDrop,    // lets go of it
  kReply,   // to kAsk
  // Worker to host.
  kReady = 64,  // the first: an error, or how it is confined
  kFound,       // the answer to kFind
  kAsk,         // of the guest, to be answered while the call goes on
  kOutput,      // what a call gives; it may fail yet
  kDone,        // the answer to kOnce, kCreate, kCall, after kOutput
};

// Inherited by a worker, in this order; then the codes, then the folders.
inline constexpr int kDoorFd = 3;    // a socket: descriptors of streams come this way
inline constexpr int kMemoryFd = 4;  // the link
inline constexpr int kSetUpFd = 5;   // a sealed memfd with a SetUp
inline constexpr int kFirstCodeFd = 6;

// How one worker is set up.
struct SetUp {
  engine::EngineOptions engine;
  engine::LinkSpec link;
  std::vector<std::string> libraries;  // names; their code is on the descriptors after the main one's
  std::uint32_t folders = 0;           // descriptors after these
};
void Encode(wire::Writer& out, const SetUp& set_up);
Result<SetUp> DecodeSetUp(std::span<const std::uint8_t> body);

struct CallHead {
  std::uint64_t call_id = 0;
  std::uint32_t function = 0;
  engine::CallLimits limits;
};
void Encode(wire::Writer& out, const CallHead& head);
CallHead DecodeCallHead(wire::Reader& in);

// `folder_of` gives a number for a descriptor. Streams are said to follow by the door.
void Encode(wire::Writer& out, const engine::InstanceOptions& options, std::span<const int> folders);
// Preopens come with the descriptors of `folders`. What is not made of numbers is left to the caller, who is told.
struct WhatFollows {
  bool streams = false;  // by the door, those that are said
  bool in = false, out = false, err = false;
  bool network = false;
};
Result<engine::InstanceOptions> DecodeOptions(wire::Reader& in, std::span<const int> folders, WhatFollows& follow);

void Encode(wire::Writer& out, const Error& error);
Error DecodeError(wire::Reader& in);

// What a call left, beside its output.
struct Done {
  std::optional<Error> error;
  bool poisoned = false;
  engine::Usage usage;
  std::string out, err;
};
void Encode(wire::Writer& out, const Done& done);
Result<Done> DecodeDone(wire::Reader& in);

}  // namespace cordon::worker
