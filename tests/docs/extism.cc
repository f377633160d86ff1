// A plugin written for Extism, and functions that it imports from its host.
#include <cordon/host.h>

#include <iostream>
#include <vector>

// [error]
struct ExtismError {
  std::int32_t code = 0;  // what the export returned
  std::string message;    // what it set
};
CORDON_RECORD(ExtismError, code, message);
// [/error]

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];
  // [functions]
  cordon::Service user("extism:host/user");
  user.Function(
      "price_of", cordon::Needs("prices"),
      [](const cordon::ServiceCall&, std::string article) -> std::uint32_t { return article == "shoes" ? 80 : 0; });
  user.Function("announce", cordon::Needs("prices"),
                [](const cordon::ServiceCall&, std::string text, std::uint32_t times) {
                  std::string all;
                  for (std::uint32_t i = 0; i < times; ++i) all += text + "! ";
                  return all;
                });
  auto host = cordon::Host::Create();
  if (const cordon::Status registered = host->Register(std::move(user)); !registered) return 1;
  auto plugin = host->Load(guests / "extism_shop.wasm", {.grants = {"host:prices"}});
  // [/functions]
  if (!plugin) {
    std::cerr << plugin.error().message << "\n";
    return 1;
  }
  // [json]
  auto answer = plugin->Call("price_of", R"("shoes")");
  std::cout << answer->json << "\n";  // 80: what it gave is JSON
  // [/json]
  std::cout << plugin->Call("announce", R"("sale")")->json << "\n";
  // [bytes]
  using Bytes = std::vector<std::uint8_t>;
  auto price_of = plugin->Function<std::expected<Bytes, ExtismError>(Bytes)>("price_of");
  const auto priced = (*price_of)(Bytes{'h', 'a', 't', 's'});
  if (!*priced) std::cout << priced->error().code << " " << priced->error().message << "\n";
  // [/bytes]
  return 0;
}
