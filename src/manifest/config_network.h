// `plugins.network` and `plugins.entries.NAME.egress` of config.yaml. For config.cc only.
#pragma once

#include <string>
#include <vector>

#include "manifest/config.h"
#include "manifest/fields.h"

namespace cordon::manifest {

// `section` may be null: then the defaults stay.
void ReadNetwork(Findings& findings, const Environment& environment, const yaml::Node* section, NetworkConfig& out);
void ReadEgress(Findings& findings, const Environment& environment, const yaml::Node* section, const std::string& path,
                std::vector<EgressHeader>& out);

}  // namespace cordon::manifest
