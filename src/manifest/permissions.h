// The `permissions` of a manifest → requests.
#pragma once

#include <vector>

#include "manifest/fields.h"
#include "policy/authority.h"

namespace cordon::manifest {

struct Permissions {
  std::vector<policy::Request> requests;
  std::vector<policy::Kind> withdrawn;  // `clocks: none`: defaults that the plugin does without
};

// `section` may be null. Absent, null and empty sections and lists all mean that nothing is asked for.
Permissions ReadPermissions(Findings& findings, const yaml::Node* section);

}  // namespace cordon::manifest
