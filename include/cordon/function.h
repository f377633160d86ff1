// A typed call: C++ values in, C++ values out, no JSON. The types are compared with the plugin's WIT once, when the
// function is looked up.
//
//   auto add = plugin.Function<std::int32_t(std::int32_t, std::int32_t)>("add");
//   if (!add) return add.error();              // E_TYPE: "add is (s32,s32)->s32 in the plugin and …"
//   cordon::Result<std::int32_t> sum = (*add)(2, 3);
#pragma once

#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "cordon/async.h"
#include "cordon/call.h"
#include "cordon/result.h"
#include "cordon/value.h"

namespace cordon {

class Instance;

namespace detail {

struct BoundFunction;
struct InstanceState;

// Gets the result's wire bytes, once, while the guest's memory is still there: pieces may point into it.
struct ResultSink {
  void (*take)(void* user, std::span<const ByteView> pieces) noexcept;
  void* user;
};
// `options` may be null. Neither throws.
Status CallBound(const BoundFunction& function, const CallOptions* options, std::span<const ByteView> input,
                 ResultSink sink) noexcept;
Status CallBoundOn(InstanceState& instance, const BoundFunction& function, const CallOptions* options,
                   std::span<const ByteView> input, ResultSink sink) noexcept;
// Owns `input`. `sink` runs on the Host's thread and must live until `done`, which runs on the executor.
void CallBoundAsync(std::shared_ptr<const BoundFunction> function, CallOptions options, std::string input,
                    ResultSink sink, Executor executor, std::move_only_function<void(Status)> done);
Error TooLargeToCross();
Error ResultMisfit();
Error NoMemory();

InstanceState& StateOf(Instance& instance);

// What a call gives: nothing, or a value with room for it.
template <typename R>
struct Received {
  R value{};
  bool fits = false, fell_short = false;
  static void Take(void* user, std::span<const ByteView> pieces) noexcept {
    auto* self = static_cast<Received*>(user);
    try {
      Decoder in(pieces);
      WitType<R>::Decode(in, self->value);
      self->fits = in.Finish();
    } catch (...) {
      self->fell_short = true;
    }
  }
};
template <>
struct Received<void> {
  bool fits = false, fell_short = false;
  static void Take(void* user, std::span<const ByteView> pieces) noexcept {
    static_cast<Received*>(user)->fits = Decoder(pieces).Finish();
  }
};

template <typename R>
Result<R> ResultOf(Status status, Received<R>& received) {
  if (!status) return Fail(std::move(status).error());
  if (received.fell_short) return Fail(NoMemory());
  if (!received.fits) return Fail(ResultMisfit());
  if constexpr (std::is_void_v<R>) {
    return {};
  } else {
    return std::move(received.value);
  }
}

}  // namespace detail

template <typename Signature>
class TypedFunction;

// Immutable and thread-safe; copies share what they hold, and keep the plugin's code alive. R is the whole WIT result:
// a function that returns result<T, E> has R = std::expected<T, E>.
template <typename R, typename... Args>
class TypedFunction<R(Args...)> {
  static_assert(
      std::is_void_v<R> || CrossingBack<R>,
      "the result has no WIT type, or cannot own what it holds: see cordon/value.h, CORDON_RECORD for structs");
  static_assert((Crossing<std::remove_cvref_t<Args>> && ...),
                "a parameter has no WIT type: see cordon/value.h, and CORDON_RECORD for structs");

 public:
  // "(s32,s32)->s32", as it is compared with the plugin's.
  static std::string Shape() {
    std::string shape = "(";
    std::size_t n = 0;
    ((shape += n++ > 0 ? "," : "", WitType<std::remove_cvref_t<Args>>::Shape(shape)), ...);
    shape += ')';
    if constexpr (!std::is_void_v<R>) {
      shape += "->";
      WitType<R>::Shape(shape);
    }
    return shape;
  }

  // In a fresh instance. Errors: those of Plugin::Call without the schema's.
  Result<R> operator()(const std::remove_cvref_t<Args>&... args) const { return Run(nullptr, nullptr, args...); }
  Result<R> Call(const CallOptions& options, const std::remove_cvref_t<Args>&... args) const {
    return Run(nullptr, &options, args...);
  }
  // In an instance of the same plugin that the caller keeps.
  Result<R> On(Instance& instance, const std::remove_cvref_t<Args>&... args) const {
    return Run(&detail::StateOf(instance), nullptr, args...);
  }
  Result<R> On(Instance& instance, const CallOptions& options, const std::remove_cvref_t<Args>&... args) const {
    return Run(&detail::StateOf(instance), &options, args...);
  }
  // On the Host's threads (async.h); the arguments are copied now.
  Pending<R> Async(Executor executor, CallOptions options, const std::remove_cvref_t<Args>&... args) const {
    std::string input;
    Encoder out;
    (WitType<std::remove_cvref_t<Args>>::Encode(out, args), ...);
    for (const ByteView piece : out.Pieces()) input.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return Pending<R>([bound = bound_, executor = std::move(executor), options = std::move(options),
                       input = std::move(input)](typename Pending<R>::Done done) mutable {
      auto received = std::make_shared<detail::Received<R>>();
      const detail::ResultSink sink{detail::Received<R>::Take, received.get()};
      detail::CallBoundAsync(std::move(bound), std::move(options), std::move(input), sink, std::move(executor),
                             [received, done = std::move(done)](Status status) mutable {
                               done(detail::ResultOf<R>(std::move(status), *received));
                             });
    });
  }

  explicit TypedFunction(std::shared_ptr<const detail::BoundFunction> bound) : bound_(std::move(bound)) {}

 private:
  Result<R> Run(detail::InstanceState* instance, const CallOptions* options,
                const std::remove_cvref_t<Args>&... args) const {
    try {
      Encoder out;
      (WitType<std::remove_cvref_t<Args>>::Encode(out, args), ...);
      if (out.too_large()) [[unlikely]]
        return Fail(detail::TooLargeToCross());
      detail::Received<R> received;
      const detail::ResultSink sink{detail::Received<R>::Take, &received};
      return detail::ResultOf<R>(instance == nullptr
                                     ? detail::CallBound(*bound_, options, out.Pieces(), sink)
                                     : detail::CallBoundOn(*instance, *bound_, options, out.Pieces(), sink),
                                 received);
    } catch (const std::bad_alloc&) {
      return Fail(detail::NoMemory());
    }
  }

  std::shared_ptr<const detail::BoundFunction> bound_;
};

}  // namespace cordon
