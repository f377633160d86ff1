#include "runtime/command.h"

#include <charconv>

namespace cordon::runtime {
namespace {

constexpr std::string_view kStatus = "status";

int StatusOf(const Error& error) {
  const std::string_view text = error.Detail(kStatus);
  std::int64_t status = 0;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return static_cast<int>(status);
}

}  // namespace

std::string CommandName(std::string_view plugin) { return std::string(plugin.substr(plugin.rfind('/') + 1)); }

Status SettleExit(Status done, std::span<const std::uint8_t> wire, CallReport& report) {
  if (!done && done.error().code == Code::kExit) {
    report.exit_status = StatusOf(done.error());
    if (report.exit_status == 0) return {};
  }
  // Of a component: result<_, _>.
  if (!done || wire.empty() || wire[0] == 0) return done;
  report.exit_status = 1;
  return Fail(Error(Code::kExit, "the guest ended itself with status 1").With(std::string(kStatus), "1"));
}

}  // namespace cordon::runtime
