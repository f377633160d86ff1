// Generated classes call a real plugin: the conformance guest, which gives back what it gets.
#include <gtest/gtest.h>

#include <future>

#include "conformance.h"
#include "cordon/host.h"

namespace {

namespace echo = typed::cordon_::conformance::echo;
namespace behaviour = typed::cordon_::conformance::behaviour;

class GeneratedCalls : public testing::Test {
 protected:
  void SetUp() override {
    host_ = cordon::Host::Create({.compiler = cordon::HostOptions::Compiler::kInProcess}).value();
    auto plugin = host_->Load(CORDON_GUESTS_DIR "/conformance.wasm");
    ASSERT_TRUE(plugin.has_value()) << plugin.error().message;
    plugin_ = std::move(*plugin);
  }

  std::optional<cordon::Host> host_;
  std::optional<cordon::Plugin> plugin_;
};

TEST_F(GeneratedCalls, GiveBackEveryType) {
  const echo::Echo calls = echo::Echo::Bind(*plugin_).value();
  auto instance = plugin_->NewInstance().value();

  echo::Tree tree;
  tree.label = "a tree";
  tree.outcome = std::unexpected("none");
  tree.shapes = {{echo::Shape::Circle{2.5}}, {echo::Shape::Polygon{{{1, 2}, {3, 4}}}}, {echo::Shape::Nothing{}}};
  tree.access = echo::Access::read | echo::Access::execute;
  tree.color = echo::Color::blue;
  tree.pairs = {{"readings", {.id = 7, .doubles = {0.5}, .rows = {{1}, {}, {2, 3}}, .switches = {true}}}};
  EXPECT_EQ(calls.EchoTree(tree), tree);
  EXPECT_EQ(calls.EchoTree(instance, tree), tree);

  const echo::Shape labelled{echo::Shape::Labelled{{"name", 3}}};
  EXPECT_EQ(calls.EchoVariant(instance, labelled), labelled);
  EXPECT_EQ(calls.EchoManyFlags(instance, echo::Many::f31 | echo::Many::f0), echo::Many::f31 | echo::Many::f0);
  const std::vector<std::uint8_t> bytes(5000, 7);
  EXPECT_EQ(calls.EchoListU8(instance, bytes), bytes);
  EXPECT_EQ(calls.EchoString(instance, "text"), "text");
  EXPECT_EQ(calls.EchoChar(instance, U'ä'), U'ä');
  EXPECT_TRUE(calls.Nothing(instance).has_value());
  const auto answer = calls.EchoResult(instance, std::unexpected("an error of the plugin"));
  ASSERT_TRUE(answer.has_value());  // the call worked; its value is an error
  EXPECT_EQ(answer->error(), "an error of the plugin");
}

TEST_F(GeneratedCalls, WorkAsynchronouslyAndWithOptions) {
  const echo::Echo calls = echo::Echo::Bind(*plugin_).value();
  std::promise<cordon::Result<std::string>> promise;
  calls.EchoStringAsync({}, {}, "later").Then([&](cordon::Result<std::string> result) {
    promise.set_value(std::move(result));
  });
  EXPECT_EQ(promise.get_future().get(), "later");

  cordon::CallOptions late;
  late.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_EQ(calls.EchoString(late, "never").error().code, cordon::Code::kTimeout);
}

TEST_F(GeneratedCalls, KeepAnInstance) {
  const behaviour::Behaviour calls = behaviour::Behaviour::Bind(*plugin_).value();
  auto instance = plugin_->NewInstance().value();
  EXPECT_EQ(calls.Count(instance), 1u);
  EXPECT_EQ(calls.Count(instance), 2u);
  EXPECT_EQ(calls.Count(), 1u);
}

TEST_F(GeneratedCalls, AreBoundToTheRightPlugin) {
  auto other = host_->Load(CORDON_GUESTS_DIR "/bench.wasm");
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(echo::Echo::Bind(*other).error().code, cordon::Code::kNotFound);
}

}  // namespace
