// A worker that was taken over: it may write anything into the memory that it shares with its host, counters and
// frames. The host's half of a call ends with a result or an error; it never reads outside, hangs, or keeps more than a
// bound. The input: how far the counter goes (u32), then what stands in the ring.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "worker/talk.h"

namespace {

using namespace cordon;

constexpr std::size_t kHead = 4096;  // the page of counters (link.cc)
constexpr std::size_t kMemory = kHead + 2 * std::size_t{worker::kRingBytes};
constexpr std::size_t kWrittenAt = 128;  // by the worker

void Require(bool holds) {
  if (!holds) std::abort();
}

class Sink final : public engine::ResultSink {
 public:
  void Take(engine::Pieces pieces) noexcept override {
    for (const auto& piece : pieces) bytes += piece.size();
    ++taken;
  }
  std::size_t bytes = 0;
  int taken = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int memory = worker::Link::Memory()->Release();
  static auto* const raw =
      static_cast<std::uint8_t*>(::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
  Require(raw != MAP_FAILED);
  if (size < 4) return 0;
  std::memset(raw, 0, kHead);
  const std::size_t fits = std::min<std::size_t>(size - 4, worker::kRingBytes);
  std::memcpy(raw + kHead + worker::kRingBytes, data + 4, fits);
  std::uint32_t written = 0;
  std::memcpy(&written, data, 4);
  // Mostly what is there, so that most inputs get past the counter.
  if (written % 8 != 0) written = static_cast<std::uint32_t>(fits);
  std::memcpy(raw + kWrittenAt, &written, sizeof written);

  auto link = std::move(*worker::Link::Open(memory, worker::Link::Side::kHost));
  const worker::TalkLimits limits = {64 << 10, 4 << 10};
  const worker::Link::Watch watch = []() -> Result<Duration> { return Fail(Code::kTimeout, "nothing more comes"); };
  Sink sink;
  const worker::Answerer answer = [](std::uint32_t, OwnedRequest asked) -> Status {
    Require(asked.payload.size() <= kMessagePayloadMax && asked.function.size() <= kMessageNameMax);
    return {};
  };
  const Result<worker::Done> done = worker::ReadCall(*link, limits, watch, answer, &sink);
  Require(sink.taken <= 1 && sink.bytes <= worker::FrameBound(limits, worker::kOutput));
  if (done) {
    Require(done->error.has_value() || sink.taken == 1);
  } else {
    Require(done.error().code == Code::kWorkerLost || done.error().code == Code::kTimeout);
  }
  return 0;
}
