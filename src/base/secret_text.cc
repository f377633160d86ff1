#include "base/secret_text.h"

#include <openssl/crypto.h>

#include <cstring>
#include <utility>

namespace cordon {

SecretText::SecretText(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
  if (!text.empty()) std::memcpy(bytes_.get(), text.data(), text.size());
}

SecretText::SecretText(SecretText&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

SecretText& SecretText::operator=(SecretText&& other) noexcept {
  if (this == &other) return *this;
  Wipe();
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void SecretText::Wipe() {
  if (bytes_) WipeText(bytes_.get(), size_);
  bytes_.reset();
  size_ = 0;
}

void WipeText(void* bytes, std::size_t size) { OPENSSL_cleanse(bytes, size); }

}  // namespace cordon
