// Attack case 99 through the C API: no exception, a code, and handles that are made whole or not at all.
#include <cordon.h>

#include <filesystem>
#include <string>

#include "torture.h"

namespace {

using torture::Failing;
using torture::Mode;

cordon_text Text(const std::string& text) { return {text.data(), text.size()}; }

// A code of C as torture::IsClean knows them.
std::optional<cordon::Code> CodeOf(cordon_code code, cordon_failure* failure) {
  cordon_failure_free(failure);
  if (code == CORDON_OK) return std::nullopt;
  if (code == CORDON_E_MEMORY) return cordon::Code::kMemory;
  if (code == CORDON_E_INTERNAL || code == CORDON_E_SERVICE) return cordon::Code::kInternal;
  return cordon::Code::kPanic;
}

class attack_99_capi : public testing::TestWithParam<Mode> {};

TEST_P(attack_99_capi, LoadAndCall) {
  cordon_host_options options = {};
  options.size = sizeof options;
  options.compiler = CORDON_COMPILER_IN_PROCESS;
  cordon_host* host = nullptr;
  ASSERT_EQ(cordon_host_new(&options, &host, nullptr), CORDON_OK);
  const std::string source = std::filesystem::path(CORDON_GUESTS_DIR) / "core_math.wasm";
  const std::string action = "add";
  const std::string input = R"({"p0":1,"p1":2})";
  torture::Torture(GetParam(), 25, [&](Failing& failing) {
    cordon_plugin* plugin = nullptr;
    cordon_answer* answer = nullptr;
    cordon_failure* failure = nullptr;
    failing.Begin();
    cordon_code code = cordon_plugin_load(host, Text(source), nullptr, &plugin, &failure);
    EXPECT_EQ(code == CORDON_OK, plugin != nullptr);
    if (code == CORDON_OK) {
      code = cordon_plugin_call(plugin, Text(action), Text(input), nullptr, &answer, &failure);
      EXPECT_TRUE(code != CORDON_OK || answer != nullptr);
    }
    cordon_answer_free(answer);
    cordon_plugin_free(plugin);
    return CodeOf(code, failure);
  });
  cordon_host_free(host);
}

INSTANTIATE_TEST_SUITE_P(Memory, attack_99_capi, testing::Values(Mode::kOne, Mode::kFromHere), [](const auto& mode) {
  return std::string(mode.param == Mode::kOne ? "OneFails" : "AllFailFromThere");
});

}  // namespace
