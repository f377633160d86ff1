// JSON against WIT types, and hostile wire bytes against the same. The first byte chooses the type ('a' is the first of
// kTypes), the second whether the rest is JSON ('j') or wire bytes (anything else).
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "abi/test_types.h"
#include "abi/value_codec.h"

namespace {

using cordon::abi::Types;
using cordon::wit::Kind;
using cordon::wit::TypeRef;

struct Table : Types {
  Table() {
    const TypeRef u8 = Of(Kind::kU8), u32 = Of(Kind::kU32), str = Of(Kind::kString);
    const TypeRef pairs = List(Tuple({str, str}));
    const TypeRef maybe = Option(Option(u32));
    const TypeRef shape = Variant({{"dot", cordon::wit::kNone}, {"circle", Of(Kind::kF64)}, {"named", maybe}});
    const TypeRef node = Record({{"id", str}, {"node-type", str}, {"metadata", pairs}});
    rows = {Of(Kind::kBool),
            Of(Kind::kS8),
            u8,
            Of(Kind::kS16),
            Of(Kind::kU16),
            Of(Kind::kS32),
            u32,
            Of(Kind::kS64),
            Of(Kind::kU64),
            Of(Kind::kF32),
            Of(Kind::kF64),
            Of(Kind::kChar),
            str,  // a to m
            List(u8),
            List(u8, 4),
            pairs,
            Map(str, u32),
            maybe,
            ResultOf(str, u32),
            shape,  // n to t
            Enum({"red", "green"}),
            Flags({"read", "write"}),
            List(node),
            Resource("handle")};  // u to x
  }
  std::vector<TypeRef> rows;
};

constexpr cordon::abi::ValueLimits kLimits{.wire_bytes = 1 << 20, .json_bytes = 1 << 20};

void FromJson(const Table& table, TypeRef type, std::string_view text) {
  const auto value = cordon::json::Parse(text);
  if (!value) return;
  std::vector<std::uint8_t> wire, again;
  if (!cordon::abi::EncodeValue(table.contract, type, *value, wire, kLimits)) return;
  // What goes in comes out, and what comes out goes in as the same bytes.
  std::string out;
  if (!cordon::abi::DecodeValueText(table.contract, type, wire, out, kLimits)) std::abort();
  const auto echo = cordon::json::Parse(out);
  if (!echo || !cordon::abi::EncodeValue(table.contract, type, *echo, again, kLimits) || again != wire) std::abort();
}

void FromWire(const Table& table, TypeRef type, std::string_view bytes) {
  std::string out;
  const std::vector<std::uint8_t> wire(bytes.begin(), bytes.end());
  if (!cordon::abi::DecodeValueText(table.contract, type, wire, out, kLimits)) return;
  if (!cordon::json::Parse(out)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Table table;
  if (size < 2) return 0;
  const TypeRef type = table.rows[static_cast<std::uint8_t>(data[0] - 'a') % table.rows.size()];
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  data[1] == 'j' ? FromJson(table, type, rest) : FromWire(table, type, rest);
  return 0;
}
