// Readers of `plugins.isolation`, one for each key. For this room only.
#pragma once

#include <string_view>

#include "formats/yaml.h"
#include "manifest/config.h"
#include "manifest/fields.h"

namespace cordon::manifest {

void ReadIsolationEnabled(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out);
void ReadIsolationBackend(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out);
void ReadIsolationForce(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out);
void ReadIsolationNetwork(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out);
void ReadIsolationTimeout(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out);
void ReadMaxCpu(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out);
void ReadMaxMemory(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out);
// The mapping `plugins.isolation.workers`, which may be null.
void ReadWorkers(Findings& findings, const yaml::Node* node, std::string_view path, WorkersConfig& out);

}  // namespace cordon::manifest
