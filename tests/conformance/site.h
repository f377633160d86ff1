// A server on loopback that answers "served" to every request, and counts them.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/unique_fd.h"

namespace cordon::conformance {

class Site {
 public:
  Site();
  ~Site();
  std::uint16_t port() const { return port_; }
  int requests() const { return requests_; }

 private:
  void Serve();

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  std::thread thread_;
};

}  // namespace cordon::conformance
