// Spans as OpenTelemetry's ExportTraceServiceRequest. Pure.
#pragma once

#include <span>
#include <string>

#include "base/trace.h"

namespace cordon::telemetry {

// The bytes of opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.
std::string ExportRequest(std::span<const Span> spans);

}  // namespace cordon::telemetry
