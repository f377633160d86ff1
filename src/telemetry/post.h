// One HTTP request to a server that the operator named. Blocking, within a deadline; no redirects, no proxies.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon::telemetry {

struct HttpPlace {
  std::string host, port, path;  // of "http://HOST[:PORT][/PATH]"

  // E_INVALID; E_UNENFORCEABLE for https, which is not spoken here.
  static Result<HttpPlace> Parse(std::string_view url);
};

// The status that the server answered. E_UNAVAILABLE, E_TIMEOUT.
Result<int> Post(const HttpPlace& place, std::string_view content_type, std::string_view body,
                 std::chrono::steady_clock::time_point deadline);

}  // namespace cordon::telemetry
