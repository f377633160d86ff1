// A host service of your own: functions of a WIT interface that plugins import and your program answers.
//
//   cordon::Service prices("acme:shop/prices@1.0.0");
//   prices.Function("price-of", cordon::Needs("prices"),
//                   [&](const cordon::ServiceCall&, std::string article) -> std::optional<std::uint32_t> {
//                     return catalogue.Find(article);
//                   });
//   host->Register(std::move(prices));
//
// Every function names the capability that a plugin needs for it (there is no overload without): "prices" is
// `host: [prices]` in plugin.yaml and `host:prices` in a grant. A plugin that was not granted it has no such import.
// Each call is decided and audited before your code runs, its arguments have the types of your function (checked
// against the plugin's WIT when it is loaded, E_LINK), its deadline and its data are limited, and it is counted in
// Usage::host_calls. An exception ends the guest's call with E_SERVICE; nothing crosses the bridge.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "cordon/call.h"
#include "cordon/result.h"
#include "cordon/value.h"

namespace cordon {

// The call of a plugin that a service answers. Valid while the service's function runs; thread-safe.
class ServiceCall {
 public:
  virtual ~ServiceCall() = default;
  virtual std::string_view plugin() const = 0;                  // who asks: stamped by the host, never by the guest
  virtual const std::vector<std::string>& callers() const = 0;  // who called it, outermost first
  virtual const Principal& principal() const = 0;               // in whose name, as CallOptions said
  virtual std::uint64_t call_id() const = 0;
  virtual std::chrono::steady_clock::time_point deadline() const = 0;
  virtual std::string traceparent() const = 0;  // of the call, to pass on; empty when it belongs to no trace
  // Decides about one thing of many, under the function's capability: Needs("prices") and "eu/shoes" is
  // `host:prices:eu/shoes`. Audited. An error says E_DENIED: return it, or answer without that thing.
  virtual Status Allow(std::string_view target) const = 0;

 protected:
  ServiceCall() = default;
  ServiceCall(const ServiceCall&) = delete;
  ServiceCall& operator=(const ServiceCall&) = delete;
};

// The capability that a function needs: `name` is [a-z][a-z0-9-]*.
class Needs {
 public:
  explicit Needs(std::string name) : name_(std::move(name)) {}
  // The function asks for each thing by ServiceCall::Allow, so that a plugin may be granted some: `host:prices:eu/*`.
  // An answer that was given without asking is withheld (E_DENIED).
  Needs PerTarget() && {
    per_target_ = true;
    return std::move(*this);
  }
  const std::string& name() const { return name_; }
  bool is_per_target() const { return per_target_; }

 private:
  std::string name_;
  bool per_target_ = false;
};

// Where a function runs. All end with the guest's deadline: a function that is late goes on by itself, its answer is
// dropped, and whatever it refers to must live until it returns.
enum class Runs : std::uint8_t {
  kAside,   // on a thread of the engine, so that it may block: about 15 microseconds more
  kInline,  // on the guest's thread: for functions that never block
  kLater,   // on the guest's thread, and it answers by a Reply (AsyncFunction)
};

// Answers one question of a guest, from any thread, at any time before the guest's deadline: until then the guest waits
// and, where its call was made asynchronously, takes no thread. Move-only; belongs to one thread at a time. One that is
// let go unanswered ends the guest's call with E_SERVICE, as Fail does with the error's own code.
template <typename T>
class Reply;

namespace detail {

// A handler's reply: wire bytes, or the error that ends the guest's call.
using RawFunction = std::function<Status(const ServiceCall& call, ByteView payload, Encoder& reply)>;

// An answer that is still to be given. Let go without one, it ends the guest's call with E_SERVICE.
class PendingReply {
 public:
  virtual ~PendingReply() = default;
  virtual const ServiceCall& call() const = 0;
  // Once; then it is over.
  virtual void Give(Encoder& reply) = 0;
  virtual void Fail(Error error) = 0;
};
using RawAsyncFunction = std::function<void(std::unique_ptr<PendingReply> reply, ByteView payload)>;

template <typename F>
struct SignatureOf;  // of `R(const ServiceCall&, Args...)`

template <typename T>
struct ReplyType {
  using Value = T;
};
template <typename T>
struct ReplyType<std::expected<T, Error>> {  // an Error ends the guest's call
  using Value = T;
};

template <typename R, typename... Args>
struct ServedSignature {
  using Reply = typename ReplyType<R>::Value;
  using Arguments = std::tuple<std::remove_cvref_t<Args>...>;
  static_assert((CrossingBack<std::remove_cvref_t<Args>> && ...),
                "a parameter has no WIT type: see cordon/value.h, and CORDON_RECORD for structs");
  static_assert(std::is_void_v<Reply> || Crossing<Reply>, "the result has no WIT type: see cordon/value.h");

  static std::string Shape() {
    std::string shape = "(";
    std::size_t n = 0;
    ((shape += n++ > 0 ? "," : "", WitType<std::remove_cvref_t<Args>>::Shape(shape)), ...);
    shape += ')';
    if constexpr (!std::is_void_v<Reply>) {
      shape += "->";
      WitType<Reply>::Shape(shape);
    }
    return shape;
  }

  template <typename F>
  static RawFunction Wrap(F function) {
    return [function = std::move(function)](const ServiceCall& call, ByteView payload, Encoder& reply) -> Status {
      Decoder in(std::span<const ByteView>(&payload, 1));
      Arguments arguments;
      std::apply(
          [&](auto&... argument) { (WitType<std::remove_cvref_t<decltype(argument)>>::Decode(in, argument), ...); },
          arguments);
      if (!in.Finish()) return Fail(Code::kInvalid, "a message does not fit the function's parameters");
      return std::apply([&](auto&... argument) { return Answer(function, call, reply, std::move(argument)...); },
                        arguments);
    };
  }

 private:
  template <typename F, typename... Values>
  static Status Answer(const F& function, const ServiceCall& call, Encoder& reply, Values&&... values) {
    if constexpr (std::is_void_v<R>) {
      std::invoke(function, call, std::forward<Values>(values)...);
      return {};
    } else if constexpr (std::is_same_v<R, Reply>) {
      Keep(reply, std::invoke(function, call, std::forward<Values>(values)...));
      return {};
    } else {
      R result = std::invoke(function, call, std::forward<Values>(values)...);
      if (!result) return cordon::Fail(std::move(result).error());
      if constexpr (!std::is_void_v<Reply>) Keep(reply, std::move(*result));
      return {};
    }
  }
  // The encoder borrows long blocks of the value, so the value stays with the reply.
  template <typename V>
  static void Keep(Encoder& reply, V value) {
    auto kept = std::make_shared<const V>(std::move(value));
    WitType<V>::Encode(reply, *kept);
    reply.Hold(std::move(kept));
  }
};

template <typename R, typename C, typename... Args>
struct SignatureOf<R (C::*)(const ServiceCall&, Args...) const> : ServedSignature<R, Args...> {};

// Of `void(Reply<R>, Args...)`.
template <typename R, typename... Args>
struct AsyncSignature {
  static std::string Shape() { return ServedSignature<R, Args...>::Shape(); }

  template <typename F>
  static RawAsyncFunction Wrap(F function) {
    return [function = std::move(function)](std::unique_ptr<PendingReply> reply, ByteView payload) {
      Decoder in(std::span<const ByteView>(&payload, 1));
      std::tuple<std::remove_cvref_t<Args>...> arguments;
      std::apply(
          [&](auto&... argument) { (WitType<std::remove_cvref_t<decltype(argument)>>::Decode(in, argument), ...); },
          arguments);
      if (!in.Finish()) return reply->Fail(Error(Code::kInvalid, "a message does not fit the function's parameters"));
      std::apply([&](auto&... argument) { std::invoke(function, Reply<R>(std::move(reply)), std::move(argument)...); },
                 arguments);
    };
  }
};
template <typename F>
struct AsyncServed : AsyncServed<decltype(&F::operator())> {};
template <typename R, typename C, typename... Args>
struct AsyncServed<void (C::*)(Reply<R>, Args...) const> : AsyncSignature<R, Args...> {};
template <typename R, typename... Args>
struct AsyncServed<void (*)(Reply<R>, Args...)> : AsyncSignature<R, Args...> {};

template <typename F>
struct Served : SignatureOf<decltype(&F::operator())> {};
template <typename R, typename... Args>
struct Served<R (*)(const ServiceCall&, Args...)> : ServedSignature<R, Args...> {};

}  // namespace detail

template <typename T>
class [[nodiscard]] Reply {
 public:
  explicit Reply(std::unique_ptr<detail::PendingReply> pending) : pending_(std::move(pending)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) noexcept = default;

  // Valid as long as this. REQUIRES: not answered yet.
  const ServiceCall& call() const { return pending_->call(); }

  void Give(T value) && {
    Encoder reply;
    WitType<T>::Encode(reply, value);
    std::exchange(pending_, nullptr)->Give(reply);
  }
  void Fail(Error error) && { std::exchange(pending_, nullptr)->Fail(std::move(error)); }

 private:
  std::unique_ptr<detail::PendingReply> pending_;
};

template <>
class [[nodiscard]] Reply<void> {
 public:
  explicit Reply(std::unique_ptr<detail::PendingReply> pending) : pending_(std::move(pending)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) noexcept = default;
  const ServiceCall& call() const { return pending_->call(); }
  void Give() && {
    Encoder reply;
    std::exchange(pending_, nullptr)->Give(reply);
  }
  void Fail(Error error) && { std::exchange(pending_, nullptr)->Fail(std::move(error)); }

 private:
  std::unique_ptr<detail::PendingReply> pending_;
};

// A value until it is registered. Functions run at the same time on many threads: what they share must lock itself.
class Service {
 public:
  // As plugins import it: "acme:shop/prices@1.0.0".
  explicit Service(std::string interface_name) : interface_name_(std::move(interface_name)) {}

  // `function` takes a const ServiceCall& and the parameters of the WIT function by value or const reference, and
  // gives its result: T, or Result<T> when it may end the guest's call with an error of its own.
  template <typename F>
  Service& Function(std::string name, Needs capability, F function, Runs runs = Runs::kAside) {
    using H = detail::Served<std::decay_t<F>>;
    functions_.push_back(
        {std::move(name), H::Shape(), std::move(capability), runs, H::Wrap(std::decay_t<F>(std::move(function)))});
    return *this;
  }

  // `function` takes a Reply<T> and the parameters of the WIT function by value, returns at once, and answers when it
  // likes: `[&io](cordon::Reply<std::string> reply, std::string key) { io.Get(key, …); }`. What such a function waits
  // for takes no thread, so thousands of asynchronous calls may wait at once.
  template <typename F>
  Service& AsyncFunction(std::string name, Needs capability, F function) {
    using H = detail::AsyncServed<std::decay_t<F>>;
    functions_.push_back({std::move(name),
                          H::Shape(),
                          std::move(capability),
                          Runs::kLater,
                          {},
                          H::Wrap(std::decay_t<F>(std::move(function)))});
    return *this;
  }

  // A member function of an object that the service keeps.
  template <typename R, typename C, typename... Args>
  Service& Function(std::string name, Needs capability, std::shared_ptr<C> object,
                    R (C::*function)(const ServiceCall&, Args...), Runs runs = Runs::kAside) {
    return Function(
        std::move(name), std::move(capability),
        [object = std::move(object), function](const ServiceCall& call, std::remove_cvref_t<Args>... args) -> R {
          return (object.get()->*function)(call, std::move(args)...);
        },
        runs);
  }

  struct Entry {
    std::string name;
    std::string shape;  // "(string)->option<u32>"
    Needs capability;
    Runs runs;
    detail::RawFunction function;
    detail::RawAsyncFunction later{};  // of kLater, in its place
  };
  // A function whose types are known when the program runs: for bindings of other languages.
  Service& Add(Entry entry) {
    functions_.push_back(std::move(entry));
    return *this;
  }
  const std::string& interface_name() const { return interface_name_; }
  const std::vector<Entry>& functions() const { return functions_; }

 private:
  std::string interface_name_;
  std::vector<Entry> functions_;
};

}  // namespace cordon
