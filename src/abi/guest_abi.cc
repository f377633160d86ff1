#include "abi/guest_abi.h"

namespace cordon::abi {
namespace {

Result<Binding> BindExport(const wit::Contract& contract, const engine::Linked& linked, std::string_view export_name) {
  CORDON_ASSIGN(const ExportRef target, ResolveExport(contract, export_name));
  CORDON_TRY(CheckCrossable(contract, *target.function));
  CORDON_ASSIGN(engine::Function function, linked.Find({std::string(target.interface_name), target.function->name}));
  return Binding{target, std::move(function)};
}

Outcome::Answer AnswerOf(const wit::Contract& contract, const wit::Function& function,
                         std::span<const std::uint8_t> wire) {
  const bool has_result = function.result != wit::kNone && contract.At(function.result).kind == wit::Kind::kResult;
  return has_result && !wire.empty() && wire[0] == 1 ? Outcome::Answer::kPluginError : Outcome::Answer::kOk;
}

}  // namespace

Result<Outcome> GuestAbi::Invoke(engine::Instance& instance, const Binding& binding, std::string_view input_json,
                                 const engine::CallLimits& limits, std::uint64_t call_id) const {
  std::vector<std::uint8_t> input, output;
  CORDON_TRY(Lower(binding, input_json, input));
  CORDON_TRY(instance.Call(binding.function, input, output, limits, call_id));
  return Lift(binding, output);
}

Status GuestAbi::LowerRaw(const Binding&, std::string_view, std::vector<std::uint8_t>&) const {
  return Fail(Code::kUsage, "the plugin takes values, not bytes", "give it JSON: leave --raw out");
}

Result<Outcome> GuestAbi::LiftRaw(const Binding&, std::span<const std::uint8_t>) const {
  return Fail(Code::kUsage, "the plugin gives values, not bytes", "take its JSON: leave --raw out");
}

Result<Binding> ComponentAbi::Bind(const engine::Linked& linked, std::string_view export_name) const {
  return BindExport(*contract_, linked, export_name);
}

Status ComponentAbi::Lower(const Binding& binding, std::string_view input_json, std::vector<std::uint8_t>& wire) const {
  return EncodeParamsText(*contract_, *binding.target.function, input_json, wire, limits_);
}

Result<Outcome> ComponentAbi::Lift(const Binding& binding, std::span<const std::uint8_t> wire) const {
  Outcome outcome;
  outcome.answer = AnswerOf(*contract_, *binding.target.function, wire);
  CORDON_TRY(DecodeResultText(*contract_, *binding.target.function, wire, outcome.json, limits_));
  return outcome;
}

Result<Binding> CoreAbi::Bind(const engine::Linked& linked, std::string_view export_name) const {
  return BindExport(*contract_, linked, export_name);
}

Status CoreAbi::Lower(const Binding& binding, std::string_view input_json, std::vector<std::uint8_t>& wire) const {
  return EncodeParamsText(*contract_, *binding.target.function, input_json, wire, limits_);
}

Result<Outcome> CoreAbi::Lift(const Binding& binding, std::span<const std::uint8_t> wire) const {
  Outcome outcome;
  CORDON_TRY(DecodeResultText(*contract_, *binding.target.function, wire, outcome.json, limits_));
  return outcome;
}

std::unique_ptr<GuestAbi> MakeGuestAbi(std::shared_ptr<const wit::Contract> contract, const ValueLimits& limits) {
  if (contract->kind == wit::Contract::Kind::kModule) return std::make_unique<CoreAbi>(std::move(contract), limits);
  return std::make_unique<ComponentAbi>(std::move(contract), limits);
}

}  // namespace cordon::abi
