// The key that signs checkpoints: Ed25519, made on first use, beside the log. For this room and its readers. Values.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon::audit {

inline constexpr std::string_view kKeyFile = "audit.key";        // PEM, PKCS #8, 0600
inline constexpr std::string_view kPublicKeyFile = "audit.pub";  // PEM

class SigningKey {
 public:
  // Reads the key, or makes it and its public part where there is neither. E_AUDIT_UNAVAILABLE when others can read it,
  // it is not a key, or only the public part is there. REQUIRES: the log's lock is held.
  static Result<SigningKey> LoadOrMake(const std::filesystem::path& folder);
  std::string Sign(std::string_view message) const;  // 128 hex digits; empty when OpenSSL fails

 private:
  std::shared_ptr<void> key_;
};

class PublicKey {
 public:
  // E_NOT_FOUND, E_IO, E_INVALID.
  static Result<PublicKey> Load(const std::filesystem::path& file);
  bool Holds(std::string_view message, std::string_view signature_hex) const;
  std::string Pem() const;
  std::string Fingerprint() const;  // "sha256:…" of the raw key

 private:
  std::shared_ptr<void> key_;
};

}  // namespace cordon::audit
