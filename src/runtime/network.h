// From the operator's configuration to a plugin's way to the network.
#pragma once

#include <string>

#include "engine/network.h"
#include "manifest/config.h"
#include "services/http.h"

namespace cordon::runtime {

// Reads the files of roots. E_NOT_FOUND, E_NOT_REGULAR, E_IO, E_LIMIT.
Result<engine::NetworkOptions> NetworkOptionsOf(const manifest::NetworkConfig& config);

// Reads the values of the headers that `plugin` is given, from files and from this process's own environment; those
// that are secrets are in `secrets`. E_MISSING for one that is not there, E_INVALID for a value that no header can
// have, and ReadFile's.
Result<services::EgressOptions> EgressOptionsOf(const manifest::Config& config, const std::string& plugin,
                                                const std::shared_ptr<services::SecretSource>& secrets);

}  // namespace cordon::runtime
