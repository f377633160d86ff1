// Puts what a `$ref` to a file names in the place of the reference. Pure: the files come through a function.
#pragma once

#include <string>
#include <vector>

#include "formats/json.h"
#include "manifest/manifest.h"

namespace cordon::manifest {

// Counts over one manifest, so that many small references cannot add up to a large document.
struct RefBudget {
  std::size_t files = kSchemaFilesMax;
  std::size_t bytes = kSchemaBytesMax;
};

// `schema` with every `$ref` to a file inlined; a reference within a file (`#/…`) is kept and, where its file was put
// deeper in, rewritten. A reference to a file stands alone in its mapping. A file that reaches itself, a path that
// leaves the folder and an address of another kind (`https:`) are E_INVALID; more than the budget is E_LIMIT. Errors in
// a file carry its place.
Result<Json> InlineRefs(const Json& schema, const RefResolver& resolver, RefBudget& budget);

}  // namespace cordon::manifest
