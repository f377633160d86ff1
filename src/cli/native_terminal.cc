#include "cli/native_terminal.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "cli/terminal.h"

namespace cordon::cli {
namespace {

constexpr int kLookMs = 100;
constexpr std::size_t kAnswerBytesMax = 4096;

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

class OwnTerminal final : public runtime::NativeTerminal {
 public:
  std::optional<std::string> Ask(std::string_view question, std::int64_t deadline_ns,
                                 const std::function<bool()>& stopped) override {
    WriteAll(STDERR_FILENO, question);
    std::string line;
    while (NowNs() < deadline_ns && !(stopped && stopped()) && line.size() < kAnswerBytesMax) {
      pollfd ready = {STDIN_FILENO, POLLIN, 0};
      if (::poll(&ready, 1, kLookMs) <= 0) continue;
      char c = 0;
      const ssize_t got = ::read(STDIN_FILENO, &c, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      if (c == '\n') return line;
      line += c;
    }
    return std::nullopt;
  }

  void Progress(std::string_view text) override { WriteAll(STDERR_FILENO, std::string(text) + "\n"); }
};

}  // namespace

std::shared_ptr<runtime::NativeTerminal> FindTerminal() {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return nullptr;
  return std::make_shared<OwnTerminal>();
}

}  // namespace cordon::cli
