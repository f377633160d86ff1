// A service of the embedder's own, in full.
#include <cordon/host.h>

#include <iostream>
#include <map>
#include <mutex>
#include <thread>

// [types]
enum class Currency { eur, usd };
struct Article {
  std::string name;
  std::uint32_t amount = 0;
  Currency currency = Currency::eur;
};
CORDON_ENUM(Currency, eur, usd);
CORDON_RECORD(Article, name, amount, currency);
// [/types]

// [service]
cordon::Service Prices(const std::map<std::string, std::uint32_t>& stock) {
  cordon::Service prices("acme:shop/prices@1.0.0");
  prices.Function("price-of", cordon::Needs("prices"),
                  [&](const cordon::ServiceCall&, std::string article) -> std::optional<std::uint32_t> {
                    const auto found = stock.find(article);
                    if (found == stock.end()) return std::nullopt;
                    return found->second;
                  });
  // [/service]
  // [targets]
  prices.Function("describe", cordon::Needs("catalogue").PerTarget(),
                  [&](const cordon::ServiceCall& call, std::string article) -> std::expected<Article, std::string> {
                    if (const cordon::Status allowed = call.Allow(article); !allowed) return std::unexpected("denied");
                    return Article{article, 80, Currency::eur};
                  });
  // [/targets]
  // [inline]
  prices.Function(
      "total", cordon::Needs("prices"),
      [](const cordon::ServiceCall&, const std::vector<std::uint32_t>& amounts) {
        std::uint64_t total = 0;
        for (const std::uint32_t amount : amounts) total += amount;
        return total;
      },
      cordon::Runs::kInline);
  // [/inline]
  // [failing]
  prices.Function("fail", cordon::Needs("prices"), [](const cordon::ServiceCall&) -> cordon::Result<void> {
    return cordon::Fail(cordon::Code::kUnavailable, "the price list is being rewritten", "try again in a minute");
  });
  // [/failing]
  // [later]
  prices.AsyncFunction("wait", cordon::Needs("prices"), [](cordon::Reply<void> reply) {
    // Where a program asks its database; any thread may answer. Nothing waits meanwhile but the guest.
    std::thread([reply = std::move(reply)]() mutable { std::move(reply).Give(); }).detach();
  });
  // [/later]
  return prices;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];
  const std::map<std::string, std::uint32_t> stock = {{"shoes", 80}};
  // [register]
  auto host = cordon::Host::Create();
  if (const cordon::Status registered = host->Register(Prices(stock)); !registered) return 1;

  cordon::LoadOptions options;
  options.grants = {"host:prices", "host:catalogue:sh*"};
  auto plugin = host->Load(guests / "shop.wasm", options);
  // [/register]
  if (!plugin) {
    std::cerr << plugin.error().message << "\n";
    return 1;
  }
  for (const auto& [action, input] :
       {std::pair("price", R"({"article": "shoes"})"), std::pair("describe", R"({"article": "shoes"})"),
        std::pair("describe", R"({"article": "boots"})"), std::pair("total", R"({"amounts": [1, 2, 3]})"),
        std::pair("failing", "{}")}) {
    const auto answer = plugin->Call(action, input);
    std::cout << action << " "
              << (answer ? answer->json
                         : std::string(cordon::CodeName(answer.error().code)) + ": " + answer.error().message)
              << "\n";
  }
}
