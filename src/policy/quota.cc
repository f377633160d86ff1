#include "policy/quota.h"

namespace cordon::policy {

bool IsSlower(Rate a, Rate b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<Wide>(a.amount) * static_cast<Wide>(b.period.count()) <
         static_cast<Wide>(b.amount) * static_cast<Wide>(a.period.count());
}

}  // namespace cordon::policy
