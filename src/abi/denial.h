// The access-denied error of an interface that was not made for Cordon.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "formats/wit.h"

namespace cordon::abi {

// The result of `function` that says "access denied" in the function's own terms, in the wire format: an err that is a
// case named access-denied, not-permitted, permission-denied, denied, access or …-denied, a string, or nothing at all.
// E_DENIED when the function has no such result; then a call can only trap. Pure.
Result<std::vector<std::uint8_t>> DenialPayload(const wit::Contract& contract, const wit::Function& function,
                                                std::string_view capability = {});

}  // namespace cordon::abi
