#include "base/passed_fds.h"

#include <sys/socket.h>

#include <cstring>

namespace cordon {

bool PassFds(int socket, std::span<const int> fds) {
  if (fds.size() > kPassedFdsMax) return false;
  char byte = 0;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(kPassedFdsMax * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

std::vector<UniqueFd> ReceiveFds(int socket, std::size_t count, int flags) {
  char byte = 0;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(kPassedFdsMax * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  std::vector<UniqueFd> fds;
  fds.reserve(kPassedFdsMax);
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags) <= 0) return fds;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (head == nullptr || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return fds;
  const std::size_t came = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < came; ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
    fds.emplace_back(fd);
  }
  if (came != count || (message.msg_flags & MSG_CTRUNC) != 0) fds.clear();
  return fds;
}

}  // namespace cordon
