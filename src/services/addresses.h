// To which addresses a name that was granted may lead. Pure; thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/authority.h"
#include "policy/network.h"

namespace cordon::services {

// Empty, or the rule against it: "net:loopback", "net:metadata", … An address is public, or in one of `private_blocks`,
// or in a block that an effective grant of sockets names; at level relaxed a grant that names `host` is enough, and
// from strict on an address is public. What hands out a cloud's credentials is none of these.
std::string RuleAgainst(const policy::Authority& authority, std::span<const policy::AddressBlock> private_blocks,
                        std::string_view host, std::string_view address);

}  // namespace cordon::services
