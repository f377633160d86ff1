#include "abi/extism.h"

#include <algorithm>

#include "abi/export_ref.h"
#include "abi/json_text.h"
#include "base/wire.h"
#include "formats/json.h"

namespace cordon::abi {
namespace {

using policy::Kind;

constexpr ExtismFunction kFunctions[] = {
    {"alloc", "(i64) -> i64"},
    {"free", "(i64)"},
    {"length", "(i64) -> i64"},
    {"length_unsafe", "(i64) -> i64"},
    {"load_u8", "(i64) -> i32"},
    {"load_u64", "(i64) -> i64"},
    {"store_u8", "(i64, i32)"},
    {"store_u64", "(i64, i64)"},
    {"input_load_u8", "(i64) -> i32"},
    {"input_load_u64", "(i64) -> i64"},
    {"input_set", "(i64, i64)"},
    {"input_offset", "() -> i64"},
    {"input_length", "() -> i64"},
    {"output_set", "(i64, i64)"},
    {"output_offset", "() -> i64"},
    {"output_length", "() -> i64"},
    {"error_set", "(i64)"},
    {"error_get", "() -> i64"},
    {"reset", "()"},
    {"memory_bytes", "() -> i64"},
    {"http_status_code", "() -> i32"},
    {"http_headers", "() -> i64"},
    {"var_get", "(i64) -> i64"},
    {"var_set", "(i64, i64)"},
    {"config_get", "(i64) -> i64", Kind::kConfig, "config"},
    {"http_request", "(i64, i64) -> i64", Kind::kHttp, "http:GET:https://HOST/*"},
    {"log_trace", "(i64)", Kind::kLog, "log"},
    {"log_debug", "(i64)", Kind::kLog, "log"},
    {"log_info", "(i64)", Kind::kLog, "log"},
    {"log_warn", "(i64)", Kind::kLog, "log"},
    {"log_error", "(i64)", Kind::kLog, "log"},
    {"get_log_level", "() -> i32", Kind::kLog, "log"},
};

wit::TypeRef Add(wit::Contract& contract, wit::Type type) {
  contract.types.push_back(std::move(type));
  return static_cast<wit::TypeRef>(contract.types.size() - 1);
}

// `list<u8>`, and what a call comes to.
struct ExtismTypes {
  wit::TypeRef bytes, result;
};
ExtismTypes AddTypes(wit::Contract& contract) {
  const wit::TypeRef byte = Add(contract, {.kind = wit::Kind::kU8});
  const wit::TypeRef bytes = Add(contract, {.kind = wit::Kind::kList, .element = byte});
  const wit::TypeRef code = Add(contract, {.kind = wit::Kind::kS32});
  const wit::TypeRef text = Add(contract, {.kind = wit::Kind::kString});
  const wit::TypeRef error =
      Add(contract, {.kind = wit::Kind::kRecord,
                     .name = "extism-error",
                     .fields = {{"code", code, "what the export returned"}, {"message", text, "what it set"}}});
  return {bytes, Add(contract, {.kind = wit::Kind::kResult, .element = bytes, .error = error})};
}

bool IsCalled(const wit::Item& item) {
  if (item.kind != wit::Item::Kind::kFunction || item.functions.size() != 1) return false;
  const std::string_view type = item.type_text;
  // One result at most.
  return type.starts_with("()") && type.find(',') == type.npos;
}

struct Answer {
  bool is_error = false;
  std::int32_t code = 0;
  std::string_view bytes;
};
Result<Answer> Read(std::span<const std::uint8_t> wire) {
  wire::Reader in(wire);
  Answer answer;
  answer.is_error = in.Bool();
  if (answer.is_error) answer.code = in.S32();
  const auto bytes = in.Raw(in.Count(1));
  answer.bytes = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  CORDON_TRY(in.Finish());
  return answer;
}

std::string ErrorJson(const Answer& answer) {
  std::string json = "{\"err\":{\"code\":" + std::to_string(answer.code) + ",\"message\":";
  AppendQuoted(json, answer.bytes);
  return json + "}}";
}

}  // namespace

std::span<const ExtismFunction> ExtismFunctions() { return kFunctions; }

const ExtismFunction* FindExtismFunction(std::string_view name) {
  const auto it = std::ranges::find(kFunctions, name, &ExtismFunction::name);
  return it == std::end(kFunctions) ? nullptr : it;
}

bool ImportsExtism(const wit::Contract& contract) {
  return contract.kind == wit::Contract::Kind::kModule &&
         std::ranges::any_of(contract.imports, [](const wit::Item& item) { return item.module == kExtismEnv; });
}

wit::Contract AsExtism(const wit::Contract& contract) {
  wit::Contract made = contract;
  const ExtismTypes types = AddTypes(made);
  for (wit::Item& item : made.exports) {
    if (!IsCalled(item)) {
      item.kind = wit::Item::Kind::kOther;
      continue;
    }
    wit::Function& function = item.functions.front();
    function.params = {{"input", types.bytes, ""}};
    function.result = types.result;
  }
  return made;
}

std::optional<BlockFunction> AsBlocks(std::string_view shape) {
  const std::size_t arrow = shape.find(")->");
  const std::size_t close = arrow == shape.npos ? shape.size() - 1 : arrow;
  if (shape.size() < 2 || shape.front() != '(' || shape[close] != ')') return std::nullopt;
  BlockFunction made;
  const auto add = [&made](std::string_view type) {
    const bool is_text = type == "string", is_bytes = type == "list<u8>";
    made.blocks += is_text ? 't' : is_bytes ? 'b' : 'n';
    if (is_text || is_bytes || type == "u64" || type == "s64") return made.type += "i64", true;
    if (type == "u32" || type == "s32") return made.type += "i32", true;
    if (type == "f32" || type == "f64") return made.type += type, true;
    return false;
  };
  made.type = "(";
  for (std::string_view rest = shape.substr(1, close - 1); !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (made.type.size() > 1) made.type += ", ";
    if (!add(rest.substr(0, end))) return std::nullopt;
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  made.type += ")";
  made.blocks += "->";
  if (arrow == shape.npos) return made;
  made.type += " -> ";
  if (!add(shape.substr(arrow + 3))) return std::nullopt;
  return made;
}

Result<Binding> ExtismAbi::Bind(const engine::Linked& linked, std::string_view export_name) const {
  CORDON_ASSIGN(const ExportRef target, ResolveExport(*contract_, export_name));
  CORDON_ASSIGN(engine::Function function, linked.Find({"", target.function->name}));
  return Binding{target, std::move(function)};
}

Status ExtismAbi::Lower(const Binding& binding, std::string_view input_json, std::vector<std::uint8_t>& wire) const {
  CORDON_ASSIGN(const Json input, json::Parse(input_json, {}, {.bytes = limits_.json_bytes}));
  if (input.is_null()) return LowerRaw(binding, {}, wire);
  if (input.is_string()) return LowerRaw(binding, input.get_ref<const std::string&>(), wire);
  return LowerRaw(binding, input_json, wire);
}

Status ExtismAbi::LowerRaw(const Binding&, std::string_view bytes, std::vector<std::uint8_t>& wire) const {
  if (bytes.size() > limits_.wire_bytes) {
    return Fail(Code::kInputSize, "the input has " + std::to_string(bytes.size()) + " bytes, above the limit of " +
                                      std::to_string(limits_.wire_bytes));
  }
  wire.clear();
  wire.reserve(bytes.size() + 4);
  wire::Writer out(wire);
  out.Count(bytes.size());
  out.Raw({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  return {};
}

Result<Outcome> ExtismAbi::Lift(const Binding&, std::span<const std::uint8_t> wire) const {
  CORDON_ASSIGN(const Answer answer, Read(wire));
  if (answer.is_error) return Outcome{Outcome::Answer::kPluginError, ErrorJson(answer)};
  Outcome outcome;
  if (IsUtf8Fast(answer.bytes)) {
    if (json::Parse(answer.bytes, {}, {.bytes = limits_.json_bytes})) {
      outcome.json = std::string(answer.bytes);
    } else {
      AppendQuoted(outcome.json, answer.bytes);
    }
  } else {
    outcome.json = "{\"base64\":\"";
    AppendBase64(outcome.json, {reinterpret_cast<const std::uint8_t*>(answer.bytes.data()), answer.bytes.size()});
    outcome.json += "\"}";
  }
  if (outcome.json.size() > limits_.json_bytes) {
    return Fail(Code::kOutputSize, "the output is " + std::to_string(outcome.json.size()) +
                                       " bytes of JSON, above the limit of " + std::to_string(limits_.json_bytes));
  }
  return outcome;
}

Result<Outcome> ExtismAbi::LiftRaw(const Binding&, std::span<const std::uint8_t> wire) const {
  CORDON_ASSIGN(const Answer answer, Read(wire));
  if (answer.is_error) return Outcome{Outcome::Answer::kPluginError, ErrorJson(answer)};
  return Outcome{Outcome::Answer::kOk, std::string(answer.bytes)};
}

}  // namespace cordon::abi
