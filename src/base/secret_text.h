// Text that is wiped when it goes, and that nothing prints by accident: there is no ToString and no operator<<.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace cordon {

// Movable, not copyable; a moved-from value is empty.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string_view text);
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { Wipe(); }

  // The secret itself. Whoever copies it wipes the copy (`WipeText`).
  std::string_view reveal() const { return {bytes_.get(), size_}; }
  bool empty() const { return size_ == 0; }

 private:
  void Wipe();
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

// Overwrites a buffer in a way that no optimiser leaves out.
void WipeText(void* bytes, std::size_t size);

}  // namespace cordon
