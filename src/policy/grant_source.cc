#include "policy/grant_source.h"

#include <algorithm>

namespace cordon::policy {

Error ChangedError(const GrantSet& granted, const Subject& subject) {
  std::string what, was, now;
  const auto differs = [&](std::string_view name, const Digest& before, const Digest& after) {
    if (before == after) return;
    what += (what.empty() ? "its " : " and its ") + std::string(name);
    was += (was.empty() ? "" : " ") + before.ToString();
    now += (now.empty() ? "" : " ") + after.ToString();
  };
  differs("artifact", granted.artifact, subject.artifact);
  differs("manifest", granted.manifest, subject.manifest);

  Error error(Code::kChanged, "");
  std::string beyond, flags;
  for (const Request& request : subject.requests) {
    const Capability& capability = request.capability;
    if (OnByDefault(capability.kind()) && capability.clock() == nullptr) continue;
    flags += " " + GrantFlags(capability);
    const bool known = std::any_of(granted.granted.begin(), granted.granted.end(),
                                   [&](const Grant& grant) { return grant.capability.Covers(capability); });
    if (known) continue;
    beyond += (beyond.empty() ? "" : ", ") + capability.ToString();
    error.details.emplace_back("grant", capability.ToString());
  }
  error.message = subject.plugin + " has changed since it was granted anything: " + what + " differ" +
                  (granted.artifact != subject.artifact && granted.manifest != subject.manifest ? "" : "s") + "; " +
                  (beyond.empty() ? "it asks for nothing that was not granted before" : "it now asks for " + beyond);
  error.remedy = "compare both, then grant it again" + (flags.empty() ? std::string() : ":" + flags);
  error.details.emplace_back("was", was);
  error.details.emplace_back("now", now);
  return error;
}

}  // namespace cordon::policy
