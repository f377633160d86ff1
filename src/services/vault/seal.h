// Text that only the holder of a key can read or make: AES-256-GCM, and HMAC-SHA256 for what stays readable. Each use
// of a key has a key of its own, derived by HKDF. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/secret_text.h"
#include "cordon/result.h"

namespace cordon::services {

class SealKey {
 public:
  static constexpr std::size_t kBytes = 32;

  // 64 hex digits, around which white space does not count. E_INVALID; the text is in no message.
  static Result<SealKey> Parse(std::string_view hex);
  // E_INTERNAL when the machine has no random numbers.
  static Result<SealKey> Random();
  SealKey(SealKey&&) noexcept = default;
  SealKey& operator=(SealKey&&) noexcept = default;

  SecretText ToHex() const;

  // Hex of nonce, ciphertext and tag. `label` is bound to it: what was sealed under one opens under no other.
  Result<std::string> Seal(std::string_view text, std::string_view label) const;
  // E_DIGEST: changed, or sealed with another key or label.
  Result<SecretText> Unseal(std::string_view sealed, std::string_view label) const;
  // Hex; only the holder of the key can make it.
  Result<std::string> Tag(std::string_view text) const;

 private:
  explicit SealKey(SecretText bytes) : bytes_(std::move(bytes)) {}
  Result<SecretText> Derive(std::string_view use) const;
  SecretText bytes_;
};

// Of two tags, in a time that does not depend on them.
bool EqualTags(std::string_view a, std::string_view b);

}  // namespace cordon::services
