#include "base/message_codec.h"

#include "base/wire.h"

namespace cordon {
namespace {

// The first two bytes of a message: the version of this encoding, and what follows.
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kRequest = 1;
constexpr std::uint8_t kReply = 2;
constexpr std::size_t kMessageTextMax = 64 << 10;  // of the sentence in a trap

Status Fits(std::size_t size, std::size_t max, std::string_view what) {
  if (size <= max) return {};
  return Fail(Code::kLimit,
              std::string(what) + " of " + std::to_string(size) + " bytes is longer than " + std::to_string(max));
}

// Checks the first bytes; `kind` is what is expected.
Status ReadStart(wire::Reader& in, std::uint8_t kind) {
  const std::uint8_t version = in.U8();
  const std::uint8_t found = in.U8();
  if (in.ok() && (version != kVersion || found != kind)) {
    return Fail(Code::kInvalid, "not a message of version " + std::to_string(kVersion));
  }
  return {};
}

std::vector<std::uint8_t> ReadPayload(wire::Reader& in) {
  const auto bytes = in.Raw(in.Count(1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Result<std::vector<std::uint8_t>> EncodeRequest(const HostRequest& request) {
  CORDON_TRY(Fits(request.interface_name.size(), kMessageNameMax, "the name of an interface"));
  CORDON_TRY(Fits(request.function.size(), kMessageNameMax, "the name of a function"));
  CORDON_TRY(Fits(request.payload.size(), kMessagePayloadMax, "a payload"));
  std::vector<std::uint8_t> bytes;
  bytes.reserve(64 + request.interface_name.size() + request.function.size() + request.payload.size());
  wire::Writer out(bytes);
  out.U8(kVersion);
  out.U8(kRequest);
  out.U64(request.call_id);
  out.S64(request.deadline_ns);
  out.String(request.interface_name);
  out.String(request.function);
  out.Count(request.payload.size());
  out.Raw(request.payload);
  return bytes;
}

Result<OwnedRequest> DecodeRequest(std::span<const std::uint8_t> bytes) {
  wire::Reader in(bytes);
  CORDON_TRY(ReadStart(in, kRequest));
  OwnedRequest request;
  request.call_id = in.U64();
  request.deadline_ns = in.S64();
  const std::string_view interface_name = in.String();
  const std::string_view function = in.String();
  CORDON_TRY(Fits(interface_name.size(), kMessageNameMax, "the name of an interface"));
  CORDON_TRY(Fits(function.size(), kMessageNameMax, "the name of a function"));
  CORDON_TRY(Fits(in.remaining(), kMessagePayloadMax + 4, "a payload"));
  request.interface_name = std::string(interface_name);
  request.function = std::string(function);
  request.payload = ReadPayload(in);
  CORDON_TRY(in.Finish());
  return request;
}

Result<std::vector<std::uint8_t>> EncodeReply(const HostReply& reply) {
  CORDON_TRY(Fits(reply.payload.size(), kMessagePayloadMax, "a payload"));
  CORDON_TRY(Fits(reply.message.size(), kMessageTextMax, "the message of a trap"));
  std::vector<std::uint8_t> bytes;
  wire::Writer out(bytes);
  out.U8(kVersion);
  out.U8(kReply);
  out.U8(static_cast<std::uint8_t>(reply.outcome));
  out.U16(static_cast<std::uint16_t>(reply.code));
  out.String(reply.message);
  out.Count(reply.payload.size());
  out.Raw(reply.payload);
  return bytes;
}

Result<HostReply> DecodeReply(std::span<const std::uint8_t> bytes) {
  wire::Reader in(bytes);
  CORDON_TRY(ReadStart(in, kReply));
  HostReply reply;
  const std::uint8_t outcome = in.U8();
  const std::uint16_t code = in.U16();
  if (outcome > static_cast<std::uint8_t>(HostReply::Outcome::kTrap)) in.Fail(wire::Fault::kCase);
  if (code > static_cast<std::uint16_t>(kLastCode)) in.Fail(wire::Fault::kCase);
  const std::string_view message = in.String();
  CORDON_TRY(Fits(message.size(), kMessageTextMax, "the message of a trap"));
  CORDON_TRY(Fits(in.remaining(), kMessagePayloadMax + 4, "a payload"));
  reply.outcome = static_cast<HostReply::Outcome>(outcome);
  reply.code = static_cast<Code>(code);
  reply.message = std::string(message);
  reply.payload = ReadPayload(in);
  CORDON_TRY(in.Finish());
  return reply;
}

namespace {

Result<OwnedRequest> Through(const HostRequest& request) {
  CORDON_ASSIGN(const auto asked, EncodeRequest(request));
  return DecodeRequest(asked);
}

HostReply Through(const HostReply& reply) {
  const auto through = [&]() -> Result<HostReply> {
    CORDON_ASSIGN(const auto answered, EncodeReply(reply));
    return DecodeReply(answered);
  };
  Result<HostReply> decoded = through();
  return decoded ? std::move(*decoded) : TrapOf(std::move(decoded).error());
}

}  // namespace

HostReply TrapOf(Error error) {
  HostReply trap;
  trap.outcome = HostReply::Outcome::kTrap;
  trap.code = error.code;
  trap.message = std::move(error.message);
  return trap;
}

HostReply CodecChannel::Send(const HostRequest& request) {
  Result<OwnedRequest> decoded = Through(request);
  if (!decoded) return TrapOf(std::move(decoded).error());
  return Through(inner_.Send(decoded->Views()));
}

void CodecChannel::Begin(const HostRequest& request, Done done) {
  Result<OwnedRequest> decoded = Through(request);
  if (!decoded) return done(TrapOf(std::move(decoded).error()));
  inner_.Begin(decoded->Views(), [done = std::move(done)](const HostReply& reply) mutable { done(Through(reply)); });
}

}  // namespace cordon
