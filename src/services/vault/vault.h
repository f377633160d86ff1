// The operator's secrets in a file of the state folder, sealed one by one (docs/formats/secrets.md). Thread-safe, and
// safe between processes.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "services/secret_source.h"
#include "services/vault/seal.h"

namespace cordon::services {

inline constexpr std::string_view kSecretsFile = "secrets";
inline constexpr std::string_view kSecretsKeyFile = "secrets.key";
inline constexpr std::string_view kSecretsSeenFile = "secrets.seen";
inline constexpr std::size_t kSecretBytesMax = 64 << 10;
inline constexpr std::size_t kSecretsMax = 4096;

// The name under which a secret setting of a plugin is kept; no grant can name it.
std::string SettingName(std::string_view key);

class Vault final : public SecretSource {
 public:
  struct Name {
    std::string plugin;  // "": every plugin that is granted the name
    std::string name;
    friend auto operator<=>(const Name&, const Name&) = default;
  };

  // `key`: 64 hex digits that the operator keeps elsewhere; empty: the key is in a file beside, made with the first
  // secret. Nothing is opened yet.
  explicit Vault(std::filesystem::path folder, SecretText key = {})
      : folder_(std::move(folder)), key_(std::move(key)) {}

  Result<std::optional<SecretText>> Find(std::string_view plugin, std::string_view name) override;
  // Sorted. E_DIGEST as Find.
  Result<std::vector<Name>> List();
  // E_LIMIT, E_NAME, E_INVALID (a NUL, or not UTF-8), E_IO, E_DIGEST. On an error the old value stands.
  Status Set(const Name& name, std::string_view value);
  // E_NOT_FOUND.
  Status Remove(const Name& name);

 private:
  struct Book;
  // E_UNAVAILABLE: there is no key. `make`: then one is made.
  enum class Missing : std::uint8_t { kIsAnError, kIsMade };
  Result<SealKey> Key(Missing missing) const;
  Result<Book> Read(const SealKey& key) const;
  Status Write(const SealKey& key, Book& book) const;
  static Result<std::uint64_t> ReadSeen(const SealKey& key, std::string_view text);
  Status WriteSeen(const SealKey& key, std::uint64_t generation) const;
  Status Change(const std::function<Status(const SealKey&, Book&)>& change) const;

  std::filesystem::path folder_;
  SecretText key_;
};

}  // namespace cordon::services
