// C++ for the WIT world acme:large/codes-world, written by `cordon bindgen` 0.1.0. Do not edit: change the WIT and
// write it again.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "cordon/plugin.h"
#include "cordon/value.h"

namespace acme::large::codes {

enum class Code : std::uint8_t {
  c0,
  c1,
  c2,
  c3,
  c4,
  c5,
  c6,
  c7,
  c8,
  c9,
  c10,
  c11,
  c12,
  c13,
  c14,
  c15,
  c16,
  c17,
  c18,
  c19,
  c20,
  c21,
  c22,
  c23,
  c24,
  c25,
  c26,
  c27,
  c28,
  c29,
  c30,
  c31,
  c32,
  c33,
  c34,
  c35,
  c36,
  c37,
  c38,
  c39,
  c40,
  c41,
  c42,
  c43,
  c44,
  c45,
  c46,
  c47,
  c48,
  c49,
  c50,
  c51,
  c52,
  c53,
  c54,
  c55,
  c56,
  c57,
  c58,
  c59,
  c60,
  c61,
  c62,
  c63,
  c64,
  c65,
  c66,
  c67,
  c68,
  c69,
  c70,
  c71,
  c72,
  c73,
  c74,
  c75,
  c76,
  c77,
  c78,
  c79,
  c80,
  c81,
  c82,
  c83,
  c84,
  c85,
  c86,
  c87,
  c88,
  c89,
  c90,
  c91,
  c92,
  c93,
  c94,
  c95,
  c96,
  c97,
  c98,
  c99,
};

}  // namespace acme::large::codes

template <>
struct cordon::WitType<acme::large::codes::Code> {
  static constexpr std::size_t kBytesMin = 4;
  static void Shape(std::string& out) {
    out +=
        "enum{c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16,c17,c18,c19,c20,c21,c22,c23,c24,c25,c26,c27,"
        "c28,c29,c30,c31,c32,c33,c34,c35,c36,c37,c38,c39,c40,c41,c42,c43,c44,c45,c46,c47,c48,c49,c50,c51,c52,c53,c54,"
        "c55,c56,c57,c58,c59,c60,c61,c62,c63,c64,c65,c66,c67,c68,c69,c70,c71,c72,c73,c74,c75,c76,c77,c78,c79,c80,c81,"
        "c82,c83,c84,c85,c86,c87,c88,c89,c90,c91,c92,c93,c94,c95,c96,c97,c98,c99}";
  }
  static void Encode(Encoder& out, acme::large::codes::Code value) { out.Number(static_cast<std::uint32_t>(value)); }
  static void Decode(Decoder& in, acme::large::codes::Code& value) {
    value = static_cast<acme::large::codes::Code>(in.Case(100));
  }
};

namespace acme::large::codes {

// Calls acme:large/codes in a plugin. Immutable and thread-safe; copies are cheap.
class Codes {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Codes> Bind(const cordon::Plugin& plugin) {
    Codes bound;
    CORDON_TRY(Find(plugin, "acme:large/codes#get", bound.get_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<Code> Get() const { return get_(); }
  cordon::Result<Code> Get(const cordon::CallOptions& options) const { return get_.Call(options); }
  cordon::Result<Code> Get(cordon::Instance& instance) const { return get_.On(instance); }
  cordon::Result<Code> Get(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return get_.On(instance, options);
  }
  cordon::Pending<Code> GetAsync(cordon::Executor executor, cordon::CallOptions options) const {
    return get_.Async(std::move(executor), std::move(options));
  }

 private:
  Codes() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<Code()> get_{nullptr};
};

}  // namespace acme::large::codes
