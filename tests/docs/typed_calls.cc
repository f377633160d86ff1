// Calls and a service through the classes that `cordon bindgen` wrote for the world acme:shop/shop.
#include <cordon/host.h>

#include <iostream>

#include "shop.h"

// [service]
namespace prices = acme::shop::prices;

class PriceList : public prices::Prices {
 public:
  cordon::Result<std::optional<std::uint32_t>> PriceOf(const cordon::ServiceCall&, std::string article) override {
    if (article != "shoes") return std::nullopt;
    return 80u;
  }
  // What WIT calls an error is a value; cordon::Fail would end the plugin's call.
  cordon::Result<std::expected<prices::Article, std::string>> Describe(const cordon::ServiceCall&,
                                                                       std::string article) override {
    if (article != "shoes") return std::expected<prices::Article, std::string>(std::unexpect, "no such article");
    return prices::Article{.name = article, .amount = 80, .currency = prices::Currency::eur};
  }
  cordon::Result<std::uint64_t> Total(const cordon::ServiceCall&, std::vector<std::uint32_t> amounts) override {
    std::uint64_t total = 0;
    for (const std::uint32_t amount : amounts) total += amount;
    return total;
  }
  cordon::Result<void> Wait(const cordon::ServiceCall&) override { return {}; }
  cordon::Result<void> Fail(const cordon::ServiceCall&) override {
    return cordon::Fail(cordon::Code::kUnavailable, "the price list is being rewritten");
  }
};
// [/service]

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];

  auto host = cordon::Host::Create();
  // [register]
  const auto offered = prices::MakePricesService(std::make_shared<PriceList>(), cordon::Needs("prices"));
  if (const cordon::Status registered = host->Register(offered); !registered) return 1;

  cordon::LoadOptions options;
  options.grants = {"host:prices"};
  auto plugin = host->Load(guests / "shop.wasm", options);
  // [/register]
  if (!plugin) {
    std::cerr << plugin.error().message << "\n";
    return 1;
  }

  // [bind]
  const auto till = acme::shop::till::Till::Bind(*plugin);
  if (!till) {
    std::cerr << till.error().message << "\n";  // E_TYPE: both types are in it
    return 1;
  }
  const cordon::Result<std::int32_t> sum = till->Add(2, 3);
  const auto described = till->Describe("shoes");
  if (described && *described) std::cout << (*described)->name << " " << (*described)->amount << "\n";
  if (const auto none = till->Describe("hats"); none && !*none) std::cout << none->error() << "\n";
  // [/bind]
  std::cout << *sum << "\n";

  // [ways]
  cordon::CallOptions quick;
  quick.timeout = std::chrono::seconds(1);
  const auto price = till->Price(quick, "shoes");  // this call has less time

  auto instance = plugin->NewInstance();
  (void)till->Count(*instance);  // an instance that stays
  const auto count = till->Count(*instance);

  till->AddAsync(/*executor=*/{}, quick, 2, 3).Then([](cordon::Result<std::int32_t>) {});  // on the Host's threads
  // [/ways]
  std::cout << **price << " " << *count << "\n";
  return host->Shutdown() ? 0 : 1;
}
