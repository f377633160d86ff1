#include "cli/terminal.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace cordon::cli {

Terminal Terminal::Detect(const manifest::Environment& environment) {
  Terminal terminal;
  terminal.out_is_tty = ::isatty(STDOUT_FILENO) == 1;
  terminal.err_is_tty = ::isatty(STDERR_FILENO) == 1;
  // https://no-color.org: present and not empty.
  const bool refused = !environment("NO_COLOR").value_or("").empty();
  terminal.colour_wanted = !refused && environment("TERM").value_or("") != "dumb";
  terminal.colour = terminal.err_is_tty && terminal.colour_wanted;
  return terminal;
}

Terminal Terminal::ForResults() const {
  Terminal results = *this;
  results.colour = out_is_tty && colour_wanted;
  return results;
}

std::string Terminal::Paint(Style style, std::string_view text) const {
  if (!colour) return std::string(text);
  std::string_view code;
  switch (style) {
    case Style::kError: code = "1;31"; break;
    case Style::kWarning: code = "1;33"; break;
    case Style::kGood: code = "32"; break;
    case Style::kStrong: code = "1"; break;
    case Style::kDim: code = "2"; break;
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

Written WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      (void)::poll(&wait, 1, -1);
    } else if (n < 0 && errno != EINTR) {
      return errno == EPIPE ? Written::kGone : Written::kFailed;
    }
  }
  return Written::kAll;
}

}  // namespace cordon::cli
