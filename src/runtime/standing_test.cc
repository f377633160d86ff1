#include "runtime/standing.h"

#include <gtest/gtest.h>

namespace cordon::runtime {
namespace {

// Grants that can be changed while a plugin runs.
class ChangingSource final : public policy::GrantSource {
 public:
  Result<std::optional<policy::GrantSet>> Find(const policy::Subject&) const override {
    if (broken) return Fail(Code::kSyntax, "not YAML");
    return set;
  }
  std::uint64_t Version() const override { return version.load(); }
  void Change(std::vector<const char*> texts) {
    if (!set) set.emplace();
    set->granted.clear();
    for (const char* text : texts) set->granted.push_back(*policy::Grant::Parse(text));
    ++version;
  }
  std::optional<policy::GrantSet> set;
  std::atomic<std::uint64_t> version{1};
  bool broken = false;
};

struct Loaded {
  std::shared_ptr<ChangingSource> source = std::make_shared<ChangingSource>();
  std::unique_ptr<PluginStanding> standing;

  explicit Loaded(std::vector<const char*> requested, std::vector<const char*> own = {}) {
    source->Change(requested);
    source->set->roots["workspace"] = "/srv/data";
    PluginStanding::Basis basis;
    basis.plugin = "acme/x";
    for (const char* text : requested) {
      basis.requests.push_back({policy::Grant::Parse(text)->capability, policy::Need::kOptional, "", {}});
    }
    for (const char* text : own) {
      basis.own.push_back(*policy::Grant::Parse(text));
      basis.requests.push_back({basis.own.back().capability, policy::Need::kOptional, "", {}});
    }
    basis.kept = source->set;
    basis.source = source;
    basis.version = source->Version();
    std::vector<policy::Grant> all = basis.own;
    all.insert(all.end(), basis.kept->granted.begin(), basis.kept->granted.end());
    basis.authority = *policy::Authority::Evaluate(basis.requests, all, basis.ceiling, basis.link);
    standing = std::make_unique<PluginStanding>(std::move(basis));
  }
  // Until the source is looked at again.
  void Wait() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    while (std::chrono::steady_clock::now() < end) {}
  }
  bool Allows(const char* text) {
    const policy::Authority* left = standing->Now();
    return left == nullptr || left->Decide(*policy::Capability::Parse(text)).allowed();
  }
};

TEST(Standing, NothingIsLeftOfWhatWasTakenBack) {
  Loaded plugin({"secret:key", "secret:other"}, {"secret:own"});
  EXPECT_TRUE(plugin.Allows("secret:key"));
  plugin.source->Change({"secret:other"});
  plugin.Wait();
  EXPECT_FALSE(plugin.Allows("secret:key"));
  EXPECT_TRUE(plugin.Allows("secret:other"));
  EXPECT_TRUE(plugin.Allows("secret:own"));  // a flag's is not the file's
  EXPECT_TRUE(plugin.standing->Check());     // it is asked for each time
  plugin.source->Change({"secret:other", "secret:key"});
  plugin.Wait();
  EXPECT_TRUE(plugin.Allows("secret:key"));
}

TEST(Standing, APluginIsOverWithoutWhatItHolds) {
  for (const char* held : {"fs:read:/data=workspace", "env:TOKEN", "clock:fine", "net:tcp:db.example.org:5432"}) {
    Loaded plugin({held, "secret:key"});
    EXPECT_TRUE(plugin.standing->Check());
    plugin.source->Change({"secret:key"});
    plugin.Wait();
    const Status over = plugin.standing->Check();
    ASSERT_FALSE(over) << held;
    EXPECT_EQ(over.error().code, Code::kDenied);
    EXPECT_EQ(over.error().Detail("rule"), "revoked");
    // Granting it again does not bring back what was told to end.
    plugin.source->Change({held, "secret:key"});
    plugin.Wait();
    EXPECT_FALSE(plugin.standing->Check());
  }
}

TEST(Standing, AFileThatCannotBeReadGrantsNothing) {
  Loaded plugin({"secret:key"});
  plugin.source->broken = true;
  ++plugin.source->version;
  plugin.Wait();
  EXPECT_FALSE(plugin.Allows("secret:key"));
}

TEST(Standing, AFolderThatLeadsElsewhereWasNotGrantedToWhatRuns) {
  Loaded plugin({"fs:read:/data=workspace"});
  plugin.source->set->roots["another"] = "/srv/other";
  ++plugin.source->version;
  plugin.Wait();
  EXPECT_TRUE(plugin.standing->Check());
  plugin.source->set->roots["workspace"] = "/srv/other";
  ++plugin.source->version;
  plugin.Wait();
  EXPECT_EQ(plugin.standing->Check().error().Detail("rule"), "revoked");
}

TEST(Standing, TheEmbedderTakesBackForGood) {
  Loaded plugin({"http:GET:https://a.example/*", "secret:key"});
  plugin.standing->Revoke(*policy::Capability::Parse("http:GET:https://a.example/v1/*"));
  EXPECT_FALSE(plugin.Allows("http:GET:https://a.example/v2/x"));  // a part was, so all of it is
  EXPECT_TRUE(plugin.Allows("secret:key"));
  plugin.source->Change({"http:GET:https://a.example/*", "secret:key"});
  plugin.Wait();
  EXPECT_FALSE(plugin.Allows("http:GET:https://a.example/v2/x"));
}

}  // namespace
}  // namespace cordon::runtime
