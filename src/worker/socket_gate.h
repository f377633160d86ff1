// The sockets of one worker. It can make, bind and connect none: the kernel tells the host what the worker asks of it
// instead (seccomp_unotify(2)), and the host does that on sockets of its own making, of which the worker has a copy.
// What goes over a socket that is connected does not come by here.
//
// The worker may be hostile. Addresses are read from its memory once, and used where a decision of this call's allowed
// exactly that; nothing here waits for a peer.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/own_thread.h"
#include "base/socket_use.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "cordon/result.h"

struct seccomp_notif;

namespace cordon::worker {

// Thread-safe.
class SocketGate {
 public:
  struct Options {
    UniqueFd listener;  // of the worker's filter
    UniqueFd memory;    // of the worker, to be read
    int first = 0;      // descriptor in the worker: its sockets are the `count` from this one on
    int count = 0;
    // Told once, by a thread of the gate, when the worker asked for what no worker of ours asks.
    std::function<void()> on_broken;
  };
  // Starts a thread, which ends with the worker or the gate. E_UNAVAILABLE.
  static Result<std::unique_ptr<SocketGate>> Open(Options options);
  ~SocketGate();
  SocketGate(const SocketGate&) = delete;
  SocketGate& operator=(const SocketGate&) = delete;

  // A decision: what may be done from now on, until the call ends; once, when it is to connect by TCP.
  void Allow(const SocketUse& use);
  void EndCall();
  // Of the gate's thread, which works for the worker.
  std::optional<Duration> CpuTime() { return thread_.CpuTime(); }
  // What the worker did that none of ours does; empty: nothing.
  std::string broken() const;

 private:
  struct Address {
    sockaddr_in6 bytes{};  // or a sockaddr_in
    socklen_t size = 0;
    const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  };
  struct Socket {
    UniqueFd fd;
    int family = 0;
    bool is_stream = false;
    std::string bound;  // as it was asked for
  };
  // What a system call gives: a number, or an error as -errno.
  using Answer = std::int64_t;

  explicit SocketGate(Options options) : options_(std::move(options)) {}
  void Work();
  bool AnswerOne();
  using Use = std::pair<SocketStep, std::string>;
  void Reply(std::uint64_t id, Answer answer);
  Answer Give(std::uint64_t id, int fd, int number, bool is_answer);
  void Make(const seccomp_notif& asked);
  Answer Close(const seccomp_notif& asked);
  Answer Bind(Socket& socket, const Address& address);
  Answer Connect(Socket& socket, const Address& address);
  Answer Listen(Socket& socket, int backlog);
  Answer SendTo(const Socket& socket, const seccomp_notif& asked);
  Answer Do(const seccomp_notif& asked);
  // Zero, and the address; or an error.
  Answer Read(std::uint64_t at, std::uint64_t size, Address& address) const;
  bool IsAllowed(SocketStep step, const std::string& address);
  // Zero, or an error: of a worker that may not.
  Answer MayUse(SocketStep step, const std::string& address, std::string_view what);
  Answer Refuse(std::string what);

  const Options options_;
  UniqueFd stop_;
  UniqueFd filler_;                // what the worker has where it has no socket
  std::map<int, Socket> sockets_;  // by the worker's number; of the thread alone
  std::vector<std::uint8_t> data_;
  mutable std::mutex mutex_;        // guards what follows
  std::set<Use> allowed_, before_;  // now, and in the call before this one
  std::string broken_;
  OwnThread thread_;
};

}  // namespace cordon::worker
