#include "services/vault/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace cordon::services {
namespace {

constexpr std::size_t kNonceBytes = 12, kTagBytes = 16;
constexpr std::size_t kSealedBytesMax = 2 << 20;
constexpr char kDigits[] = "0123456789abcdef";

using Bytes = std::vector<unsigned char>;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* handle) const { EVP_CIPHER_CTX_free(handle); }
};
struct FreePkey {
  void operator()(EVP_PKEY_CTX* handle) const { EVP_PKEY_CTX_free(handle); }
};

const unsigned char* Raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string HexOf(std::span<const unsigned char> bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::optional<Bytes> BytesOf(std::string_view hex) {
  if (hex.size() % 2 != 0 || hex.size() > 2 * kSealedBytesMax) return std::nullopt;
  Bytes bytes(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const std::size_t digit = std::string_view(kDigits).find(hex[i]);
    if (hex[i] == '\0' || digit == std::string_view::npos) return std::nullopt;
    bytes[i / 2] = static_cast<unsigned char>(bytes[i / 2] << 4 | digit);
  }
  return bytes;
}

std::unexpected<Error> NoCrypto() { return Fail(Code::kInternal, "the cryptographic library failed"); }

std::unexpected<Error> Tampered() {
  return Fail(Code::kDigest, "a secret was changed, or was stored with another key",
              "set it again: cordon secret set NAME");
}

}  // namespace

Result<SealKey> SealKey::Parse(std::string_view hex) {
  while (!hex.empty() && (hex.back() == '\n' || hex.back() == '\r' || hex.back() == ' ')) hex.remove_suffix(1);
  while (!hex.empty() && hex.front() == ' ') hex.remove_prefix(1);
  auto bytes = BytesOf(hex);
  if (hex.size() != 2 * kBytes || !bytes) {
    return Fail(Code::kInvalid, "the key of the secrets is not 64 hex digits", "make one with: openssl rand -hex 32");
  }
  SealKey key(SecretText({reinterpret_cast<const char*>(bytes->data()), bytes->size()}));
  WipeText(bytes->data(), bytes->size());
  return key;
}

Result<SealKey> SealKey::Random() {
  std::array<unsigned char, kBytes> bytes{};
  if (RAND_priv_bytes(bytes.data(), kBytes) != 1) return NoCrypto();
  SealKey key(SecretText({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  WipeText(bytes.data(), bytes.size());
  return key;
}

SecretText SealKey::ToHex() const {
  std::string hex = HexOf({Raw(bytes_.reveal()), kBytes});
  SecretText out(hex);
  WipeText(hex.data(), hex.size());
  return out;
}

Result<SecretText> SealKey::Derive(std::string_view use) const {
  const std::unique_ptr<EVP_PKEY_CTX, FreePkey> hkdf(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  std::array<unsigned char, kBytes> out{};
  std::size_t size = out.size();
  const bool done = hkdf && EVP_PKEY_derive_init(hkdf.get()) == 1 &&
                    EVP_PKEY_CTX_set_hkdf_md(hkdf.get(), EVP_sha256()) == 1 &&
                    EVP_PKEY_CTX_set1_hkdf_key(hkdf.get(), Raw(bytes_.reveal()), kBytes) == 1 &&
                    EVP_PKEY_CTX_add1_hkdf_info(hkdf.get(), Raw(use), static_cast<int>(use.size())) == 1 &&
                    EVP_PKEY_derive(hkdf.get(), out.data(), &size) == 1;
  if (!done) return NoCrypto();
  SecretText key({reinterpret_cast<const char*>(out.data()), size});
  WipeText(out.data(), out.size());
  return key;
}

Result<std::string> SealKey::Seal(std::string_view text, std::string_view label) const {
  CORDON_ASSIGN(const SecretText key, Derive("cordon seal 1"));
  Bytes out(kNonceBytes + text.size() + kTagBytes);
  unsigned char* nonce = out.data();
  unsigned char* cipher = nonce + kNonceBytes;
  const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> gcm(EVP_CIPHER_CTX_new());
  int size = 0, last = 0;
  const bool done = gcm && text.size() <= kSealedBytesMax && RAND_bytes(nonce, kNonceBytes) == 1 &&
                    EVP_EncryptInit_ex(gcm.get(), EVP_aes_256_gcm(), nullptr, Raw(key.reveal()), nonce) == 1 &&
                    EVP_EncryptUpdate(gcm.get(), nullptr, &size, Raw(label), static_cast<int>(label.size())) == 1 &&
                    EVP_EncryptUpdate(gcm.get(), cipher, &size, Raw(text), static_cast<int>(text.size())) == 1 &&
                    EVP_EncryptFinal_ex(gcm.get(), cipher + size, &last) == 1 &&
                    EVP_CIPHER_CTX_ctrl(gcm.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, cipher + text.size()) == 1;
  if (!done) return NoCrypto();
  return HexOf(out);
}

Result<SecretText> SealKey::Unseal(std::string_view sealed, std::string_view label) const {
  CORDON_ASSIGN(const SecretText key, Derive("cordon seal 1"));
  auto bytes = BytesOf(sealed);
  if (!bytes || bytes->size() < kNonceBytes + kTagBytes) return Tampered();
  const std::size_t text_bytes = bytes->size() - kNonceBytes - kTagBytes;
  Bytes text(text_bytes + 1);
  unsigned char* cipher = bytes->data() + kNonceBytes;
  const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> gcm(EVP_CIPHER_CTX_new());
  int size = 0, last = 0;
  const bool done = gcm &&
                    EVP_DecryptInit_ex(gcm.get(), EVP_aes_256_gcm(), nullptr, Raw(key.reveal()), bytes->data()) == 1 &&
                    EVP_DecryptUpdate(gcm.get(), nullptr, &size, Raw(label), static_cast<int>(label.size())) == 1 &&
                    EVP_DecryptUpdate(gcm.get(), text.data(), &size, cipher, static_cast<int>(text_bytes)) == 1 &&
                    EVP_CIPHER_CTX_ctrl(gcm.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, cipher + text_bytes) == 1 &&
                    EVP_DecryptFinal_ex(gcm.get(), text.data() + size, &last) == 1;
  SecretText out;
  if (done) out = SecretText({reinterpret_cast<const char*>(text.data()), text_bytes});
  WipeText(text.data(), text.size());
  if (!done) return Tampered();
  return out;
}

Result<std::string> SealKey::Tag(std::string_view text) const {
  CORDON_ASSIGN(const SecretText key, Derive("cordon tag 1"));
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.reveal().data(), kBytes, Raw(text), text.size(), out.data(), &size) == nullptr) {
    return NoCrypto();
  }
  return HexOf({out.data(), size});
}

bool EqualTags(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cordon::services
