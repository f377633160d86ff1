#include "base/digest.h"

#include <openssl/evp.h>

namespace cordon {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr char kHexDigits[] = "0123456789abcdef";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Digest Digest::Of(std::span<const std::uint8_t> bytes) {
  Digest digest;
  EVP_Digest(bytes.data(), bytes.size(), digest.raw_.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

Digest Digest::Of(std::string_view bytes) {
  return Of(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

Result<Digest> Digest::Parse(std::string_view text) {
  auto wrong = [&] {
    return Fail(Code::kDigest, "'" + std::string(text.substr(0, 80)) + "' is not a digest",
                "a digest is sha256: and 64 lower-case hex digits");
  };
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + 64) return wrong();
  text.remove_prefix(kPrefix.size());
  Digest digest;
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return wrong();
    digest.raw_[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return digest;
}

std::string Digest::Hex() const {
  std::string hex;
  hex.reserve(64);
  for (std::uint8_t byte : raw_) {
    hex += kHexDigits[byte >> 4];
    hex += kHexDigits[byte & 15];
  }
  return hex;
}

std::string Digest::ToString() const { return std::string(kPrefix) + Hex(); }
std::string Digest::Short() const { return Hex().substr(0, 12); }

}  // namespace cordon
