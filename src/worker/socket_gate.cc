#include "worker/socket_gate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/file.h"

namespace cordon::worker {
namespace {

constexpr std::size_t kAllowedMax = 1024;
constexpr std::size_t kDatagramMax = 65'535;
constexpr std::size_t kNotificationBytes = 1024;  // far above what any kernel writes

// "93.184.215.14 443", "::1 80": as `Allow` is told, and as a socket address says it.
std::string TextOf(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = {};
  std::uint16_t port = 0;
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    port = ntohs(v4->sin_port);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    port = ntohs(v6->sin6_port);
  }
  return std::string(text) + " " + std::to_string(port);
}

// The same of an address as text, however it is spelled; empty for what is none.
std::string TextOf(std::string_view address, std::uint16_t port) {
  const std::string text(address);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) return TextOf(reinterpret_cast<const sockaddr*>(&v4));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) return TextOf(reinterpret_cast<const sockaddr*>(&v6));
  return {};
}

std::int64_t Outcome(std::int64_t result) { return result < 0 ? -errno : result; }

}  // namespace

Result<std::unique_ptr<SocketGate>> SocketGate::Open(Options options) {
  std::unique_ptr<SocketGate> gate(new SocketGate(std::move(options)));
  gate->stop_.Reset(::eventfd(0, EFD_CLOEXEC));
  gate->filler_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!gate->stop_ || !gate->filler_) return Fail(Code::kUnavailable, "there is no descriptor for a worker's sockets");
  if (!gate->thread_.Start([self = gate.get()] { self->Work(); })) {
    return Fail(Code::kUnavailable, "there is no thread for a worker's sockets");
  }
  return gate;
}

SocketGate::~SocketGate() {
  if (thread_.was_forked()) return;  // the eventfd is the parent's, too
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.Join();
}

void SocketGate::Allow(const SocketUse& use) {
  // What comes is not asked for here, and anybody may send it.
  if (use.step == SocketStep::kUdpReceive || use.step == SocketStep::kTcpAccept) return;
  std::string address = TextOf(use.address, use.port);
  const std::lock_guard lock(mutex_);
  // Each use is decided anew, right before it is made.
  if (allowed_.size() >= kAllowedMax) before_ = std::exchange(allowed_, {});
  allowed_.emplace(use.step, std::move(address));
}

void SocketGate::EndCall() {
  const std::lock_guard lock(mutex_);
  before_ = std::exchange(allowed_, {});
}

std::string SocketGate::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

SocketGate::Answer SocketGate::MayUse(SocketStep step, const std::string& address, std::string_view what) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = allowed_.find({step, address});
    if (found != allowed_.end()) {
      if (step == SocketStep::kTcpConnect) allowed_.erase(found);
      return 0;
    }
    // What was on its way when the call ended is nobody's fault.
    if (before_.contains({step, address})) return -EACCES;
  }
  return Refuse("it " + std::string(what) + " " + address + ", which was not allowed");
}

bool SocketGate::IsAllowed(SocketStep step, const std::string& address) {
  const std::lock_guard lock(mutex_);
  return allowed_.contains({step, address});
}

SocketGate::Answer SocketGate::Refuse(std::string what) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = broken_.empty();
    if (is_first) broken_ = std::move(what);
  }
  if (is_first && options_.on_broken) options_.on_broken();
  return -EACCES;
}

// ---- One request ---------------------------------------------------------------------------------------------------

SocketGate::Answer SocketGate::Read(std::uint64_t at, std::uint64_t size, Address& address) const {
  address = {};
  const std::size_t most = std::min<std::uint64_t>(size, sizeof address.bytes);
  if (most < sizeof(sa_family_t)) return -EINVAL;
  if (::pread(options_.memory.get(), &address.bytes, most, static_cast<off_t>(at)) != static_cast<ssize_t>(most)) {
    return -EFAULT;
  }
  const int family = address.bytes.sin6_family;
  const std::size_t needed = family == AF_INET    ? sizeof(sockaddr_in)
                             : family == AF_INET6 ? sizeof(sockaddr_in6)
                                                  : sizeof(sa_family_t);
  if (most < needed) return -EINVAL;
  address.size = static_cast<socklen_t>(needed);
  // Zones pick an interface; nobody was granted one.
  if (family == AF_INET6 && address.bytes.sin6_scope_id != 0) return -EACCES;
  return 0;
}

// Puts a copy of `fd` where the worker has `number`; as the result of what it asked, too.
SocketGate::Answer SocketGate::Give(std::uint64_t id, int fd, int number, bool is_answer) {
  seccomp_notif_addfd add{};
  add.id = id;
  add.flags = SECCOMP_ADDFD_FLAG_SETFD | (is_answer ? SECCOMP_ADDFD_FLAG_SEND : 0);
  add.srcfd = static_cast<std::uint32_t>(fd);
  add.newfd = static_cast<std::uint32_t>(number);
  add.newfd_flags = O_CLOEXEC;
  return ::ioctl(options_.listener.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

void SocketGate::Make(const seccomp_notif& asked) {
  const auto family = static_cast<int>(asked.data.args[0]);
  const auto kind = static_cast<int>(asked.data.args[1]) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  const auto protocol = static_cast<int>(asked.data.args[2]);
  const bool is_stream = kind == SOCK_STREAM;
  const bool is_known = (family == AF_INET || family == AF_INET6) && (is_stream || kind == SOCK_DGRAM) &&
                        (protocol == 0 || protocol == (is_stream ? IPPROTO_TCP : IPPROTO_UDP));
  if (!is_known) return Reply(asked.id, Refuse("it asked for a socket that is neither TCP nor UDP"));
  int number = options_.first;
  while (number < options_.first + options_.count && sockets_.contains(number)) ++number;
  if (number == options_.first + options_.count) return Reply(asked.id, -EMFILE);
  UniqueFd fd(::socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int only_v6 = 1;
  if (!fd || (family == AF_INET6 && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) != 0)) {
    return Reply(asked.id, -errno);
  }
  if (const Answer given = Give(asked.id, fd.get(), number, true); given != 0) return Reply(asked.id, given);
  sockets_.emplace(number, Socket{.fd = std::move(fd), .family = family, .is_stream = is_stream, .bound = {}});
}

// The number stays the host's: the worker has there what is no socket, so that nothing else of it takes the place.
SocketGate::Answer SocketGate::Close(const seccomp_notif& asked) {
  const auto number = static_cast<int>(asked.data.args[0]);
  const auto found = sockets_.find(number);
  if (found == sockets_.end()) return -EBADF;
  sockets_.erase(found);  // first, so that the peer hears of it with the worker's
  return Give(asked.id, filler_.get(), number, false);
}

SocketGate::Answer SocketGate::Bind(Socket& socket, const Address& address) {
  std::string text = TextOf(address.raw());
  const SocketStep step = socket.is_stream ? SocketStep::kTcpBind : SocketStep::kUdpBind;
  if (const Answer may = MayUse(step, text, "bound a socket to"); may != 0) return may;
  const Answer answer = Outcome(::bind(socket.fd.get(), address.raw(), address.size));
  if (answer == 0) socket.bound = std::move(text);
  return answer;
}

SocketGate::Answer SocketGate::Connect(Socket& socket, const Address& address) {
  const SocketStep step = socket.is_stream ? SocketStep::kTcpConnect : SocketStep::kUdpSend;
  if (const Answer may = MayUse(step, TextOf(address.raw()), "connected a socket to"); may != 0) return may;
  const Answer answer = Outcome(::connect(socket.fd.get(), address.raw(), address.size));
  // There is nothing more to be asked of it.
  if (socket.is_stream && (answer == 0 || answer == -EINPROGRESS)) socket.fd.Reset();
  return answer;
}

SocketGate::Answer SocketGate::Listen(Socket& socket, int backlog) {
  int listens = 0;
  socklen_t size = sizeof listens;
  const bool knows = ::getsockopt(socket.fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0;
  if (!knows || listens == 0) {
    if (socket.bound.empty()) return Refuse("it listened with a socket that it did not bind");
    sockaddr_in6 own{};
    size = sizeof own;
    ::getsockname(socket.fd.get(), reinterpret_cast<sockaddr*>(&own), &size);
    const std::string at = TextOf(reinterpret_cast<const sockaddr*>(&own));
    // Where the system picked the port, the question may have been for any.
    const std::string& asked = IsAllowed(SocketStep::kTcpListen, at) ? at : socket.bound;
    if (const Answer may = MayUse(SocketStep::kTcpListen, asked, "listened at"); may != 0) return may;
  }
  return Outcome(::listen(socket.fd.get(), backlog));
}

SocketGate::Answer SocketGate::SendTo(const Socket& socket, const seccomp_notif& asked) {
  const auto& args = asked.data.args;
  Address address;
  if (const Answer read = Read(args[4], args[5] & 0xffff'ffff, address); read != 0) return read;
  if (socket.is_stream) return Refuse("it sent a datagram by TCP");
  if (address.bytes.sin6_family != socket.family) return -EAFNOSUPPORT;
  const Answer may = MayUse(SocketStep::kUdpSend, TextOf(address.raw()), "sent a datagram to");
  if (may != 0) return may;
  if (args[2] > kDatagramMax) return -EMSGSIZE;
  data_.resize(kDatagramMax);
  const auto size = static_cast<ssize_t>(args[2]);
  if (::pread(options_.memory.get(), data_.data(), args[2], static_cast<off_t>(args[1])) != size) return -EFAULT;
  return Outcome(
      ::sendto(socket.fd.get(), data_.data(), args[2], MSG_DONTWAIT | MSG_NOSIGNAL, address.raw(), address.size));
}

SocketGate::Answer SocketGate::Do(const seccomp_notif& asked) {
  const auto& args = asked.data.args;
  const auto found = sockets_.find(static_cast<int>(args[0]));
  if (found == sockets_.end()) return -EBADF;
  Socket& socket = found->second;
  if (!socket.fd) return -EISCONN;
  if (asked.data.nr == SYS_listen) {
    return socket.is_stream ? Listen(socket, static_cast<int>(args[1])) : -EOPNOTSUPP;
  }
  if (asked.data.nr == SYS_sendto) return SendTo(socket, asked);
  Address address;
  if (const Answer read = Read(args[1], args[2] & 0xffff'ffff, address); read != 0) return read;
  const int family = address.bytes.sin6_family;
  // A datagram socket without a peer is what it was before it had one.
  if (asked.data.nr == SYS_connect && family == AF_UNSPEC && !socket.is_stream) {
    return Outcome(::connect(socket.fd.get(), address.raw(), address.size));
  }
  if (family != socket.family) return -EAFNOSUPPORT;
  return asked.data.nr == SYS_bind ? Bind(socket, address) : Connect(socket, address);
}

// ---- The thread ----------------------------------------------------------------------------------------------------

void SocketGate::Reply(std::uint64_t id, Answer answer) {
  seccomp_notif_resp reply{};
  reply.id = id;
  if (answer < 0) {
    reply.error = static_cast<std::int32_t>(answer);
  } else {
    reply.val = answer;
  }
  (void)::ioctl(options_.listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &reply);  // or the worker is gone
}

// False when there is nobody to answer any more.
bool SocketGate::AnswerOne() {
  alignas(seccomp_notif) std::array<std::uint8_t, kNotificationBytes> space{};
  auto& asked = *reinterpret_cast<seccomp_notif*>(space.data());
  if (::ioctl(options_.listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return errno == EINTR || errno == ENOENT;
  switch (asked.data.nr) {
    case SYS_socket: Make(asked); break;
    case SYS_close: Reply(asked.id, Close(asked)); break;
    case SYS_bind:
    case SYS_connect:
    case SYS_listen:
    case SYS_sendto: Reply(asked.id, Do(asked)); break;
    default: Reply(asked.id, -EPERM); break;
  }
  return true;
}

void SocketGate::Work() {
  bool is_well = true;
  while (is_well) {
    std::array<pollfd, 2> from = {{{options_.listener.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    if (::poll(from.data(), from.size(), -1) < 0 && errno != EINTR) break;
    const bool is_gone = (from[0].revents & POLLIN) == 0 && from[0].revents != 0;
    if (from[1].revents != 0 || is_gone) return sockets_.clear();
    try {
      is_well = (from[0].revents & POLLIN) == 0 || AnswerOne();
    } catch (const std::bad_alloc&) {
      is_well = false;
    }
  }
  // Nobody answers the worker any more, which would wait for ever.
  sockets_.clear();
  if (options_.on_broken) options_.on_broken();
}

}  // namespace cordon::worker
