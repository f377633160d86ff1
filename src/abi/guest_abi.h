// How a guest is called: JSON text in, JSON text out. One shape for every ABI.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "abi/export_ref.h"
#include "abi/value_codec.h"
#include "cordon/result.h"
#include "engine/engine.h"
#include "formats/wit.h"

namespace cordon::abi {

// What a call came to. A plugin that answers with an error of its own has answered: the call did not fail.
struct Outcome {
  enum class Answer : std::uint8_t { kOk, kPluginError /* the function's result is an err */ };
  Answer answer = Answer::kOk;
  std::string json;  // the whole result: {"err": …} too is what the function returned; of LiftRaw, bytes
};

// An export with all that a call needs, looked up once. Valid while its GuestAbi is.
struct Binding {
  ExportRef target;
  engine::Function function;
};

// Immutable and thread-safe: one for a plugin, shared by all its calls.
class GuestAbi {
 public:
  virtual ~GuestAbi() = default;

  // E_NOT_FOUND, or E_UNENFORCEABLE when a parameter or the result cannot cross.
  virtual Result<Binding> Bind(const engine::Linked& linked, std::string_view export_name) const = 0;
  // The two halves of a call, for callers that bring their own engine::CallOnce. Errors of the value codec.
  virtual Status Lower(const Binding& binding, std::string_view input_json, std::vector<std::uint8_t>& wire) const = 0;
  virtual Result<Outcome> Lift(const Binding& binding, std::span<const std::uint8_t> wire) const = 0;
  // The same with bytes as they are, for guests whose input and output are bytes; an error is JSON. E_USAGE for others.
  virtual Status LowerRaw(const Binding& binding, std::string_view bytes, std::vector<std::uint8_t>& wire) const;
  virtual Result<Outcome> LiftRaw(const Binding& binding, std::span<const std::uint8_t> wire) const;

  // Lower, engine::Instance::Call, Lift.
  Result<Outcome> Invoke(engine::Instance& instance, const Binding& binding, std::string_view input_json,
                         const engine::CallLimits& limits, std::uint64_t call_id = 0) const;
};

// Components: parameters and results as WIT has them.
class ComponentAbi final : public GuestAbi {
 public:
  explicit ComponentAbi(std::shared_ptr<const wit::Contract> contract, const ValueLimits& limits = {})
      : contract_(std::move(contract)), limits_(limits) {}
  Result<Binding> Bind(const engine::Linked& linked, std::string_view export_name) const override;
  Status Lower(const Binding& binding, std::string_view input_json, std::vector<std::uint8_t>& wire) const override;
  Result<Outcome> Lift(const Binding& binding, std::span<const std::uint8_t> wire) const override;

 private:
  std::shared_ptr<const wit::Contract> contract_;
  ValueLimits limits_;
};

// Core modules: numbers in under the names p0, p1 …, a number out; several results are an array.
class CoreAbi final : public GuestAbi {
 public:
  explicit CoreAbi(std::shared_ptr<const wit::Contract> contract, const ValueLimits& limits = {})
      : contract_(std::move(contract)), limits_(limits) {}
  Result<Binding> Bind(const engine::Linked& linked, std::string_view export_name) const override;
  Status Lower(const Binding& binding, std::string_view input_json, std::vector<std::uint8_t>& wire) const override;
  Result<Outcome> Lift(const Binding& binding, std::span<const std::uint8_t> wire) const override;

 private:
  std::shared_ptr<const wit::Contract> contract_;
  ValueLimits limits_;
};

// The one that fits the contract's kind; for a plugin for Extism see extism.h.
std::unique_ptr<GuestAbi> MakeGuestAbi(std::shared_ptr<const wit::Contract> contract, const ValueLimits& limits = {});

}  // namespace cordon::abi
