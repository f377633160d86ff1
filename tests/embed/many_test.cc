// Many plugins at once: what cannot be loaded keeps nobody else from running.
#include <algorithm>
#include <mutex>

#include "shop.h"
#include "versions.h"

namespace {

namespace fs = std::filesystem;
using cordon::Code;

class Many : public ::testing::Test {
 protected:
  Many() : folder_(fs::temp_directory_path() / ("cordon-many-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
    versions::WritePlugin(folder_ / "plugins/acme/apart", "acme/apart", 1);
    versions::WritePlugin(folder_ / "plugins/acme/plain", "acme/plain", 2);
  }
  ~Many() override { fs::remove_all(folder_); }

  cordon::Host& HostWith(const std::string& isolation, cordon::HostOptions options = {}) {
    const std::string plugins = (folder_ / "plugins").string();
    versions::Write(folder_ / "config.yaml",
                    "plugins:\n  enabled: true\n  directories: [" + plugins + "]\n  isolation: " + isolation + "\n");
    options.config_file = folder_ / "config.yaml";
    options.compiler = cordon::HostOptions::Compiler::kInProcess;
    options.audit = audit_;
    options.log = [this](const cordon::LogLine& line) { lines_.push_back(line); };
    auto host = cordon::Host::Create(std::move(options));
    EXPECT_TRUE(host) << host.error().message;
    return host_.emplace(std::move(*host));
  }

  // Exactly one plugin is left out, told once in each place, and the other one works.
  void ExpectSkipped(const std::string& backend, const std::string& why) {
    const auto all = host_->LoadAll();
    ASSERT_TRUE(all) << all.error().message;
    ASSERT_EQ(all->skipped.size(), 1u);
    EXPECT_EQ(all->skipped[0].source, folder_ / "plugins/acme/apart");
    EXPECT_EQ(all->skipped[0].why.code, Code::kUnavailable) << all->skipped[0].why.message;
    EXPECT_EQ(all->skipped[0].why.Detail("backend"), backend);
    EXPECT_NE(all->skipped[0].why.message.find(why), std::string::npos) << all->skipped[0].why.message;
    ASSERT_EQ(lines_.size(), 1u);
    EXPECT_EQ(lines_[0].level, cordon::LogLevel::kWarn);
    EXPECT_EQ(lines_[0].plugin, "apart");
    EXPECT_NE(lines_[0].message.find("E_UNAVAILABLE"), std::string::npos);
    EXPECT_NE(lines_[0].message.find(why), std::string::npos) << lines_[0].message;
    const auto records = audit_->records();
    EXPECT_EQ(std::ranges::count_if(records,
                                    [&](const auto& record) {
                                      return record.event == "load" && record.allowed == false &&
                                             record.plugin == "acme/apart" && record.code == Code::kUnavailable &&
                                             record.note.find(why) != std::string::npos;
                                    }),
              1);
    EXPECT_EQ(std::ranges::count_if(records, [](const auto& record) { return record.code.has_value(); }), 1);
    ASSERT_EQ(all->plugins.size(), 1u);
    EXPECT_EQ(all->plugins[0].Call("which", "{}")->json, "2");
  }

  const fs::path folder_;
  std::shared_ptr<cordon::AuditMemory> audit_ = cordon::AuditMemory::Make();
  std::vector<cordon::LogLine> lines_;
  std::optional<cordon::Host> host_;
};

TEST_F(Many, WhatIsBrokenIsSkippedAndTheOthersAreLoaded) {
  versions::Write(folder_ / "plugins/b/plugin.yaml", "manifest: 1\nname: [");
  versions::WritePlugin(folder_ / "plugins/c", "acme/c", 3);
  versions::Write(folder_ / "plugins/c/plugin.wasm", "nonsense");
  versions::WritePlugin(folder_ / "plugins/d", "acme/d", 4);
  fs::remove(folder_ / "plugins/d/plugin.wasm");
  versions::WritePlugin(folder_ / "plugins/too/deep/down", "acme/deep", 5);
  HostWith("{ enabled: false }");
  const auto all = host_->LoadAll();
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->plugins.size(), 2u);
  EXPECT_EQ(all->plugins[0].name(), "acme/apart");
  EXPECT_EQ(all->plugins[1].name(), "acme/plain");
  ASSERT_EQ(all->skipped.size(), 3u);
  EXPECT_EQ(all->skipped[0].why.code, Code::kSyntax);
  EXPECT_EQ(all->skipped[1].why.code, Code::kNotWasm);
  EXPECT_EQ(all->skipped[2].why.code, Code::kNotFound);
  EXPECT_EQ(lines_.size(), 3u);
  const auto records = audit_->records();
  EXPECT_EQ(std::ranges::count_if(records, [](const auto& record) { return record.code && !record.note.empty(); }), 3);
  const auto named = host_->LoadAll({folder_ / "plugins/acme/plain"});
  ASSERT_TRUE(named);
  EXPECT_EQ(named->plugins.size(), 1u);
}

TEST_F(Many, ABackendThatIsAbsent) {
  HostWith("{ force: [acme/apart], backend: docker }");
  ExpectSkipped("docker", "the backend 'docker'");
}

TEST_F(Many, AWorkerProgramThatIsAbsent) {
  cordon::HostOptions options;
  options.worker_path = "/nowhere/cordon-worker";
  HostWith("{ force: [acme/apart] }", options);
  ExpectSkipped("worker", "cordon-worker");
}

TEST_F(Many, AWorkerThatDoesNotStart) {
  cordon::HostOptions options;
  options.worker_path = "/bin/false";
  HostWith("{ force: [acme/apart] }", options);
  ExpectSkipped("worker", "worker");
}

}  // namespace
