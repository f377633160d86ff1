// The schema of a plugin's own settings (`config` of plugin.yaml), and which of them are secret.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "cordon/result.h"
#include "formats/json.h"

namespace cordon::manifest {

// `x-secret: true` marks a text at the top; anywhere else it would mark nothing, so it is E_INVALID there.
Status CheckSettingsSchema(const Json& schema);
// The keys that are marked. REQUIRES: CheckSettingsSchema passed.
std::set<std::string, std::less<>> SecretSettings(const Json& schema);

}  // namespace cordon::manifest
