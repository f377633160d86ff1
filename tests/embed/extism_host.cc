// Runs a plugin for Extism with functions of this program: what tests/e2e/extism_parity_test.py puts beside Extism.
//
//     extism_host FILE EXPORT INPUT
//
// Writes the output as it is; the plugin's own error goes to standard error, with status 10; any other with 1.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cordon/host.h"

namespace peer {

// A plugin for Extism gives bytes, or this.
struct PluginError {
  std::int32_t code = 0;
  std::string message;
};

}  // namespace peer

CORDON_RECORD(peer::PluginError, code, message);

namespace {

using Block = std::vector<std::uint8_t>;

Block Upper(Block text) {
  std::ranges::transform(text, text.begin(), [](std::uint8_t c) { return static_cast<std::uint8_t>(std::toupper(c)); });
  return text;
}

cordon::Status RegisterAll(cordon::Host& host) {
  cordon::Service user("extism:host/user");
  user.Function("mult", cordon::Needs("math"),
                [](const cordon::ServiceCall&, std::int64_t a, std::int64_t b) -> std::int64_t { return a * b; });
  user.Function("hostGreenMessage", cordon::Needs("messages"),
                [](const cordon::ServiceCall&, std::string text) -> std::string { return "green:" + text; });
  user.Function("hostPurpleMessage", cordon::Needs("messages"),
                [](const cordon::ServiceCall&, std::string text) -> std::string { return "purple:" + text; });
  cordon::Service other("host");
  other.Function(
      "to_upper", cordon::Needs("text"),
      [](const cordon::ServiceCall&, Block text) -> Block { return Upper(std::move(text)); }, cordon::Runs::kInline);
  if (auto done = host.Register(std::move(user)); !done) return done;
  return host.Register(std::move(other));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto fail = [](const cordon::Error& error) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    for (const cordon::Error& cause : error.causes) std::fprintf(stderr, "%s\n", cause.message.c_str());
    return 1;
  };
  auto host = cordon::Host::Create();
  if (!host) return fail(host.error());
  if (auto done = RegisterAll(*host); !done) return fail(done.error());
  auto plugin = host->Load(argv[1], {.grants = {"host:math", "host:messages", "host:text"}});
  if (!plugin) return fail(plugin.error());
  auto function = plugin->Function<std::expected<Block, peer::PluginError>(Block)>(argv[2]);
  if (!function) return fail(function.error());
  const std::string input = argv[3];
  const auto answer = (*function)(Block(input.begin(), input.end()));
  if (!answer) return fail(answer.error());
  if (*answer) {
    std::fwrite((*answer)->data(), 1, (*answer)->size(), stdout);
    return 0;
  }
  std::fprintf(stderr, "%s\n", answer->error().message.c_str());
  return 10;
}
