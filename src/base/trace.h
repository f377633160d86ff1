// W3C's trace context: which trace a call belongs to, and spans of it. Values.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cordon {

// A place in a trace: the trace, and a span in it. Neither is all zeros.
struct TraceParent {
  std::array<std::uint8_t, 16> trace{};
  std::array<std::uint8_t, 8> span{};
  bool sampled = false;

  // A `traceparent` header. Nothing for what is not one, as W3C asks: then a trace begins anew.
  static std::optional<TraceParent> Parse(std::string_view header);
  // A new trace, sampled.
  static TraceParent New();
  // Another span of the same trace.
  TraceParent Child() const;
  std::string Header() const;
  // "<32 hex>-<16 hex>", as the audit has it.
  std::string Text() const;
  friend bool operator==(const TraceParent&, const TraceParent&) = default;
};

// Something that took time, for whoever watches.
struct Span {
  enum class Kind : std::uint8_t { kInternal, kServer, kClient } kind = Kind::kInternal;
  TraceParent place;
  std::array<std::uint8_t, 8> parent{};  // zeros: it is the first of its trace
  std::string name;
  std::chrono::system_clock::time_point start, end;
  std::string error;  // its code; empty: it went well
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, std::int64_t>> numbers;
};

// Takes spans; must not wait, and may drop. Thread-safe.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  // Whether spans go anywhere by now; else they need not be made.
  virtual bool wanted() const noexcept { return true; }
  virtual void Take(Span span) noexcept = 0;
  // What was taken and what was dropped since it was made.
  struct Counts {
    std::uint64_t taken = 0, sent = 0, dropped = 0;
  };
  virtual Counts counts() const = 0;
};

}  // namespace cordon
