// Which addresses lead where: IANA's special-purpose registries, and what clouds made of them.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

#include "policy/network.h"

namespace cordon::policy {
namespace {

using Class = AddressClass;
using Bytes4 = std::array<std::uint8_t, 4>;
using Bytes16 = std::array<std::uint8_t, 16>;

constexpr std::array<std::string_view, 8> kNames = {"public",   "loopback",  "private",     "link-local",
                                                    "metadata", "multicast", "unspecified", "reserved"};

template <std::size_t N>
struct Block {
  std::array<std::uint8_t, N> base;
  std::uint8_t bits;
  Class what;
};

// The first that matches counts, so the narrow ones stand before the wide ones.
constexpr Block<4> kBlocks4[] = {
    {{169, 254, 0, 0}, 16, Class::kMetadata},  // link-local too: nothing else of it is worth a request
    {{100, 100, 100, 200}, 32, Class::kMetadata},  {{168, 63, 129, 16}, 32, Class::kMetadata},
    {{192, 0, 0, 192}, 32, Class::kMetadata},      {{0, 0, 0, 0}, 8, Class::kUnspecified},
    {{127, 0, 0, 0}, 8, Class::kLoopback},         {{10, 0, 0, 0}, 8, Class::kPrivate},
    {{172, 16, 0, 0}, 12, Class::kPrivate},        {{192, 168, 0, 0}, 16, Class::kPrivate},
    {{100, 64, 0, 0}, 10, Class::kPrivate},        {{192, 0, 0, 0}, 24, Class::kReserved},
    {{192, 0, 2, 0}, 24, Class::kReserved},        {{192, 88, 99, 0}, 24, Class::kReserved},
    {{198, 18, 0, 0}, 15, Class::kReserved},       {{198, 51, 100, 0}, 24, Class::kReserved},
    {{203, 0, 113, 0}, 24, Class::kReserved},      {{224, 0, 0, 0}, 4, Class::kMulticast},
    {{255, 255, 255, 255}, 32, Class::kMulticast}, {{240, 0, 0, 0}, 4, Class::kReserved},
};

constexpr Block<16> kBlocks16[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, Class::kMetadata},
    {{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, Class::kMetadata},
    {{}, 128, Class::kUnspecified},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, Class::kLoopback},
    {{0xfe, 0x80}, 10, Class::kLinkLocal},
    {{0xfe, 0xc0}, 10, Class::kPrivate},
    {{0xfc}, 7, Class::kPrivate},
    {{0xff}, 8, Class::kMulticast},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, Class::kPrivate},  // NAT64 of the local network's own making
    {{0x01, 0x00}, 8, Class::kReserved},                          // discard-only, 100::/64
    {{0x20, 0x01, 0x00, 0x00}, 32, Class::kReserved},             // Teredo
    {{0x20, 0x01, 0x0d, 0xb8}, 32, Class::kReserved},
    {{0x20, 0x01, 0x00}, 23, Class::kReserved},
    {{0x3f, 0xff, 0x00}, 20, Class::kReserved},
    {{0x5f, 0x00}, 16, Class::kReserved},
};

template <std::size_t N>
bool Matches(const std::array<std::uint8_t, N>& address, const std::array<std::uint8_t, N>& base, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(base.begin(), base.begin() + whole, address.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((address[whole] ^ base[whole]) >> (8 - rest)) == 0;
}

template <std::size_t N, typename List>
Class Find(const std::array<std::uint8_t, N>& address, const List& blocks) {
  for (const auto& block : blocks) {
    if (Matches(address, block.base, block.bits)) return block.what;
  }
  return Class::kPublic;
}

Bytes4 Inner(const Bytes16& address, std::size_t at) {
  return {address[at], address[at + 1], address[at + 2], address[at + 3]};
}

// The IPv4 address that an IPv6 address is made of, if it is.
std::optional<Bytes4> Unwrap(const Bytes16& address) {
  constexpr Bytes16 kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr Bytes16 kTranslated = {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0};
  constexpr Bytes16 kNat64 = {0x00, 0x64, 0xff, 0x9b};
  if (Matches(address, kMapped, 96) || Matches(address, kTranslated, 96) || Matches(address, kNat64, 96)) {
    return Inner(address, 12);
  }
  if (Matches(address, Bytes16{0x20, 0x02}, 16)) return Inner(address, 2);  // 6to4
  // ISATAP: an interface identifier of ::0:5efe:a.b.c.d, whatever the network.
  const bool isatap = (address[8] & 0xfd) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
  if (isatap) return Inner(address, 12);
  // Compatible: ::a.b.c.d, but for :: and ::1.
  if (Matches(address, Bytes16{}, 96) && (address[12] | address[13] | address[14]) != 0) return Inner(address, 12);
  return std::nullopt;
}

}  // namespace

std::string_view AddressClassName(AddressClass address_class) {
  return kNames[static_cast<std::size_t>(address_class)];
}

std::optional<AddressClass> ClassOf(std::string_view address) {
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  if (address.size() > 45 || address.find('\0') != address.npos) return std::nullopt;
  const std::string terminated(address);
  if (Bytes4 v4{}; inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) return Find(v4, kBlocks4);
  Bytes16 v6{};
  if (inet_pton(AF_INET6, terminated.c_str(), v6.data()) != 1) return std::nullopt;
  const Class outer = Find(v6, kBlocks16);
  if (const auto inner = Unwrap(v6)) {
    const Class wrapped = Find(*inner, kBlocks4);
    // Nobody writes an address like this who means well; a wrapping that a network translates (NAT64) is the exception.
    if (wrapped != Class::kPublic) return wrapped;
  }
  return outer;
}

}  // namespace cordon::policy
