// That a kind of guest cannot have a behaviour: with everything granted, it is refused.
#pragma once

#include <string_view>

namespace cordon::conformance {

class Stage;

// `what` is "module#function": a module that imports it is not linked, whatever is granted.
void ImportIsRefused(Stage& stage, std::string_view what);

}  // namespace cordon::conformance
