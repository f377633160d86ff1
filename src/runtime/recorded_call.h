// One call that is recorded, or run again: what `cordon record` and `Host::Record` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/host.h"
#include "runtime/recording.h"

namespace cordon::runtime {

struct RecordedCall {
  Fixture fixture;
  std::vector<policy::Capability> used;  // the fewest grants that it needed
};

// Makes of a load one whose only call is recorded.
void BeginRecording(LoadRequest& request);
// After that call. E_LIMIT when it was more than a fixture holds; the call's own error when it was one of the clock,
// which would end it elsewhere the next time.
Result<RecordedCall> EndRecording(const LoadRequest& request, const Plugin& plugin, std::string_view action,
                                  std::string_view input, const Status& done, std::string_view output);

// Makes of a load one whose only call is answered from the fixture; its exchanges are moved out.
void BeginReplay(LoadRequest& request, Fixture& fixture);
// After that call: E_DIGEST when it asked or answered otherwise than was recorded.
Status CheckReplay(const LoadRequest& request, const Fixture& fixture, const Status& done, std::string_view output);

}  // namespace cordon::runtime
