// What the C API needs of the rooms, in a build without an engine: only the calls of a callback by a plugin come here,
// and there is no plugin.
#include "abi/value_codec.h"
#include "formats/json.h"

namespace cordon {
namespace {

Error NoEngine() { return Error(Code::kUnavailable, "this build has no engine", "use -DCORDON_ENGINE=wasmtime"); }

}  // namespace

namespace json {
Result<Json> Parse(std::string_view, std::string, const Limits&) { return Fail(NoEngine()); }
}  // namespace json

namespace abi {
Status EncodeValue(const wit::Contract&, wit::TypeRef, const Json&, std::vector<std::uint8_t>&, const ValueLimits&) {
  return Fail(NoEngine());
}
Status DecodeValueText(const wit::Contract&, wit::TypeRef, std::span<const std::uint8_t>, std::string&,
                       const ValueLimits&) {
  return Fail(NoEngine());
}
}  // namespace abi
}  // namespace cordon
