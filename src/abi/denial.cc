#include "abi/denial.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/wire.h"

namespace cordon::abi {
namespace {

using wit::Kind;

constexpr std::array<std::string_view, 5> kDeniedNames = {"access-denied", "not-permitted", "permission-denied",
                                                          "denied", "access"};
constexpr std::size_t kZeroBytesMax = 4096;  // of a zeroed payload; a larger type is not worth a stub

const wit::Field* DeniedCase(const wit::Type& type) {
  for (std::string_view name : kDeniedNames) {
    for (const wit::Field& field : type.fields) {
      if (field.name == name) return &field;
    }
  }
  for (const wit::Field& field : type.fields) {  // "HTTP-request-denied"
    if (field.name.ends_with("-denied")) return &field;
  }
  return nullptr;
}

// The value of a type in which everything is zero, empty, absent or the first case; false when it has none.
bool Zero(const wit::Contract& contract, wit::TypeRef ref, wire::Writer& out) {
  if (ref == wit::kNone) return true;
  if (out.size() > kZeroBytesMax) return false;
  const wit::Type& type = contract.At(ref);
  const auto all = [&] {
    return std::all_of(type.fields.begin(), type.fields.end(),
                       [&](const auto& f) { return Zero(contract, f.type, out); });
  };
  switch (type.kind) {
    case Kind::kBool:
    case Kind::kS8:
    case Kind::kU8:
    case Kind::kOption: out.U8(0); return true;
    case Kind::kS16:
    case Kind::kU16: out.U16(0); return true;
    case Kind::kS64:
    case Kind::kU64:
    case Kind::kF64: out.U64(0); return true;
    case Kind::kS32:
    case Kind::kU32:
    case Kind::kF32:
    case Kind::kChar:
    case Kind::kString:
    case Kind::kMap:
    case Kind::kEnum: out.U32(0); return true;
    case Kind::kList:
      if (type.size == 0) return out.U32(0), true;
      for (std::uint32_t i = 0; i < type.size; ++i) {
        if (!Zero(contract, type.element, out)) return false;
      }
      return true;
    case Kind::kRecord:
    case Kind::kTuple: return all();
    case Kind::kVariant: out.U32(0); return !type.fields.empty() && Zero(contract, type.fields.front().type, out);
    case Kind::kFlags:
      for (std::size_t bit = 0; bit < type.fields.size(); bit += 32) out.U32(0);
      return true;
    case Kind::kResult: out.U8(0); return Zero(contract, type.element, out);
    case Kind::kResource:
    case Kind::kUnsupported: break;
  }
  return false;
}

}  // namespace

Result<std::vector<std::uint8_t>> DenialPayload(const wit::Contract& contract, const wit::Function& function,
                                                std::string_view capability) {
  const auto none = [&] {
    return Fail(Code::kDenied, "'" + function.name + "' has no result that can say 'access denied'");
  };
  if (function.result == wit::kNone) return none();
  const wit::Type& result = contract.At(function.result);
  if (result.kind != Kind::kResult) return none();
  std::vector<std::uint8_t> bytes;
  wire::Writer out(bytes);
  out.U8(1);
  if (result.error == wit::kNone) return bytes;
  const wit::Type& error = contract.At(result.error);
  const std::string text =
      capability.empty() ? "access denied" : "access denied: no grant for " + std::string(capability);
  if (error.kind == Kind::kString) {
    out.String(text);
    return bytes;
  }
  if (error.kind != Kind::kEnum && error.kind != Kind::kVariant) return none();
  const wit::Field* denied = DeniedCase(error);
  if (denied != nullptr) {
    out.U32(static_cast<std::uint32_t>(denied - error.fields.data()));
    if (!Zero(contract, denied->type, out)) return none();
    return bytes;
  }
  const auto other = std::find_if(error.fields.begin(), error.fields.end(), [](const auto& f) {
    return f.name == "other" || f.name == "upstream";  // wasi:config says it so
  });
  if (other == error.fields.end() || other->type == wit::kNone || contract.At(other->type).kind != Kind::kString)
    return none();
  out.U32(static_cast<std::uint32_t>(other - error.fields.begin()));
  out.String(text);
  return bytes;
}

}  // namespace cordon::abi
