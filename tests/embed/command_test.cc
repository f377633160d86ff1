// Programs of WASI whose actions are called as any plugin's.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "shop.h"

namespace {

using cordon::Code;
namespace fs = std::filesystem;

constexpr char kManifest[] = R"(manifest: 1
name: acme/tool
version: 1.0.0
runtime: { abi: command, artifact: tool.wasm }
actions:
  shout: { command: { args: [shout], stdin: { input: text }, output: lines } }
  cat: { command: { args: [cat] } }
  list: { command: { args: [list, { input: folder }], output: lines } }
  exit: { command: { args: [exit, { input: status }] } }
permissions: { optional: [{ files: { mount: /data, from: workspace, access: read }, reason: to list them }] }
provides: { actions: [shout] }
)";

// Of preview 1 and of WASI 0.2: no difference.
class Commands : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("cordon-command-" + std::to_string(::getpid()) + GetParam());
    fs::create_directories(folder_ / "plugin");
    fs::create_directories(folder_ / "data");
    fs::copy_file(shop::Guest(GetParam()), folder_ / "plugin" / "tool.wasm", fs::copy_options::overwrite_existing);
    std::ofstream(folder_ / "plugin" / "plugin.yaml") << kManifest;
    std::ofstream(folder_ / "data" / "x") << "hello";
    auto host = cordon::Host::Create();
    ASSERT_TRUE(host.has_value());
    host_.emplace(std::move(*host));
  }
  void TearDown() override { fs::remove_all(folder_); }

  cordon::Plugin Load(const cordon::LoadOptions& options = {}) {
    auto plugin = host_->Load(folder_ / "plugin", options);
    EXPECT_TRUE(plugin.has_value()) << plugin.error().message;
    return *plugin;
  }

  static std::string Answer(const cordon::Plugin& plugin, const char* action, const char* input,
                            const cordon::CallOptions& options = {}) {
    auto answer = plugin.Call(action, input, options);
    return answer ? answer->json : std::string(cordon::CodeName(answer.error().code));
  }

  fs::path folder_;
  std::optional<cordon::Host> host_;
};

TEST_P(Commands, AreCalledWithJson) {
  const auto plugin = Load();
  EXPECT_EQ(Answer(plugin, "shout", R"({"text": "a\nb"})"), R"(["A","B"])");
  cordon::CallOptions options;
  options.stdin_bytes = "given";
  EXPECT_EQ(Answer(plugin, "cat", "{}", options), R"("given")");
  EXPECT_EQ(Answer(plugin, "exit", R"({"status": 0})"), R"("")");
  EXPECT_EQ(Answer(plugin, "exit", R"({"status": 1})"), "E_EXIT");
  auto failed = plugin.Call("exit", R"({"status": 1})");
  EXPECT_EQ(failed.error().Detail("stderr"), "ending with 1\n");
}

TEST_P(Commands, SeeTheFoldersThatWereGranted) {
  cordon::LoadOptions options;
  EXPECT_EQ(Answer(Load(), "list", R"({"folder": "/data"})"), "E_EXIT");
  options.mounts = {{folder_ / "data", "/data", cordon::Access::kRead}};
  EXPECT_EQ(Answer(Load(options), "list", R"({"folder": "/data"})"), R"(["x 5"])");
}

TEST_P(Commands, HaveNoInstanceThatIsKept) {
  const auto plugin = Load();
  auto instance = plugin.NewInstance();
  ASSERT_TRUE(instance.has_value()) << instance.error().message;
  auto answer = instance->Call("shout", R"({"text": "a"})");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::kUsage);
}

INSTANTIATE_TEST_SUITE_P(All, Commands, testing::Values("command_p1", "command_p2"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
