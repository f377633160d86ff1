#include "abi/export_ref.h"

#include <gtest/gtest.h>

#include "abi/test_types.h"

namespace cordon::abi {
namespace {

wit::Contract Exporting() {
  Types t;
  t.contract.exports = {
      Types::RootFunction(Types::Function("lookup", {})),
      Types::Interface("acme:linkcheck/checker@1.4.0", {Types::Function("check", {}), Types::Function("stop", {})}),
      Types::Interface("acme:linkcheck/admin@1.4.0", {Types::Function("stop", {}), Types::Function("lookup", {})}),
      Types::Interface("acme:old/api@1.0.0", {Types::Function("run", {})}),
      Types::Interface("acme:old/api@2.0.0", {Types::Function("run", {})})};
  return t.contract;
}

TEST(ResolveExport, FindsByFullNameByInterfaceAndByBareName) {
  const wit::Contract c = Exporting();
  for (const char* name : {"acme:linkcheck/checker@1.4.0#check", "acme:linkcheck/checker#check", "check"}) {
    const auto ref = ResolveExport(c, name);
    ASSERT_TRUE(ref) << name;
    EXPECT_EQ(ref->ToString(), "acme:linkcheck/checker@1.4.0#check");
  }
  EXPECT_EQ(ResolveExport(c, "lookup")->interface_name, "");  // the root's own comes first
  EXPECT_EQ(ResolveExport(c, "acme:linkcheck/admin#lookup")->ToString(), "acme:linkcheck/admin@1.4.0#lookup");
  EXPECT_EQ(ResolveExport(c, "acme:old/api@2.0.0#run")->interface_name, "acme:old/api@2.0.0");
}

TEST(ResolveExport, SaysWhatThereIs) {
  const wit::Contract c = Exporting();
  const auto typo = ResolveExport(c, "chekc");
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().code, Code::kNotFound);
  EXPECT_TRUE(
      typo.error().remedy.starts_with("did you mean 'check'? exported: lookup, acme:linkcheck/checker@1.4.0#check"));
  for (const char* name : {"stop", "acme:old/api#run"}) {
    const auto two = ResolveExport(c, name);
    ASSERT_FALSE(two) << name;
    EXPECT_NE(two.error().message.find("means 2 exported functions"), std::string::npos);
  }
  for (const char* name :
       {"", "#", "#lookup2", "acme:linkcheck/checker@1.4.1#check", "acme:linkcheck/checker", "checker#check"}) {
    EXPECT_FALSE(ResolveExport(c, name)) << name;
  }
  EXPECT_FALSE(ResolveExport(wit::Contract{}, "run"));
}

}  // namespace
}  // namespace cordon::abi
