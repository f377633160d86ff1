// What a guest of every kind does, and what must come of it.
#pragma once

#include <span>
#include <string_view>

#include "stage.h"

namespace cordon::conformance {

struct Behaviour {
  std::string_view name;  // as in ctest: conformance.KIND.NAME.PLACEMENT
  void (*show)(Stage& stage);
};
std::span<const Behaviour> Behaviours();

}  // namespace cordon::conformance
