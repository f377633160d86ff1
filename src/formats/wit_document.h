// The bridge's description of a binary or a world, from its JSON. Used by wit.cc and wit_world.cc alone.
#pragma once

#include "formats/json.h"
#include "formats/wit.h"

namespace cordon::wit {

// Throws nlohmann's exceptions when the document is not the bridge's: the caller catches them.
Contract ContractOf(const Json& object);

json::Limits DocumentLimits();

}  // namespace cordon::wit
