// The name of a plugin, from a name or from where it is.
#pragma once

#include <string>

#include "cordon/result.h"

namespace cordon::cli {

// Grants can be looked at and taken back when the plugin itself is gone, so a name is enough. E_NOT_FOUND.
Result<std::string> PluginNameOf(const std::string& word);

}  // namespace cordon::cli
