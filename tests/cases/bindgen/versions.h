// C++ for the WIT world acme:app/app, written by `cordon bindgen` 0.1.0. Do not edit: change the WIT and write it
// again.
//
// Two versions of one package, and a namespace that stands inside another.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "cordon/plugin.h"
#include "cordon/service.h"
#include "cordon/value.h"

namespace old::api_v1_0_0::calls {

struct State {
  std::uint32_t code{};

  bool operator==(const State&) const = default;
};

}  // namespace old::api_v1_0_0::calls

namespace old::api_v2_0_0_rc_1::calls {

struct State {
  std::uint64_t code{};

  bool operator==(const State&) const = default;
};

}  // namespace old::api_v2_0_0_rc_1::calls

namespace other::old::calls {

using State = ::old::api_v2_0_0_rc_1::calls::State;

}  // namespace other::old::calls

CORDON_RECORD(::old::api_v1_0_0::calls::State, code);
CORDON_RECORD(::old::api_v2_0_0_rc_1::calls::State, code);

namespace old::api_v2_0_0_rc_1::calls {

// Calls old:api/calls@2.0.0-rc.1 in a plugin. Immutable and thread-safe; copies are cheap.
class Calls {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Calls> Bind(const cordon::Plugin& plugin) {
    Calls bound;
    CORDON_TRY(Find(plugin, "old:api/calls@2.0.0-rc.1#get", bound.get_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<State> Get() const { return get_(); }
  cordon::Result<State> Get(const cordon::CallOptions& options) const { return get_.Call(options); }
  cordon::Result<State> Get(cordon::Instance& instance) const { return get_.On(instance); }
  cordon::Result<State> Get(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return get_.On(instance, options);
  }
  cordon::Pending<State> GetAsync(cordon::Executor executor, cordon::CallOptions options) const {
    return get_.Async(std::move(executor), std::move(options));
  }

 private:
  Calls() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<State()> get_{nullptr};
};

}  // namespace old::api_v2_0_0_rc_1::calls

namespace other::old::calls {

// Calls other:old/calls in a plugin. Immutable and thread-safe; copies are cheap.
class Calls {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Calls> Bind(const cordon::Plugin& plugin) {
    Calls bound;
    CORDON_TRY(Find(plugin, "other:old/calls#both", bound.both_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<std::vector<State>> Both(const State& state) const { return both_(state); }
  cordon::Result<std::vector<State>> Both(const cordon::CallOptions& options, const State& state) const {
    return both_.Call(options, state);
  }
  cordon::Result<std::vector<State>> Both(cordon::Instance& instance, const State& state) const {
    return both_.On(instance, state);
  }
  cordon::Result<std::vector<State>> Both(cordon::Instance& instance, const cordon::CallOptions& options,
                                          const State& state) const {
    return both_.On(instance, options, state);
  }
  cordon::Pending<std::vector<State>> BothAsync(cordon::Executor executor, cordon::CallOptions options,
                                                const State& state) const {
    return both_.Async(std::move(executor), std::move(options), state);
  }

 private:
  Calls() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<std::vector<State>(State)> both_{nullptr};
};

}  // namespace other::old::calls

namespace old::api_v1_0_0::calls {

// Answers old:api/calls@1.0.0. Functions run at the same time on many threads: what they share must lock itself. An
// error ends the guest's call; what WIT calls an error is a value of the result.
class Calls {
 public:
  virtual ~Calls() = default;

  virtual cordon::Result<State> Get(const cordon::ServiceCall& call) = 0;
};

// For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of `needs`.
inline cordon::Service MakeCallsService(std::shared_ptr<Calls> object, const cordon::Needs& needs,
                                        cordon::Runs runs = cordon::Runs::kAside) {
  cordon::Service service("old:api/calls@1.0.0");
  service.Function("get", needs, object, &Calls::Get, runs);
  return service;
}

}  // namespace old::api_v1_0_0::calls
