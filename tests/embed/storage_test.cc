// Storage, settings and secrets that an embedding program brings.
#include <map>
#include <mutex>

#include "shop.h"

namespace {

using cordon::Code;
using shop::CodeOf;

// What a program might keep values in.
class Kept final : public cordon::Storage {
 public:
  cordon::Result<std::optional<Value>> Get(const Bucket& bucket, std::string_view key) override {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(Place(bucket, key));
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }
  cordon::Result<bool> Apply(const Bucket& bucket, std::span<const Change> changes,
                             const std::optional<Expected>& expected) override {
    const std::lock_guard lock(mutex_);
    if (broken) throw std::runtime_error("a fault of the program");
    if (values_.size() + changes.size() > bucket.keys_max) return cordon::Fail(Code::kLimit, "it is full");
    if (expected) {
      const auto found = values_.find(Place(bucket, expected->key));
      if ((found == values_.end() ? 0 : found->second.version) != expected->version) return false;
    }
    for (const Change& change : changes) {
      if (!change.value) {
        values_.erase(Place(bucket, change.key));
      } else {
        values_[Place(bucket, change.key)] = {{change.value->begin(), change.value->end()}, ++version_};
      }
    }
    return true;
  }
  cordon::Result<std::vector<std::string>> List(const Bucket&, std::string_view, std::size_t) override {
    return cordon::Fail(Code::kUnavailable, "this storage lists nothing");
  }

  bool broken = false;

 private:
  static std::string Place(const Bucket& bucket, std::string_view key) {
    return std::string(bucket.plugin) + "|" + std::string(bucket.name) + "|" + std::string(key);
  }
  std::mutex mutex_;
  std::map<std::string, Value> values_;
  std::uint64_t version_ = 0;
};

constexpr char kKv[] = "cordon:storage-guest/kv@0.1.0#";
constexpr char kSettings[] = "cordon:storage-guest/settings@0.1.0#";

std::string Called(cordon::Result<cordon::Plugin>& plugin, const std::string& function, std::string_view input) {
  auto answer = plugin->Call(function, input);
  return answer ? answer->json : std::string(cordon::CodeName(answer.error().code));
}

TEST(Storage, ValuesLiveAsLongAsAHostThatNamesNoFolder) {
  auto host = cordon::Host::Create();
  auto first = host->Load(shop::Guest("storage"), {.grants = {"kv:write:cache"}});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(Called(first, std::string(kKv) + "set", R"({"bucket":"cache","key":"k","value":"v"})"), R"({"ok":null})");
  auto again = host->Load(shop::Guest("storage"), {.grants = {"kv:read:cache"}});
  EXPECT_EQ(Called(again, std::string(kKv) + "get", R"({"bucket":"cache","key":"k"})"), R"({"ok":"v"})");
  auto other = cordon::Host::Create();
  auto elsewhere = other->Load(shop::Guest("storage"), {.grants = {"kv:read:cache"}});
  EXPECT_EQ(Called(elsewhere, std::string(kKv) + "get", R"({"bucket":"cache","key":"k"})"), R"({"ok":null})");
}

TEST(Storage, AProgramsOwnAnswersAndItsFaultsStayErrors) {
  const auto kept = std::make_shared<Kept>();
  auto host = cordon::Host::Create({.storage = kept});
  auto plugin = host->Load(shop::Guest("storage"), {.grants = {"kv:write:cache"}});
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(Called(plugin, std::string(kKv) + "increment", R"({"bucket":"cache","key":"n","delta":5})"), R"({"ok":5})");
  EXPECT_EQ(Called(plugin, std::string(kKv) + "swap", R"({"bucket":"cache","key":"n","value":"x","between":"y"})"),
            R"({"ok":false})");
  EXPECT_EQ(Called(plugin, std::string(kKv) + "keys", R"({"bucket":"cache"})"),
            R"({"err":"E_UNAVAILABLE: this storage lists nothing"})");
  kept->broken = true;
  EXPECT_EQ(Called(plugin, std::string(kKv) + "set", R"({"bucket":"cache","key":"k","value":"v"})"),
            R"({"err":"E_INTERNAL: a fault of the program"})");
}

TEST(Settings, AndSecretsOfTheProgram) {
  int asked = 0;
  auto host = cordon::Host::Create({.secrets = [&](std::string_view, std::string_view name) {
    ++asked;
    return name == "api-key" ? cordon::Result<std::optional<std::string>>("hunter2") : std::nullopt;
  }});
  const cordon::LoadOptions options{.grants = {"config", "secret:api-key", "secret:other"},
                                    .settings = R"({"depth": 3, "name": "x"})"};
  auto plugin = host->Load(shop::Guest("settings"), options);
  ASSERT_TRUE(plugin) << plugin.error().message;
  EXPECT_EQ(Called(plugin, std::string(kSettings) + "all", "{}"), R"({"ok":[["depth","3"],["name","x"]]})");
  EXPECT_EQ(Called(plugin, std::string(kSettings) + "secret", R"({"name":"api-key"})"), R"({"ok":"hunter2"})");
  EXPECT_EQ(Called(plugin, std::string(kSettings) + "secret", R"({"name":"other"})"), R"({"err":"not-found"})");
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(Called(plugin, std::string(kSettings) + "secret", R"({"name":"third"})"), R"({"err":"access-denied"})");
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(CodeOf(host->Load(shop::Guest("settings"), {.grants = {"config"}, .settings = "[]"})), Code::kType);
}

}  // namespace
