// From the operator's configuration to a plugin's way to the network.
#pragma once

#include <string>

#include "engine/network.h"
#include "manifest/config.h"
#include "services/http.h"

namespace cordon::runtime {

// Reads the files of roots. E_NOT_FOUND, E_NOT_REGULAR, E_IO, E_LIMIT.
Result<engine::NetworkOptions> NetworkOptionsOf(const manifest::NetworkConfig& config);

// Reads the values of the headers that `plugin` is given, from files and from this process's own environment. E_MISSING
// for a variable that is not set, E_INVALID for a value that no header can have, and ReadFile's.
Result<services::EgressOptions> EgressOptionsOf(const manifest::Config& config, const std::string& plugin);

}  // namespace cordon::runtime
