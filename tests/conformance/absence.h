// That a kind of guest cannot have a behaviour: with everything granted, it is refused.
#pragma once

#include <string_view>

namespace cordon::conformance {

class Stage;

// `what` is "module#function": a module that imports it is not linked, whatever is granted.
void ImportIsRefused(Stage& stage, std::string_view what);
// `what` is a capability that the guest asks for: granted, it is named as one of no use.
void GrantIsOfNoUse(Stage& stage, std::string_view what);

// `what` is a path of the test's server: granted to it, the guest is not loaded.
void PageIsRefused(Stage& stage, std::string_view what);

// The guest reads spans of less than a millisecond.
void ClockIsFine(Stage& stage, std::string_view);

}  // namespace cordon::conformance
