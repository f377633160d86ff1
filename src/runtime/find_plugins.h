// Where plugins are, beneath the folders that the operator names.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

namespace cordon::runtime {

inline constexpr std::size_t kFoundMax = 1000;

// The manifests of plugins, sorted by path, at most kFoundMax: FOLDER/plugin.yaml, FOLDER/NAME/plugin.yaml and
// FOLDER/NAMESPACE/NAME/plugin.yaml. What cannot be looked into is left out.
std::vector<std::filesystem::path> FindPlugins(std::span<const std::filesystem::path> folders);

}  // namespace cordon::runtime
