// Plugins written for Extism: core modules that import "extism:host/env". Their exports take bytes and give bytes or an
// error; nothing in the binary says what the bytes are. Pure; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "abi/guest_abi.h"
#include "formats/wit.h"
#include "policy/capability.h"

namespace cordon::abi {

inline constexpr std::string_view kExtismEnv = "extism:host/env";

// A function of "extism:host/env", as guests import it.
struct ExtismFunction {
  std::string_view name;
  std::string_view type;  // "(i64) -> i64"
  // What decides over it, and what a grant looks like. None: it holds no authority by itself.
  std::optional<policy::Kind> kind{};
  std::string_view grant{};
};
std::span<const ExtismFunction> ExtismFunctions();
// nullptr when there is none.
const ExtismFunction* FindExtismFunction(std::string_view name);

// Whether a bare binary is meant for Extism: it imports from its host. A manifest says so itself.
bool ImportsExtism(const wit::Contract& contract);

// The contract with every export that Extism would call as
//   func(input: list<u8>) -> result<list<u8>, extism-error>
// and without the types of the others, which are none of the plugin's actions.
wit::Contract AsExtism(const wit::Contract& contract);

// How a core function looks that answers a WIT function of this shape ("(string,u32)->list<u8>"): a text or a list of
// bytes is the offset of a block. Nothing when a type has no such form: 64- and 32-bit numbers, `string` and `list<u8>`
// have one.
struct BlockFunction {
  std::string type;    // "(i64, i32) -> i64"
  std::string blocks;  // "tn->b": text, number, bytes
};
std::optional<BlockFunction> AsBlocks(std::string_view shape);

// Input: a JSON text as what it says, null as nothing, any other JSON as it is written. Output: JSON when it is JSON,
// else a JSON text, and {"base64": …} for what is no text at all. An error is {"err": {"code": …, "message": …}}.
class ExtismAbi final : public GuestAbi {
 public:
  explicit ExtismAbi(std::shared_ptr<const wit::Contract> contract, const ValueLimits& limits = {})
      : contract_(std::move(contract)), limits_(limits) {}
  Result<Binding> Bind(const engine::Linked& linked, std::string_view export_name) const override;
  Status Lower(const Binding& binding, std::string_view input_json, std::vector<std::uint8_t>& wire) const override;
  Result<Outcome> Lift(const Binding& binding, std::span<const std::uint8_t> wire) const override;
  Status LowerRaw(const Binding& binding, std::string_view bytes, std::vector<std::uint8_t>& wire) const override;
  Result<Outcome> LiftRaw(const Binding& binding, std::span<const std::uint8_t> wire) const override;

 private:
  std::shared_ptr<const wit::Contract> contract_;
  ValueLimits limits_;
};

}  // namespace cordon::abi
