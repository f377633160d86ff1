#include "services/addresses.h"

#include <algorithm>

namespace cordon::services {

using policy::AddressBlock;
using policy::AddressClass;

namespace {

// Whether a grant names the host itself, not a wildcard that covers it.
bool Names(const policy::Authority& authority, std::string_view host) {
  return std::ranges::any_of(authority.rulings(), [&](const policy::Ruling& ruling) {
    if (!ruling.effective) return false;
    if (const policy::HttpScope* http = ruling.effective->http()) return http->host == host;
    const policy::SocketScope* socket = ruling.effective->socket();
    return socket != nullptr && socket->host == host && !socket->action.starts_with("listen-");
  });
}

}  // namespace

std::string RuleAgainst(const policy::Authority& authority, std::span<const AddressBlock> private_blocks,
                        std::string_view host, std::string_view address) {
  const auto what = policy::ClassOf(address);
  const auto block = AddressBlock::Parse(address);
  if (!what || !block) return "net:unknown";
  if (*what == AddressClass::kPublic) return {};
  std::string rule = "net:" + std::string(policy::AddressClassName(*what));
  if (*what == AddressClass::kMetadata || *what == AddressClass::kUnspecified) return rule;
  if (authority.level() >= policy::Level::kStrict) return rule;
  if (authority.level() == policy::Level::kRelaxed && Names(authority, host)) return {};
  const auto holds = [&](const AddressBlock& allowed) { return allowed.Holds(*block); };
  if (std::ranges::any_of(private_blocks, holds)) return {};
  const bool is_named = std::ranges::any_of(authority.rulings(), [&](const policy::Ruling& ruling) {
    const policy::SocketScope* scope = ruling.effective ? ruling.effective->socket() : nullptr;
    if (scope == nullptr || scope->action.starts_with("listen-")) return false;
    const auto granted = AddressBlock::Parse(scope->host);
    return granted && granted->Holds(*block);
  });
  return is_named ? std::string() : rule;
}

}  // namespace cordon::services
