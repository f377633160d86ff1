// The way to the network of one plugin: its connections are its own. RAII over the bridge.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "base/units.h"
#include "cordon/result.h"

namespace cordon::engine {

struct NetworkOptions {
  std::vector<std::string> dns_servers;            // "192.0.2.1:53"; none: those of the machine, and its hosts file
  std::vector<std::string> extra_roots;            // certificates in PEM, beside the system's
  std::uint32_t connections = 32;                  // at once
  Duration keep_alive = std::chrono::seconds(15);  // of an unused connection; zero: none is kept
};

// Immutable and thread-safe. Opens nothing until a request is sent.
class Network {
 public:
  // E_INVALID for what is not the address of a DNS server.
  static Result<std::shared_ptr<const Network>> Create(const NetworkOptions& options);
  // Of a process that has no network: requests are messages to `channel`, which another process's Ways answers.
  static Result<std::shared_ptr<const Network>> Through(std::shared_ptr<HostChannel> channel);
  ~Network();
  struct Raw;
  const Raw* raw() const { return raw_; }

 private:
  Network() = default;
  Raw* raw_ = nullptr;
};

// The interface of those messages.
inline constexpr std::string_view kWay = "cordon:worker/way";

// Sends the requests of processes that have no network by one that is here. Thread-safe.
class Ways {
 public:
  static Result<std::shared_ptr<Ways>> Create(std::shared_ptr<const Network> network);
  ~Ways();
  // What a message of `call`, a number of the caller's own, is answered with; `channel` decides about requests. May
  // block, until End at most. A trap with E_INVALID for what is no such message.
  HostReply Answer(std::uint64_t call, const HostRequest& request, const std::shared_ptr<HostChannel>& channel);
  // Ends all requests of a call.
  void End(std::uint64_t call);

 private:
  struct Raw;
  Ways() = default;
  std::shared_ptr<const Network> network_;
  Raw* raw_ = nullptr;
};

}  // namespace cordon::engine
