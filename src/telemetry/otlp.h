// Sends spans to a collector: OTLP over HTTP, with the protobuf encoding. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/trace.h"
#include "cordon/result.h"

namespace cordon::telemetry {

struct OtlpOptions {
  std::string endpoint;  // "http://127.0.0.1:4318"; /v1/traces is added, as OpenTelemetry says. Empty: nowhere yet
  std::size_t queue_max = 2048;  // spans that wait; further ones are dropped
  std::size_t batch_max = 512;
  std::chrono::milliseconds delay{1000};     // from the first span of a batch to its sending
  std::chrono::milliseconds timeout{5000};   // of one request
  std::chrono::milliseconds farewell{1000};  // how long the end may take to send what is left
};

class OtlpExporter final : public SpanSink {
 public:
  // E_INVALID, E_UNENFORCEABLE of the endpoint. Starts no thread.
  static Result<std::shared_ptr<OtlpExporter>> Make(OtlpOptions options);
  // What Make and SendTo would say of it.
  static Status Check(const std::string& endpoint);
  // Sends what is left, within `farewell`.
  ~OtlpExporter() override;
  // From here on; what waits goes there too, or nowhere. E_INVALID, E_UNENFORCEABLE: nothing changed.
  Status SendTo(const std::string& endpoint);
  bool wanted() const noexcept override;
  void Take(Span span) noexcept override;
  Counts counts() const override;

 private:
  struct State;
  explicit OtlpExporter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cordon::telemetry
