// Address blocks and public suffixes: what makes a host too wide to grant. Pure; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cordon::policy {

// A CIDR block, or one address as the block that holds it alone.
class AddressBlock {
 public:
  // "10.0.0.0/8", "192.0.2.1", "[2001:db8::]/32", "2001:db8::/32", "[::1]". Nothing for a name, a bad length, or bits
  // beyond it.
  static std::optional<AddressBlock> Parse(std::string_view text);
  bool Holds(const AddressBlock& other) const;
  std::uint8_t length() const { return length_; }

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool is_v6_ = false;
  std::uint8_t length_ = 0;
};

// Where an address leads, seen from this machine.
enum class AddressClass : std::uint8_t {
  kPublic,
  kLoopback,
  kPrivate,  // RFC 1918, unique local, shared address space, site-local
  kLinkLocal,
  kMetadata,     // where clouds hand out credentials
  kMulticast,    // and broadcast
  kUnspecified,  // 0.0.0.0/8, ::
  kReserved,     // for documentation, tests, the future, and tunnels that end nobody knows where
};
// "public", "loopback", …
std::string_view AddressClassName(AddressClass address_class);

// Of an address in text form, with or without brackets. An IPv4 address that is wrapped in IPv6 (mapped, compatible,
// 6to4, NAT64, ISATAP) counts as what is inside, unless that is public. Nothing for text that is not an address; a zone
// is not part of one.
std::optional<AddressClass> ClassOf(std::string_view address);

// A name below which anybody may register ("com", "co.uk", "github.io").
bool IsPublicSuffix(std::string_view name);

// An address or name at which clouds hand out credentials, or a block that holds one.
bool ReachesMetadata(std::string_view host);

}  // namespace cordon::policy
