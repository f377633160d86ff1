#include "services/vault/vault.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace cordon::services {
namespace {

namespace fs = std::filesystem;

std::string TextOf(const fs::path& file) {
  std::ostringstream out;
  out << std::ifstream(file, std::ios::binary).rdbuf();
  return out.str();
}

class VaultTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cordon-vault-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Get(std::string_view plugin, std::string_view name) const {
    auto value = Vault(folder_).Find(plugin, name);
    if (!value) return std::string(CodeName(value.error().code));
    return *value ? std::string((*value)->reveal()) : "nothing";
  }
  Code CodeOf(const Status& status) const { return status ? Code::kInternal : status.error().code; }

  fs::path folder_;
};

TEST_F(VaultTest, KeepsWhatWasSet) {
  Vault vault(folder_);
  EXPECT_EQ(Get("acme/a", "api-key"), "nothing");
  EXPECT_TRUE(vault.List()->empty());
  ASSERT_TRUE(vault.Set({"", "api-key"}, "hunter2"));
  ASSERT_TRUE(vault.Set({"acme/b", "api-key"}, "its own"));
  EXPECT_EQ(Get("acme/a", "api-key"), "hunter2");
  EXPECT_EQ(Get("acme/b", "api-key"), "its own");
  ASSERT_TRUE(vault.Set({"", "api-key"}, "rotated"));
  EXPECT_EQ(Get("acme/a", "api-key"), "rotated");
  EXPECT_EQ(vault.List()->size(), 2u);
  ASSERT_TRUE(vault.Remove({"acme/b", "api-key"}));
  EXPECT_EQ(Get("acme/b", "api-key"), "rotated");
  EXPECT_EQ(CodeOf(vault.Remove({"acme/b", "api-key"})), Code::kNotFound);
  // A secret setting belongs to one plugin: one of that name for all is nobody's.
  ASSERT_TRUE(vault.Set({"", SettingName("k")}, "everybody's"));
  EXPECT_EQ(Get("acme/a", SettingName("k")), "nothing");
}

TEST_F(VaultTest, attack_159_NoFileHasTheValueAndAllAreTheOwnersAlone) {
  ASSERT_TRUE(Vault(folder_).Set({"", "api-key"}, "planted-secret-value"));
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    EXPECT_EQ(TextOf(entry.path()).find("planted-secret-value"), std::string::npos) << entry.path();
    struct stat about{};
    ASSERT_EQ(::stat(entry.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u) << entry.path();
  }
}

TEST_F(VaultTest, EveryChangeOfTheFileIsNoticed) {
  ASSERT_TRUE(Vault(folder_).Set({"acme/a", "one"}, "first"));
  ASSERT_TRUE(Vault(folder_).Set({"acme/b", "two"}, "second"));
  const std::string whole = TextOf(folder_ / kSecretsFile);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string changed = whole;
    changed[at] = changed[at] == 'a' ? 'b' : 'a';
    std::ofstream(folder_ / kSecretsFile) << changed;
    EXPECT_EQ(Get("acme/a", "one"), "E_DIGEST") << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, whole.size() - 1}) {
    std::ofstream(folder_ / kSecretsFile) << whole.substr(0, size);
    EXPECT_EQ(Get("acme/a", "one"), "E_DIGEST") << size;
  }
  std::ofstream(folder_ / kSecretsFile) << whole;
  EXPECT_EQ(Get("acme/a", "one"), "first");
}

TEST_F(VaultTest, AnOlderFileIsNoticed) {
  ASSERT_TRUE(Vault(folder_).Set({"", "api-key"}, "old"));
  const std::string old = TextOf(folder_ / kSecretsFile);
  ASSERT_TRUE(Vault(folder_).Set({"", "api-key"}, "new"));
  std::ofstream(folder_ / kSecretsFile) << old;
  EXPECT_EQ(Get("acme/a", "api-key"), "E_DIGEST");
  EXPECT_EQ(CodeOf(Vault(folder_).Set({"", "other"}, "x")), Code::kDigest);
  fs::remove(folder_ / kSecretsFile);
  EXPECT_EQ(Get("acme/a", "api-key"), "E_DIGEST");
}

TEST_F(VaultTest, AnotherKeyOpensNothing) {
  ASSERT_TRUE(Vault(folder_).Set({"", "api-key"}, "hunter2"));
  Vault other(folder_, SecretText(std::string(64, 'a')));
  EXPECT_EQ(other.Find("acme/a", "api-key").error().code, Code::kDigest);
  Vault garbled(folder_, SecretText("not hex"));
  const auto refused = garbled.Find("acme/a", "api-key");
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().message.find("not hex"), std::string::npos);
  fs::remove(folder_ / kSecretsKeyFile);
  EXPECT_EQ(Get("acme/a", "api-key"), "E_UNAVAILABLE");
  EXPECT_EQ(CodeOf(Vault(folder_).Set({"", "api-key"}, "new")), Code::kUnavailable);
}

TEST_F(VaultTest, AKeyThatOthersCanReadIsNotUsed) {
  ASSERT_TRUE(Vault(folder_).Set({"", "api-key"}, "hunter2"));
  ::chmod((folder_ / kSecretsKeyFile).c_str(), 0640);
  EXPECT_EQ(Get("acme/a", "api-key"), "E_IO");
  fs::remove(folder_ / kSecretsKeyFile);
  fs::create_symlink("/etc/passwd", folder_ / kSecretsKeyFile);
  EXPECT_EQ(Get("acme/a", "api-key"), "E_IO");
}

TEST_F(VaultTest, NamesAndValuesAreBounded) {
  Vault vault(folder_);
  for (const char* name : {"", "a b", "a\nb", "\x1b[2J", "-", "\xff"}) {
    EXPECT_EQ(CodeOf(vault.Set({"", name}, "x")), Code::kName) << name;
  }
  EXPECT_EQ(CodeOf(vault.Set({"", "k"}, "")), Code::kLimit);
  EXPECT_EQ(CodeOf(vault.Set({"", "k"}, std::string(kSecretBytesMax + 1, 'x'))), Code::kLimit);
  EXPECT_EQ(CodeOf(vault.Set({"", "k"}, std::string_view("a\0b", 3))), Code::kInvalid);
  EXPECT_EQ(CodeOf(vault.Set({"", "k"}, "\xff\xfe")), Code::kInvalid);
  EXPECT_TRUE(vault.Set({"", "k"}, std::string(kSecretBytesMax, 'x')));
}

TEST_F(VaultTest, ManyMaySetAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(Vault(folder_).Set({"", "k" + std::to_string(t * 10 + i)}, "v"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Vault(folder_).List()->size(), 12u);
}

TEST(Seal, ALabelIsBound) {
  const SealKey key = *SealKey::Parse(std::string(64, '7') + "\n");
  const std::string sealed = *key.Seal("text", "one");
  EXPECT_EQ(key.Unseal(sealed, "one")->reveal(), "text");
  EXPECT_EQ(key.Unseal(sealed, "two").error().code, Code::kDigest);
  EXPECT_NE(sealed, *key.Seal("text", "one"));
  for (const char* broken : {"", "00", "zz", "0"}) EXPECT_FALSE(key.Unseal(broken, "one"));
  EXPECT_EQ(key.Unseal(*key.Seal("", "one"), "one")->reveal(), "");
}

}  // namespace
}  // namespace cordon::services
