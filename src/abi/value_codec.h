// JSON values ↔ the wire format, for every WIT type that can cross (docs/formats/json-values.md).
//
// Pure functions of their arguments; thread-safe. Wire bytes are taken as hostile: a count is held against the bytes
// that are left before anything is allocated, and the text that comes out is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "formats/json.h"
#include "formats/wit.h"

namespace cordon::abi {

struct ValueLimits {
  std::size_t wire_bytes = 8 << 20;   // of encoded parameters or of a result; more is E_INPUT_SIZE, E_OUTPUT_SIZE
  std::size_t json_bytes = 32 << 20;  // of JSON text, in or out; the same codes
};

// The parameters of `function` from an object by name. `out` is replaced; its content is unspecified after an error.
// E_INPUT_SCHEMA with details "path" (a JSON pointer) and "wit" (the type), E_INPUT_SIZE, and E_UNENFORCEABLE for a
// type that cannot cross.
Status EncodeParams(const wit::Contract& contract, const wit::Function& function, const Json& input,
                    std::vector<std::uint8_t>& out, const ValueLimits& limits = {});
// The same from text; also E_SYNTAX, E_DUPLICATE_KEY, E_LIMIT, E_RANGE of json::Parse.
Status EncodeParamsText(const wit::Contract& contract, const wit::Function& function, std::string_view json_text,
                        std::vector<std::uint8_t>& out, const ValueLimits& limits = {});

// The result of `function` as compact JSON text; "null" when it has none. `json_out` is replaced. What is not text that
// is safe to show (control, bidirectional and invisible characters) is written as \uXXXX, which is the same JSON.
// Errors: E_LIFT_LIMIT (a count beyond the bytes), E_INVALID (the bytes do not fit the type), E_BAD_STRING,
// E_OUTPUT_SIZE, E_UNENFORCEABLE.
Status DecodeResultText(const wit::Contract& contract, const wit::Function& function,
                        std::span<const std::uint8_t> wire, std::string& json_out, const ValueLimits& limits = {});
Result<Json> DecodeResult(const wit::Contract& contract, const wit::Function& function,
                          std::span<const std::uint8_t> wire, const ValueLimits& limits = {});

// One value of one type, for host services and tests. `out` and `json_out` are appended to.
Status EncodeValue(const wit::Contract& contract, wit::TypeRef type, const Json& value, std::vector<std::uint8_t>& out,
                   const ValueLimits& limits = {});
Status DecodeValueText(const wit::Contract& contract, wit::TypeRef type, std::span<const std::uint8_t> wire,
                       std::string& json_out, const ValueLimits& limits = {});

// Whether every parameter and the result can cross: E_UNENFORCEABLE naming the first type that cannot (a resource, a
// stream, a future). Ask once for a function, before any call.
Status CheckCrossable(const wit::Contract& contract, const wit::Function& function);

}  // namespace cordon::abi
