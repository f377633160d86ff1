// C++ for the WIT world acme:shop/shop@1.2.0, written by `cordon bindgen` 0.1.0. Do not edit: change the WIT and write
// it again.
//
// A shop as a plugin.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cordon/plugin.h"
#include "cordon/service.h"
#include "cordon/value.h"

namespace acme::shop::articles {

struct Article {
  std::string name{};
  std::uint32_t price{};

  bool operator==(const Article&) const = default;
};

}  // namespace acme::shop::articles

namespace acme::shop::prices {

using Article = acme::shop::articles::Article;

}  // namespace acme::shop::prices

namespace acme::shop::shop::inner {

enum class Mood : std::uint8_t { good, bad };

}  // namespace acme::shop::shop::inner

namespace acme::shop::checkout {

using Article = acme::shop::articles::Article;

using Item = acme::shop::articles::Article;

}  // namespace acme::shop::checkout

CORDON_RECORD(acme::shop::articles::Article, name, price);
CORDON_ENUM(acme::shop::shop::inner::Mood, good, bad);

namespace acme::shop::shop {

// Calls the functions of the world itself in a plugin. Immutable and thread-safe; copies are cheap.
class Shop {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Shop> Bind(const cordon::Plugin& plugin) {
    Shop bound;
    CORDON_TRY(Find(plugin, "open", bound.open_));
    CORDON_TRY(Find(plugin, "close", bound.close_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  // Opens the shop.
  cordon::Result<bool> Open(std::uint8_t hour) const { return open_(hour); }
  cordon::Result<bool> Open(const cordon::CallOptions& options, std::uint8_t hour) const {
    return open_.Call(options, hour);
  }
  cordon::Result<bool> Open(cordon::Instance& instance, std::uint8_t hour) const { return open_.On(instance, hour); }
  cordon::Result<bool> Open(cordon::Instance& instance, const cordon::CallOptions& options, std::uint8_t hour) const {
    return open_.On(instance, options, hour);
  }
  cordon::Pending<bool> OpenAsync(cordon::Executor executor, cordon::CallOptions options, std::uint8_t hour) const {
    return open_.Async(std::move(executor), std::move(options), hour);
  }

  cordon::Result<void> Close() const { return close_(); }
  cordon::Result<void> Close(const cordon::CallOptions& options) const { return close_.Call(options); }
  cordon::Result<void> Close(cordon::Instance& instance) const { return close_.On(instance); }
  cordon::Result<void> Close(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return close_.On(instance, options);
  }
  cordon::Pending<void> CloseAsync(cordon::Executor executor, cordon::CallOptions options) const {
    return close_.Async(std::move(executor), std::move(options));
  }

 private:
  Shop() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<bool(std::uint8_t)> open_{nullptr};
  cordon::TypedFunction<void()> close_{nullptr};
};

}  // namespace acme::shop::shop

namespace acme::shop::checkout {

// Calls acme:shop/checkout@1.2.0 in a plugin. Immutable and thread-safe; copies are cheap.
class Checkout {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Checkout> Bind(const cordon::Plugin& plugin) {
    Checkout bound;
    CORDON_TRY(Find(plugin, "acme:shop/checkout@1.2.0#total", bound.total_));
    CORDON_TRY(Find(plugin, "acme:shop/checkout@1.2.0#cheapest", bound.cheapest_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<std::expected<std::uint64_t, std::string>> Total(std::span<const Article> items,
                                                                  const std::optional<std::string>& coupon) const {
    return total_(items, coupon);
  }
  cordon::Result<std::expected<std::uint64_t, std::string>> Total(const cordon::CallOptions& options,
                                                                  std::span<const Article> items,
                                                                  const std::optional<std::string>& coupon) const {
    return total_.Call(options, items, coupon);
  }
  cordon::Result<std::expected<std::uint64_t, std::string>> Total(cordon::Instance& instance,
                                                                  std::span<const Article> items,
                                                                  const std::optional<std::string>& coupon) const {
    return total_.On(instance, items, coupon);
  }
  cordon::Result<std::expected<std::uint64_t, std::string>> Total(cordon::Instance& instance,
                                                                  const cordon::CallOptions& options,
                                                                  std::span<const Article> items,
                                                                  const std::optional<std::string>& coupon) const {
    return total_.On(instance, options, items, coupon);
  }
  cordon::Pending<std::expected<std::uint64_t, std::string>> TotalAsync(
      cordon::Executor executor, cordon::CallOptions options, std::span<const Article> items,
      const std::optional<std::string>& coupon) const {
    return total_.Async(std::move(executor), std::move(options), items, coupon);
  }

  cordon::Result<std::optional<Article>> Cheapest(std::span<const Article> of) const { return cheapest_(of); }
  cordon::Result<std::optional<Article>> Cheapest(const cordon::CallOptions& options,
                                                  std::span<const Article> of) const {
    return cheapest_.Call(options, of);
  }
  cordon::Result<std::optional<Article>> Cheapest(cordon::Instance& instance, std::span<const Article> of) const {
    return cheapest_.On(instance, of);
  }
  cordon::Result<std::optional<Article>> Cheapest(cordon::Instance& instance, const cordon::CallOptions& options,
                                                  std::span<const Article> of) const {
    return cheapest_.On(instance, options, of);
  }
  cordon::Pending<std::optional<Article>> CheapestAsync(cordon::Executor executor, cordon::CallOptions options,
                                                        std::span<const Article> of) const {
    return cheapest_.Async(std::move(executor), std::move(options), of);
  }

 private:
  Checkout() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<std::expected<std::uint64_t, std::string>(std::span<const Article>, std::optional<std::string>)>
      total_{nullptr};
  cordon::TypedFunction<std::optional<Article>(std::span<const Article>)> cheapest_{nullptr};
};

}  // namespace acme::shop::checkout

namespace acme::shop::prices {

// Prices, which the host knows.
//
// Answers acme:shop/prices@1.2.0. Functions run at the same time on many threads: what they share must lock itself. An
// error ends the guest's call; what WIT calls an error is a value of the result.
class Prices {
 public:
  virtual ~Prices() = default;

  // Nothing when it is not for sale.
  virtual cordon::Result<std::optional<std::uint32_t>> PriceOf(const cordon::ServiceCall& call, std::string name) = 0;

  // Whether it could be written down.
  virtual cordon::Result<std::expected<void, std::string>> SetPrice(const cordon::ServiceCall& call, Article article,
                                                                    std::expected<std::uint32_t, std::string> at) = 0;

  virtual cordon::Result<std::vector<Article>> All(const cordon::ServiceCall& call) = 0;

  virtual cordon::Result<void> Forget(const cordon::ServiceCall& call) = 0;
};

// For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of `needs`.
inline cordon::Service MakePricesService(std::shared_ptr<Prices> object, const cordon::Needs& needs,
                                         cordon::Runs runs = cordon::Runs::kAside) {
  cordon::Service service("acme:shop/prices@1.2.0");
  service.Function("price-of", needs, object, &Prices::PriceOf, runs);
  service.Function("set-price", needs, object, &Prices::SetPrice, runs);
  service.Function("all", needs, object, &Prices::All, runs);
  service.Function("forget", needs, object, &Prices::Forget, runs);
  return service;
}

}  // namespace acme::shop::prices

namespace acme::shop::shop::inner {

// Answers inner. Functions run at the same time on many threads: what they share must lock itself. An error ends the
// guest's call; what WIT calls an error is a value of the result.
class Inner {
 public:
  virtual ~Inner() = default;

  virtual cordon::Result<Mood> How(const cordon::ServiceCall& call) = 0;
};

// For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of `needs`.
inline cordon::Service MakeInnerService(std::shared_ptr<Inner> object, const cordon::Needs& needs,
                                        cordon::Runs runs = cordon::Runs::kAside) {
  cordon::Service service("inner");
  service.Function("how", needs, object, &Inner::How, runs);
  return service;
}

}  // namespace acme::shop::shop::inner

namespace acme::shop::shop {

// Answers the functions of the world itself. Functions run at the same time on many threads: what they share must lock
// itself. An error ends the guest's call; what WIT calls an error is a value of the result.
class ShopHost {
 public:
  virtual ~ShopHost() = default;

  // Says something to the operator.
  virtual cordon::Result<void> Announce(const cordon::ServiceCall& call, std::string text) = 0;
};

// For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of `needs`.
inline cordon::Service MakeShopHostService(std::shared_ptr<ShopHost> object, const cordon::Needs& needs,
                                           cordon::Runs runs = cordon::Runs::kAside) {
  cordon::Service service("");
  service.Function("announce", needs, object, &ShopHost::Announce, runs);
  return service;
}

}  // namespace acme::shop::shop
