// SHA-256 and the text form of content digests, `sha256:` and 64 lower-case hex digits (OCI image-spec, Digests).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon {

// A value type; ordered and comparable. Thread-safe as any value is.
class Digest {
 public:
  Digest() = default;
  static Digest Of(std::span<const std::uint8_t> bytes);
  static Digest Of(std::string_view bytes);
  // Exactly `sha256:[0-9a-f]{64}`, or E_DIGEST.
  static Result<Digest> Parse(std::string_view text);

  std::string ToString() const;  // with the prefix
  std::string Hex() const;       // without it
  std::string Short() const;     // the first 12 hex digits, for people
  const std::array<std::uint8_t, 32>& raw() const { return raw_; }
  bool IsZero() const { return *this == Digest(); }
  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  std::array<std::uint8_t, 32> raw_{};
};

}  // namespace cordon
