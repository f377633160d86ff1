#include "telemetry/otlp_message.h"

#include <protozero/pbf_writer.hpp>

#include "base/text.h"
#include "cordon/version.h"

namespace cordon::telemetry {
namespace {

using protozero::pbf_writer;

constexpr std::size_t kTextBytesMax = 1024;

// The numbers of fields are those of opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto.
void AddText(pbf_writer& parent, protozero::pbf_tag_type tag, const std::string& key, std::string_view value) {
  pbf_writer pair(parent, tag);
  pair.add_string(1, key);
  pbf_writer any(pair, 2);
  any.add_string(1, EscapeShort(value, kTextBytesMax));
}

void AddNumber(pbf_writer& parent, protozero::pbf_tag_type tag, const std::string& key, std::int64_t value) {
  pbf_writer pair(parent, tag);
  pair.add_string(1, key);
  pbf_writer any(pair, 2);
  any.add_int64(3, value);
}

std::uint64_t Nanos(std::chrono::system_clock::time_point time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

template <std::size_t N>
void AddBytes(pbf_writer& to, protozero::pbf_tag_type tag, const std::array<std::uint8_t, N>& bytes) {
  to.add_bytes(tag, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void AddSpan(pbf_writer& scope, const Span& span) {
  constexpr std::int32_t kKinds[] = {1, 2, 3};  // internal, server, client
  constexpr std::int32_t kError = 2;
  pbf_writer out(scope, 2);
  AddBytes(out, 1, span.place.trace);
  AddBytes(out, 2, span.place.span);
  if (span.parent != decltype(span.parent){}) AddBytes(out, 4, span.parent);
  out.add_string(5, EscapeShort(span.name, kTextBytesMax));
  out.add_enum(6, kKinds[static_cast<std::size_t>(span.kind)]);
  out.add_fixed64(7, Nanos(span.start));
  out.add_fixed64(8, Nanos(span.end));
  for (const auto& [key, value] : span.texts) AddText(out, 9, key, value);
  for (const auto& [key, value] : span.numbers) AddNumber(out, 9, key, value);
  if (!span.error.empty()) {
    AddText(out, 9, "error.type", span.error);
    pbf_writer status(out, 15);
    status.add_string(2, span.error);
    status.add_enum(3, kError);
  }
  out.add_fixed32(16, span.place.sampled ? 1 : 0);
}

}  // namespace

std::string ExportRequest(std::span<const Span> spans) {
  std::string bytes;
  pbf_writer request(bytes);
  pbf_writer resource_spans(request, 1);
  {
    pbf_writer resource(resource_spans, 1);
    AddText(resource, 1, "service.name", "cordon");
    AddText(resource, 1, "service.version", kHeaderVersion);
  }
  pbf_writer scope_spans(resource_spans, 2);
  {
    pbf_writer scope(scope_spans, 1);
    scope.add_string(1, "cordon");
    scope.add_string(2, std::string(kHeaderVersion));
  }
  for (const Span& span : spans) AddSpan(scope_spans, span);
  scope_spans.commit();
  resource_spans.commit();
  return bytes;
}

}  // namespace cordon::telemetry
