#include "audit/signing_key.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "audit/chain_file.h"
#include "base/digest.h"
#include "base/file.h"

namespace cordon::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPemBytesMax = 4096;
constexpr std::size_t kSignatureBytes = 64;

EVP_PKEY* Raw(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }
std::shared_ptr<void> Own(EVP_PKEY* key) {
  return {key, [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); }};
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using SignStep = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

std::string PublicPem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  return bio && PEM_write_bio_PUBKEY(bio.get(), key) == 1 ? TextOf(bio.get()) : std::string();
}

std::string PrivatePem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_secmem()), &BIO_free_all);
  const bool done = bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  return done ? TextOf(bio.get()) : std::string();
}

// Nobody else may ever have read it: then what it signed proves nothing.
Status CheckPrivate(const fs::path& file) {
  struct stat st{};
  if (::lstat(file.c_str(), &st) != 0) return Unavailable("cannot look at " + file.string() + ": " + ErrnoText(errno));
  const bool good = S_ISREG(st.st_mode) && st.st_uid == ::geteuid() && (st.st_mode & 077) == 0 && st.st_nlink == 1;
  if (good) return {};
  return Fail(Code::kAuditUnavailable, "the key of the audit, " + file.string() + ", is open to others",
              "it has to be a file of this user's with mode 0600; if it was read by somebody, move the log away");
}

Result<std::shared_ptr<void>> Read(const fs::path& file) {
  CORDON_TRY(CheckPrivate(file));
  auto text = ReadFile(file, kPemBytesMax);
  if (!text) return Unavailable(text.error().message);
  const Bio bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())), &BIO_free_all);
  EVP_PKEY* key = bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, const_cast<char*>("")) : nullptr;
  OPENSSL_cleanse(text->data(), text->size());
  auto owned = Own(key);
  if (key == nullptr || EVP_PKEY_id(key) != EVP_PKEY_ED25519) {
    return Unavailable(file.string() + " is not an Ed25519 key");
  }
  return owned;
}

Result<std::shared_ptr<void>> Make(const fs::path& folder) {
  auto key = Own(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) return Unavailable("no key can be made for its checkpoints");
  std::string pem = PrivatePem(Raw(key));
  if (pem.empty()) return Unavailable("no key can be made for its checkpoints");
  const Status kept = WriteFileAtomically(folder / kKeyFile, pem, FileMode::kPrivate);
  OPENSSL_cleanse(pem.data(), pem.size());
  if (!kept) return Unavailable(kept.error().message);
  return key;
}

}  // namespace

Result<SigningKey> SigningKey::LoadOrMake(const fs::path& folder) {
  SigningKey out;
  std::error_code ignored;
  const bool has_key = fs::symlink_status(folder / kKeyFile, ignored).type() != fs::file_type::not_found;
  const bool has_public = fs::symlink_status(folder / kPublicKeyFile, ignored).type() != fs::file_type::not_found;
  if (!has_key && has_public) {
    return Fail(Code::kAuditUnavailable,
                "the key of the audit is gone: " + (folder / kPublicKeyFile).string() + " is there and " +
                    std::string(kKeyFile) + " is not",
                "put it back, or move the audit's files away together, and a new log begins");
  }
  if (has_key) {
    CORDON_ASSIGN(out.key_, Read(folder / kKeyFile));
  } else {
    CORDON_ASSIGN(out.key_, Make(folder));
  }
  if (has_public) return out;
  const Status written = WriteFileAtomically(folder / kPublicKeyFile, PublicPem(Raw(out.key_)), FileMode::kShared);
  if (!written) return Unavailable(written.error().message);
  return out;
}

std::string SigningKey::Sign(std::string_view message) const {
  constexpr char kHexDigits[] = "0123456789abcdef";
  std::array<unsigned char, kSignatureBytes> bytes{};
  std::size_t size = bytes.size();
  const SignStep step(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const bool done = step && EVP_DigestSignInit(step.get(), nullptr, nullptr, nullptr, Raw(key_)) == 1 &&
                    EVP_DigestSign(step.get(), bytes.data(), &size,
                                   reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  if (!done || size != bytes.size()) return {};
  std::string hex;
  for (const unsigned char byte : bytes) {
    hex += kHexDigits[byte >> 4];
    hex += kHexDigits[byte & 15];
  }
  return hex;
}

Result<PublicKey> PublicKey::Load(const fs::path& file) {
  CORDON_ASSIGN(const std::string text, ReadFile(file, kPemBytesMax));
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all);
  PublicKey out;
  out.key_ = Own(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (out.key_ == nullptr || EVP_PKEY_id(Raw(out.key_)) != EVP_PKEY_ED25519) {
    return Fail(Code::kInvalid, file.string() + " is not an Ed25519 public key in PEM", "name the log's audit.pub");
  }
  return out;
}

bool PublicKey::Holds(std::string_view message, std::string_view signature_hex) const {
  if (signature_hex.size() != 2 * kSignatureBytes) return false;
  std::array<unsigned char, kSignatureBytes> bytes{};
  for (std::size_t i = 0; i < signature_hex.size(); ++i) {
    const char c = signature_hex[i];
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return false;
    bytes[i / 2] = static_cast<unsigned char>(bytes[i / 2] << 4 | (digit ? c - '0' : c - 'a' + 10));
  }
  const SignStep step(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return step && EVP_DigestVerifyInit(step.get(), nullptr, nullptr, nullptr, Raw(key_)) == 1 &&
         EVP_DigestVerify(step.get(), bytes.data(), bytes.size(),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

std::string PublicKey::Pem() const { return PublicPem(Raw(key_)); }

std::string PublicKey::Fingerprint() const {
  std::array<unsigned char, 32> bytes{};
  std::size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(Raw(key_), bytes.data(), &size) != 1) return {};
  return Digest::Of(std::span<const std::uint8_t>(bytes.data(), size)).ToString();
}

}  // namespace cordon::audit
