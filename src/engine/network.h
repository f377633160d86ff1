// The way to the network of one plugin: its connections are its own. RAII over the bridge.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "cordon/result.h"

namespace cordon::engine {

struct NetworkOptions {
  std::vector<std::string> dns_servers;  // "192.0.2.1:53"; none: those of the machine, and its hosts file
  std::vector<std::string> extra_roots;  // certificates in PEM, beside the system's
  std::uint32_t connections = 32;        // at once
  Duration keep_alive = std::chrono::seconds(15);  // of an unused connection; zero: none is kept
};

// Immutable and thread-safe. Opens nothing until a request is sent.
class Network {
 public:
  // E_INVALID for what is not the address of a DNS server.
  static Result<std::shared_ptr<const Network>> Create(const NetworkOptions& options);
  ~Network();
  struct Raw;
  const Raw* raw() const { return raw_; }

 private:
  Network() = default;
  Raw* raw_ = nullptr;
};

}  // namespace cordon::engine
