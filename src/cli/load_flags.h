// The options that say what a plugin is given: the same for `run`, `inspect` and `explain`.
#pragma once

#include <string_view>

#include "cli/session.h"
#include "runtime/host.h"

namespace cordon::cli {

inline constexpr Positional kPluginWord = {"PLUGIN", "a folder with a plugin.yaml, that file, or a .wasm file",
                                           Positional::Count::kOne, Offer::kFile};

inline constexpr Option kGrantOption = {"--grant", "CAP", "grant a capability, for this run only",
                                        Option::Times::kMany};
inline constexpr Option kGrantsOption = {"--grants", "FILE", "grants of a file; they must be for exactly these bytes",
                                         Option::Times::kOnce, Offer::kFile};
inline constexpr Option kMountOption = {"--mount", "DIR:PATH[:rw]", "show a folder, and grant it; read-only without rw",
                                        Option::Times::kMany, Offer::kFolder};
inline constexpr Option kEnvironmentOption = {"--env", "NAME=VALUE", "set a variable, and grant it",
                                              Option::Times::kMany};
inline constexpr Option kRootOption = {"--root", "NAME=PATH", "the folder behind a root that the manifest names",
                                       Option::Times::kMany, Offer::kFolder};
inline constexpr Option kProgramOption = {"--program", "NAME=PATH", "the file behind a program that a grant names",
                                          Option::Times::kMany, Offer::kFile};
inline constexpr Option kLevelOption = {
    "--level", "LEVEL", "security level", Option::Times::kOnce, Offer::kWords, "relaxed default strict paranoid"};
inline constexpr Option kPolicyOption = {"--policy", "FILE",
                                         "a policy.yaml that caps every grant, beside the configured one",
                                         Option::Times::kMany, Offer::kFile};
inline constexpr Option kTimeoutOption = {"--timeout", "TIME", "wall time of the call, such as 5s or 500ms"};
inline constexpr Option kMemoryOption = {"--memory", "SIZE", "all memories and tables together, such as 64MiB"};
inline constexpr Option kFuelOption = {"--fuel", "N", "instructions that may be executed"};

// The request, from PLUGIN and whichever of these options the command has. `grants_option`: the one that names a file
// of grants. E_USAGE, and what the values themselves can be (E_TYPE, E_RANGE, E_GRANT_FORBIDDEN …).
Result<runtime::LoadRequest> ReadLoadFlags(const Session& session, std::string_view grants_option = "--grants");

// "NAME=PATH" → an absolute path.
Result<std::pair<std::string, std::filesystem::path>> ParseRoot(std::string_view text);

// "NAME=PATH" → an absolute path.
Result<std::pair<std::string, std::filesystem::path>> ParseProgram(std::string_view text);

// Loads to look only; a plugin that changed since it was granted anything is looked at without its grants, with a
// warning. `parts` keeps what the plugin lives on.
Result<std::shared_ptr<const runtime::Plugin>> Look(Session& session, runtime::LoadRequest& request, Parts& parts);

}  // namespace cordon::cli
