// The types of a function from the text of their shape: "(string,u32)->option<u32>" (abi/type_shape.h writes it).
#pragma once

#include <string_view>

#include "cordon/result.h"
#include "formats/wit.h"

namespace cordon::capi {

struct ShapeTypes {
  wit::Contract contract;
  wit::TypeRef parameters = wit::kNone;  // a tuple; kNone when there are none
  wit::TypeRef result = wit::kNone;
};

// E_SYNTAX; E_LIMIT for more than 16 KiB or 64 types deep.
Result<ShapeTypes> ParseShape(std::string_view text);

}  // namespace cordon::capi
