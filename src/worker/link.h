// Two rings of bytes in memory that host and worker share, with futexes to wait by: one each way. Frames cross it: a
// length, a type, a body. What is not read yet keeps the writer waiting, so neither side can make the other keep more
// than a ring.
//
// The other side may be hostile: every number in the shared memory is read once and checked, and a body is copied
// before anybody looks into it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "base/units.h"
#include "cordon/result.h"

namespace cordon::worker {

// A frame is refused whose body is longer than what its type may have (frames.h).
inline constexpr std::uint32_t kFrameBytesMax = 1u << 30;
inline constexpr std::uint32_t kRingBytes = 2u << 20;  // memory is used as far as a ring was ever filled

struct FrameHead {
  std::uint32_t bytes = 0;
  std::uint16_t type = 0;
  std::uint16_t zero = 0;
};

// One side. One thread at a time reads, one writes.
class Link {
 public:
  enum class Side : std::uint8_t { kHost, kWorker };
  // Asked before this side waits: how long to wait before it is asked again. An error ends the waiting with it. Empty:
  // for ever.
  using Watch = std::function<Result<Duration>()>;

  // The memory, as a memfd that can neither grow nor shrink. E_UNAVAILABLE.
  static Result<UniqueFd> Memory();
  static Result<std::unique_ptr<Link>> Open(int memory, Side side);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  using Pieces = std::span<const std::span<const std::uint8_t>>;
  // kLater: the other side need not see the frame before the next one that is kNow.
  enum class Flush : std::uint8_t { kNow, kLater };
  Status Send(std::uint16_t type, Pieces body, const Watch& watch, Flush flush = Flush::kNow);
  // Whether a frame with as large a body would be sent without waiting for the other side.
  bool Fits(std::size_t body_bytes) const;

  struct Frame {
    std::uint16_t type = 0;
    std::span<const std::uint8_t> body;  // until the next Receive
  };
  // `bytes_max` by type. E_WORKER_LOST for a frame that is longer, or rings that cannot be.
  using Bound = std::function<std::uint32_t(std::uint16_t type)>;
  Result<Frame> Receive(const Bound& bound, const Watch& watch);

  // Ends a waiting of this side early, so that its watch is asked. Thread-safe.
  void Nudge();

 private:
  struct Ring;
  struct Shared;
  Link() = default;
  Status Put(std::span<const std::uint8_t> bytes, const Watch& watch);
  Status Get(std::span<std::uint8_t> bytes, const Watch& watch, int spins);
  void Publish();
  bool ComesSoon(std::uint32_t seen, int spins) const;

  Shared* shared_ = nullptr;
  Ring* out_ = nullptr;
  Ring* in_ = nullptr;
  std::uint8_t* out_bytes_ = nullptr;
  const std::uint8_t* in_bytes_ = nullptr;
  // This side's own counts, which nobody else can change.
  std::uint32_t written_ = 0, read_ = 0;
  std::uint32_t published_ = 0;             // of what was written
  int spins_ = 0, spins_within_ = 0;        // looks before it waits: for a frame, and for the rest of one
  std::size_t step_ = 0;                    // bytes that are published at once
  std::atomic<std::size_t> asked_with_{0};  // bytes of the last frame that was sent
  std::vector<std::uint8_t> body_;
};

}  // namespace cordon::worker
