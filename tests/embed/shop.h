// What the embedding tests share: the guest `shop`, its types, and a host that offers it prices.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "cordon/host.h"

namespace shop {

#ifdef CORDON_DEFAULT_PLACEMENT
constexpr bool kInWorkers = true;
#else
constexpr bool kInWorkers = false;
#endif

// AddressSanitizer keeps what was freed for a while; both map terabytes.
#ifdef CORDON_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
// ThreadSanitizer has a thread of its own, and does not go on in a child of fork.
#ifdef CORDON_SANITIZED_THREADS
constexpr bool kSanitizedThreads = true;
#else
constexpr bool kSanitizedThreads = false;
#endif

enum class Currency { eur, usd };
struct Article {
  std::string name;
  std::uint32_t amount = 0;
  Currency currency = Currency::eur;
  friend bool operator==(const Article&, const Article&) = default;
};

}  // namespace shop

CORDON_ENUM(shop::Currency, eur, usd);
CORDON_RECORD(shop::Article, name, amount, currency);

namespace shop {

inline std::filesystem::path Guest(const std::string& name = "shop") {
  return std::filesystem::path(CORDON_GUESTS_DIR) / (name + ".wasm");
}

// The same service, of which only `price-of` does anything.
inline cordon::Service PricesOf(std::function<std::optional<std::uint32_t>(const std::string& article)> price) {
  cordon::Service prices("acme:shop/prices@1.0.0");
  prices
      .Function(
          "price-of", cordon::Needs("prices"),
          [price = std::move(price)](const cordon::ServiceCall&, const std::string& article) { return price(article); })
      .Function("describe", cordon::Needs("prices"),
                [](const cordon::ServiceCall&, const std::string&) -> std::expected<Article, std::string> {
                  return std::unexpected("not for you");
                })
      .Function("total", cordon::Needs("prices"),
                [](const cordon::ServiceCall&, const std::vector<std::uint32_t>&) -> std::uint64_t { return 0; })
      .Function("wait", cordon::Needs("prices"), [](const cordon::ServiceCall&) {})
      .Function("fail", cordon::Needs("prices"), [](const cordon::ServiceCall&) {});
  return prices;
}

// Whatever the article is.
inline cordon::Service PricesWith(std::function<std::optional<std::uint32_t>()> price) {
  return PricesOf([price = std::move(price)](const std::string&) { return price(); });
}

inline cordon::Service Prices() {
  cordon::Service prices("acme:shop/prices@1.0.0");
  prices
      .Function("price-of", cordon::Needs("prices"),
                [](const cordon::ServiceCall&, std::string article) -> std::optional<std::uint32_t> {
                  if (article != "shoes") return std::nullopt;
                  return 80;
                })
      .Function("describe", cordon::Needs("catalogue").PerTarget(),
                [](const cordon::ServiceCall& call, const std::string& article) -> std::expected<Article, std::string> {
                  if (article == "careless") return Article{"given without asking", 1, Currency::eur};
                  if (!call.Allow(article)) return std::unexpected("not for you");
                  return Article{article, 80, Currency::usd};
                })
      .Function(
          "total", cordon::Needs("prices"),
          [](const cordon::ServiceCall&, const std::vector<std::uint32_t>& amounts) {
            std::uint64_t total = 0;
            for (const std::uint32_t amount : amounts) total += amount;
            return total;
          },
          cordon::Runs::kInline)
      .Function("wait", cordon::Needs("prices"),
                [](const cordon::ServiceCall&) { std::this_thread::sleep_for(std::chrono::milliseconds(300)); })
      .Function("fail", cordon::Needs("prices"),
                [](const cordon::ServiceCall&) { throw std::runtime_error("out of stock"); });
  return prices;
}

// A host that offers prices, and the shop with everything that it asks for.
struct Loaded {
  std::shared_ptr<cordon::AuditMemory> audit = cordon::AuditMemory::Make();
  cordon::Result<cordon::Host> host = cordon::Fail(cordon::Code::kInternal, "not made");
  cordon::Result<cordon::Plugin> plugin = cordon::Fail(cordon::Code::kInternal, "not loaded");
};

inline Loaded Load(cordon::HostOptions options = {},
                   std::vector<std::string> grants = {"host:prices", "host:catalogue"}) {
  Loaded loaded;
  if (options.audit == nullptr) options.audit = loaded.audit;
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  loaded.host = cordon::Host::Create(std::move(options));
  EXPECT_TRUE(loaded.host) << loaded.host.error().message;
  EXPECT_TRUE(loaded.host->Register(Prices()));
  cordon::LoadOptions load;
  load.grants = std::move(grants);
  loaded.plugin = loaded.host->Load(Guest(), load);
  return loaded;
}

// The code of a failure; kInternal with a test failure when there was none.
template <typename T>
cordon::Code CodeOf(const cordon::Result<T>& result) {
  if (result) {
    ADD_FAILURE() << "succeeded";
    return cordon::Code::kInternal;
  }
  return result.error().code;
}

}  // namespace shop
