#include <gtest/gtest.h>

#include "policy/network.h"

namespace cordon::policy {
namespace {

struct ClassCase {
  std::string_view address;
  AddressClass what;
};

// attacks.md 120: every disguise of an address is taken off before it is judged.
TEST(AddressClass, attack_120_AWrappedAddressIsWhatIsInside) {
  const ClassCase cases[] = {
      {"8.8.8.8", AddressClass::kPublic},
      {"2606:4700::1111", AddressClass::kPublic},
      {"127.0.0.1", AddressClass::kLoopback},
      {"127.255.255.254", AddressClass::kLoopback},
      {"128.0.0.1", AddressClass::kPublic},
      {"10.255.0.1", AddressClass::kPrivate},
      {"172.15.0.1", AddressClass::kPublic},
      {"172.31.255.255", AddressClass::kPrivate},
      {"172.32.0.1", AddressClass::kPublic},
      {"192.168.1.1", AddressClass::kPrivate},
      {"100.63.0.1", AddressClass::kPublic},
      {"100.64.0.1", AddressClass::kPrivate},
      {"100.100.100.200", AddressClass::kMetadata},
      {"169.254.169.254", AddressClass::kMetadata},
      {"168.63.129.16", AddressClass::kMetadata},
      {"0.0.0.0", AddressClass::kUnspecified},
      {"0.1.2.3", AddressClass::kUnspecified},
      {"224.0.0.1", AddressClass::kMulticast},
      {"255.255.255.255", AddressClass::kMulticast},
      {"240.0.0.1", AddressClass::kReserved},
      {"198.18.0.1", AddressClass::kReserved},
      {"::", AddressClass::kUnspecified},
      {"::1", AddressClass::kLoopback},
      {"[::1]", AddressClass::kLoopback},
      {"fe80::1", AddressClass::kLinkLocal},
      {"fd12:3456::1", AddressClass::kPrivate},
      {"fd00:ec2::254", AddressClass::kMetadata},
      {"ff02::1", AddressClass::kMulticast},
      {"2001:db8::1", AddressClass::kReserved},
      {"2001:0:53aa:64c::1", AddressClass::kReserved},
      {"::ffff:127.0.0.1", AddressClass::kLoopback},
      {"::ffff:8.8.8.8", AddressClass::kPublic},
      {"::127.0.0.1", AddressClass::kLoopback},
      {"::ffff:0:10.0.0.1", AddressClass::kPrivate},
      {"64:ff9b::7f00:1", AddressClass::kLoopback},
      {"64:ff9b::a9fe:a9fe", AddressClass::kMetadata},
      {"64:ff9b::808:808", AddressClass::kPublic},
      {"64:ff9b:1::808:808", AddressClass::kPrivate},
      {"2002:7f00:1::", AddressClass::kLoopback},
      {"2002:a9fe:a9fe::1", AddressClass::kMetadata},
      {"2600::5efe:192.168.0.1", AddressClass::kPrivate},
      {"2600::200:5efe:10.0.0.1", AddressClass::kPrivate},
  };
  for (const ClassCase& c : cases) {
    const auto what = ClassOf(c.address);
    ASSERT_TRUE(what) << c.address;
    EXPECT_EQ(AddressClassName(*what), AddressClassName(c.what)) << c.address;
  }
}

TEST(AddressClass, TextThatIsNoAddressHasNoClass) {
  for (std::string_view text : {"", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "fe80::1%eth0",
                                "[::1", "127.0.0.1 ", "1.2.3.4.5", "::g"}) {
    EXPECT_FALSE(ClassOf(text)) << text;
  }
}

}  // namespace
}  // namespace cordon::policy
