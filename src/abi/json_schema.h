// JSON Schema (draft 2020-12) of a function's input and output, derived from WIT with its doc comments. A schema
// accepts exactly what the value codec accepts (docs/formats/json-values.md). Pure; thread-safe.
#pragma once

#include "formats/json.h"
#include "formats/wit.h"

namespace cordon::abi {

// Of the object with the parameters by name.
Json InputSchema(const wit::Contract& contract, const wit::Function& function);
// Of the result; of null when there is none.
Json OutputSchema(const wit::Contract& contract, const wit::Function& function);

}  // namespace cordon::abi
