// Hypothetical calls: what the guard would answer, without running anything.
#pragma once

#include <string>
#include <string_view>

#include "policy/authority.h"

namespace cordon::cli {

struct WhatIf {
  std::string question;    // as it was asked
  std::string capability;  // that it comes down to, compact
  policy::Decision decision;
  std::string note;  // what only the moment of the call can tell
};

// "https://host/path", "POST https://host/path", "/data/x", "write /data/x", or any capability in its compact form.
// E_USAGE and what the capability's own text can be.
Result<WhatIf> AskWhatIf(const policy::Authority& authority, std::string_view question);

}  // namespace cordon::cli
