#include "site.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

namespace cordon::conformance {

Site::Site() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener_.get(), name, size), 0);
  EXPECT_EQ(::listen(listener_.get(), 8), 0);
  EXPECT_EQ(::getsockname(listener_.get(), name, &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

Site::~Site() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

void Site::Serve() {
  for (;;) {
    const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (peer.get() < 0) return;
    std::string asked;
    char buffer[4096];
    while (asked.find("\r\n\r\n") == asked.npos) {
      const ssize_t got = ::recv(peer.get(), buffer, sizeof buffer, 0);
      if (got <= 0) break;
      asked.append(buffer, static_cast<std::size_t>(got));
    }
    if (asked.empty()) continue;
    ++requests_;
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nserved";
    (void)::send(peer.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
  }
}

}  // namespace cordon::conformance
