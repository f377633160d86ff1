// policy.yaml: the operator's cap on every grant (docs/formats/policy.md).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "cordon/result.h"
#include "policy/policy.h"

namespace cordon::manifest {

// Every error has its place, the first with the others as causes. E_SYNTAX, E_DUPLICATE_KEY, E_UNKNOWN_KEY, E_TYPE,
// E_NAME, E_DIGEST, E_INVALID, and those of Capability::Parse. An empty document is a policy that allows nothing. Pure.
Result<policy::Policy> ParsePolicy(std::string_view text, std::string file);
// E_NOT_FOUND, E_IO, and those of ParsePolicy: a policy that cannot be read is never taken for none.
Result<std::shared_ptr<const policy::Policy>> LoadPolicy(const std::filesystem::path& file);

}  // namespace cordon::manifest
