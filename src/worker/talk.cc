#include "worker/talk.h"

#include <algorithm>
#include <string>

namespace cordon::worker {
namespace {

constexpr std::uint32_t kSmallFrame = 1u << 20;

}  // namespace

Error BrokenRule(std::string_view what) {
  return Error(Code::kWorkerLost, "the worker broke the rules of its link: " + std::string(what),
               "look at the audit; if the plugin is not hostile, report this")
      .With("reason", "protocol");
}

std::uint32_t FrameBound(const TalkLimits& limits, std::uint16_t type) {
  const auto most = [](std::uint64_t bytes) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, kFrameBytesMax));
  };
  switch (type) {
    case kReady:
    case kFound: return kSmallFrame;
    // The engine's limit counts what lies in the guest's memory; the wire format is never longer by more than this.
    case kAsk: return most(std::min<std::uint64_t>(2 * limits.output_bytes, kMessagePayloadMax) + kSmallFrame);
    case kOutput: return most(2 * limits.output_bytes + kSmallFrame);
    case kDone: return most(2 * limits.stream_bytes + kSmallFrame);
    default: return 0;
  }
}

Result<Done> ReadCall(Link& link, const TalkLimits& limits, const Link::Watch& watch, const Answerer& answer,
                      engine::ResultSink* sink) {
  const auto bound = [&limits](std::uint16_t type) { return FrameBound(limits, type); };
  bool has_output = false;
  while (true) {
    CORDON_ASSIGN(const Link::Frame frame, link.Receive(bound, watch));
    switch (frame.type) {
      case kAsk: {
        wire::Reader in(frame.body);
        const std::uint32_t number = in.U32();
        Result<OwnedRequest> asked = DecodeRequest(in.Raw(in.remaining()));
        if (!asked) return Fail(BrokenRule("a question that is none: " + asked.error().message));
        CORDON_TRY(answer(number, std::move(*asked)));
        break;
      }
      case kOutput: {
        if (has_output || sink == nullptr) return Fail(BrokenRule("it gave two results"));
        has_output = true;
        const std::span<const std::uint8_t> piece = frame.body;
        sink->Take(engine::Pieces(&piece, 1));
        break;
      }
      case kDone: {
        wire::Reader in(frame.body);
        Result<Done> done = DecodeDone(in);
        if (!done || !in.Finish()) return Fail(BrokenRule("a result that is none"));
        if (!done->error && sink != nullptr && !has_output) return Fail(BrokenRule("it gave no result"));
        return done;
      }
      default: return Fail(BrokenRule("a frame of type " + std::to_string(frame.type) + " out of its turn"));
    }
  }
}

}  // namespace cordon::worker
