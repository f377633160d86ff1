// Where a service finds a secret by its name. Whoever asks has asked the guard for `secret:NAME` first: a source knows
// no grants.
#pragma once

#include <optional>
#include <string_view>

#include "base/secret_text.h"
#include "cordon/result.h"

namespace cordon::services {

// Thread-safe. Must not block beyond a local file.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  // The value for `plugin` ("acme/linkcheck"): its own, else the one that all plugins share; nothing when neither is.
  // Read afresh each time, so that a rotated secret holds from the next call on. E_IO, E_DIGEST (tampered with),
  // E_UNAVAILABLE (no key).
  virtual Result<std::optional<SecretText>> Find(std::string_view plugin, std::string_view name) = 0;
};

// Where there are no secrets.
class NoSecrets final : public SecretSource {
 public:
  Result<std::optional<SecretText>> Find(std::string_view, std::string_view) override { return std::nullopt; }
};

}  // namespace cordon::services
