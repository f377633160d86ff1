#include "services/addresses.h"

#include <gtest/gtest.h>

namespace cordon::services {
namespace {

using policy::Level;

// What answers for one address behind one name, by level.
std::string RuleAt(Level level, const char* granted, std::string_view host, std::string_view address,
                   std::span<const policy::AddressBlock> private_blocks = {}) {
  const policy::Request request{*policy::Capability::Parse(granted), policy::Need::kRequired, "", {}};
  const policy::Grant grant{request.capability};
  const auto authority =
      *policy::Authority::Evaluate({&request, 1}, {&grant, 1}, policy::Ceiling::At(level), policy::LinkMode::kLenient);
  return RuleAgainst(authority, private_blocks, host, address);
}

TEST(Addresses, PrivateOnesByLevel) {
  constexpr const char* kNamed = "http:GET:http://db.internal/*";
  const policy::AddressBlock block[] = {*policy::AddressBlock::Parse("10.0.0.0/8")};
  EXPECT_EQ(RuleAt(Level::kRelaxed, kNamed, "db.internal", "10.1.2.3"), "");
  EXPECT_EQ(RuleAt(Level::kDefault, kNamed, "db.internal", "10.1.2.3"), "net:private");
  EXPECT_EQ(RuleAt(Level::kDefault, kNamed, "db.internal", "10.1.2.3", block), "");
  EXPECT_EQ(RuleAt(Level::kDefault, "net:tcp:10.0.0.0/8:5432", "db.internal", "10.1.2.3"), "");
  EXPECT_EQ(RuleAt(Level::kStrict, kNamed, "db.internal", "10.1.2.3", block), "net:private");
  EXPECT_EQ(RuleAt(Level::kStrict, "net:tcp:10.0.0.0/8:5432", "db.internal", "10.1.2.3"), "net:private");
  EXPECT_EQ(RuleAt(Level::kStrict, kNamed, "db.internal", "198.41.0.4"), "");
}

TEST(Addresses, AWildcardNamesNoHost) {
  EXPECT_EQ(RuleAt(Level::kRelaxed, "http:GET:http://*.internal/*", "db.internal", "10.1.2.3"), "net:private");
  EXPECT_EQ(RuleAt(Level::kRelaxed, "net:listen-tcp:127.0.0.1:80", "127.0.0.1", "127.0.0.1"), "net:loopback");
}

TEST(Addresses, CredentialsOfCloudsAreDeniedAtEveryLevel) {
  for (const Level level : {Level::kRelaxed, Level::kDefault, Level::kStrict, Level::kParanoid}) {
    EXPECT_EQ(RuleAt(level, "http:GET:http://db.internal/*", "db.internal", "169.254.169.254"), "net:metadata");
    EXPECT_EQ(RuleAt(level, "http:GET:http://db.internal/*", "db.internal", "::ffff:169.254.169.254"), "net:metadata");
    EXPECT_EQ(RuleAt(level, "http:GET:http://db.internal/*", "db.internal", "db.internal"), "net:unknown");
  }
}

}  // namespace
}  // namespace cordon::services
