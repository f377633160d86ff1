#include "telemetry/post.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace cordon::telemetry {
namespace {

using Time = std::chrono::steady_clock::time_point;

std::unexpected<Error> Late() { return Fail(Code::kTimeout, "the collector did not answer in time"); }

std::unexpected<Error> Unreachable(const HttpPlace& place, int error) {
  return Fail(Code::kUnavailable,
              "the collector " + place.host + ":" + place.port + " cannot be reached: " + ErrnoText(error));
}

Status Wait(int fd, short events, Time deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return Late();
  pollfd one{fd, events, 0};
  const int ready = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left.count() + 1, 60'000)));
  if (ready < 0 && errno != EINTR) return Fail(Code::kUnavailable, "poll: " + ErrnoText(errno));
  return {};
}

Result<UniqueFd> Connect(const HttpPlace& place, Time deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found); failed != 0) {
    return Fail(Code::kUnavailable, "the collector " + place.host + " has no address: " + ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  int error = EHOSTUNREACH;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    UniqueFd fd(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, one->ai_protocol));
    if (!fd) {
      error = errno;
      continue;
    }
    if (::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0) return fd;
    error = errno;
    if (error != EINPROGRESS) continue;
    CORDON_TRY(Wait(fd.get(), POLLOUT, deadline));
    socklen_t size = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) return fd;
  }
  return Unreachable(place, error);
}

Status SendAll(int fd, std::string_view bytes, const HttpPlace& place, Time deadline) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return Unreachable(place, errno);
    } else {
      CORDON_TRY(Wait(fd, POLLOUT, deadline));
    }
  }
  return {};
}

// "HTTP/1.1 200 OK".
Result<int> StatusOf(std::string_view line, const HttpPlace& place) {
  int status = 0;
  const std::size_t at = line.find(' ');
  if (line.starts_with("HTTP/1.") && at != std::string_view::npos && line.size() >= at + 4) {
    const auto parsed = std::from_chars(line.data() + at + 1, line.data() + at + 4, status);
    if (parsed.ec == std::errc() && status >= 100) return status;
  }
  return Fail(Code::kUnavailable, "what answers at " + place.host + ":" + place.port + " does not speak HTTP");
}

}  // namespace

Result<HttpPlace> HttpPlace::Parse(std::string_view url) {
  const auto wrong = [&](std::string_view why) {
    return Fail(Code::kInvalid, "'" + EscapeShort(url, 100) + "' is not the place of a collector: " + std::string(why),
                "write http://HOST:PORT, such as http://127.0.0.1:4318");
  };
  if (url.starts_with("https://")) {
    return Fail(Code::kUnenforceable, "'" + EscapeShort(url, 100) + "' asks for TLS, which this build does not speak",
                "name a collector on this machine, and let that one pass spans on");
  }
  if (!url.starts_with("http://")) return wrong("it does not begin with http://");
  std::string_view rest = url.substr(7);
  HttpPlace place;
  const std::size_t slash = rest.find('/');
  place.path = slash == std::string_view::npos ? "" : std::string(rest.substr(slash));
  rest = rest.substr(0, slash);
  const auto plain = [](std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c < 0x7f; });
  };
  if (!plain(url) || url.find_first_of("?#@\\") != std::string_view::npos) return wrong("it has more than a path");
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.rfind(':');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  place.port = has_port ? std::string(rest.substr(colon + 1)) : "4318";
  rest = has_port ? rest.substr(0, colon) : rest;
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(place.port.data(), place.port.data() + place.port.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != place.port.data() + place.port.size() || number == 0) {
    return wrong("its port is not one");
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return wrong("it names no host");
  place.host = std::string(rest);
  while (place.path.ends_with('/')) place.path.pop_back();
  return place;
}

Result<int> Post(const HttpPlace& place, std::string_view content_type, std::string_view body, Time deadline) {
  CORDON_ASSIGN(const UniqueFd fd, Connect(place, deadline));
  const bool is_v6 = place.host.find(':') != std::string::npos;
  const std::string host = (is_v6 ? "[" + place.host + "]" : place.host) + ":" + place.port;
  const std::string path = place.path.empty() ? "/" : place.path;
  const std::string head =
      "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: " + std::string(content_type) +
      "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nUser-Agent: cordon\r\nConnection: close\r\n\r\n";
  CORDON_TRY(SendAll(fd.get(), head, place, deadline));
  CORDON_TRY(SendAll(fd.get(), body, place, deadline));
  // Only the first line matters; what follows is read as far as it fits, so that the server sees an orderly end.
  std::string answer;
  while (answer.find('\n') == std::string::npos && answer.size() < 4096) {
    char room[1024];
    const ssize_t n = ::recv(fd.get(), room, sizeof room, 0);
    if (n > 0) {
      answer.append(room, static_cast<std::size_t>(n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      break;
    } else {
      CORDON_TRY(Wait(fd.get(), POLLIN, deadline));
    }
  }
  return StatusOf(std::string_view(answer).substr(0, answer.find('\n')), place);
}

}  // namespace cordon::telemetry
