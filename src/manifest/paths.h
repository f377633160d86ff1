// Where the folders of the operator are. Pure: the environment comes in as a function, and no file is looked at.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"

namespace cordon::manifest {

// The value of an environment variable, or nothing when it is unset. An empty value counts as unset for the
// variables of this header, as the XDG base directory specification says.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// `$XDG_CONFIG_HOME/cordon`, else `$HOME/.config/cordon`. E_INVALID for a relative path, E_MISSING without HOME.
Result<std::filesystem::path> ConfigHome(const Environment& environment);

// `$CORDON_HOME`, else `$XDG_STATE_HOME/cordon`, else `$HOME/.local/state/cordon`: grants, audit.
Result<std::filesystem::path> StateHome(const Environment& environment);

// `$CORDON_HOME/cache`, else `$XDG_CACHE_HOME/cordon`, else `$HOME/.cache/cordon`.
Result<std::filesystem::path> CacheHome(const Environment& environment);

// `$CORDON_HOME/plugins`, else `$XDG_DATA_HOME/cordon/plugins`, else `$HOME/.local/share/cordon/plugins`.
Result<std::filesystem::path> PluginsHome(const Environment& environment);

// A leading `~/` (or a lone `~`) becomes `$HOME`; what is then still relative is E_INVALID.
Result<std::filesystem::path> ExpandPath(std::string_view text, const Environment& environment);

}  // namespace cordon::manifest
