// The capability grammar from hostile hands: what is taken has one canonical form, and two of them never meet in
// something wider than either. The input is lines; each is a grant.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "policy/grant.h"

namespace {

using cordon::policy::Capability;
using cordon::policy::Grant;

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckRoundTrip(const Capability& capability) {
  const std::string text = capability.ToString();
  const auto again = Capability::Parse(text);
  Require(again && *again == capability && again->ToString() == text);
  for (const unsigned char c : text) Require(c >= 0x20 && c != 0x7f && c != ';');
}

void CheckPair(const Capability& a, const Capability& b) {
  const auto both = Intersect(a, b);
  Require(both == Intersect(b, a));
  Require(a.Covers(b) == (both && *both == b));
  if (!both) return;
  CheckRoundTrip(*both);
  Require(a.Covers(*both) && b.Covers(*both));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<Capability> taken;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const auto grant = Grant::Parse(rest.substr(0, end));
    if (grant) {
      CheckRoundTrip(grant->capability);
      Require(Grant::Parse(grant->ToString()) == *grant);
      if (taken.size() < 32) taken.push_back(grant->capability);
    } else {
      Require(!grant.error().message.empty());
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  for (const Capability& a : taken) {
    for (const Capability& b : taken) CheckPair(a, b);
  }
  return 0;
}
