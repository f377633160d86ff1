// A set of kinds of capabilities. A value type.
#pragma once

#include <cstdint>

#include "policy/capability.h"

namespace cordon::policy {

class KindSet {
 public:
  static constexpr KindSet All() { return KindSet(~0u); }
  constexpr KindSet() = default;  // none

  constexpr void Add(Kind kind) { bits_ |= 1u << static_cast<unsigned>(kind); }
  constexpr bool Has(Kind kind) const { return (bits_ & 1u << static_cast<unsigned>(kind)) != 0; }
  constexpr KindSet operator&(KindSet other) const { return KindSet(bits_ & other.bits_); }
  friend constexpr bool operator==(KindSet, KindSet) = default;

 private:
  constexpr explicit KindSet(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};
static_assert(kKindCount <= 32);

}  // namespace cordon::policy
