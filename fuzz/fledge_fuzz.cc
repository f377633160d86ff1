// What plugins for fledge write: command lines, and the lines of native ones.
#include <cstdlib>
#include <string>
#include <string_view>

#include "runtime/native_session.h"
#include "services/exec/words.h"

namespace {

using cordon::HostReply;
using cordon::HostRequest;

class Nobody final : public cordon::HostChannel {
 public:
  HostReply Send(const HostRequest& request) override {
    HostReply reply;
    const std::string_view text = request.function == "log" ? "" : "null";
    reply.payload.assign(text.begin(), text.end());
    return reply;
  }
};

// Words that are quoted one by one stand for themselves.
void Split(std::string_view line) {
  const auto words = cordon::services::SplitCommand(line);
  if (!words) return;
  std::string again;
  for (const std::string& word : *words) {
    again += " '";
    for (const char c : word) again += c == '\'' ? std::string("'\\''") : std::string(1, c);
    again += "'";
  }
  if (cordon::services::SplitCommand(again) != *words) std::abort();
}

void Take(std::string_view text) {
  cordon::engine::InstanceOptions options;
  const cordon::runtime::NativeCall call{.options = &options, .limits = {}, .call_id = 1};
  const auto channel = std::make_shared<Nobody>();
  cordon::runtime::NativeSession session(call, INT64_MAX, channel, [](std::string_view) { return cordon::Status(); });
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto answer = session.Take(text.substr(0, end));
    if (!answer) return;
    // One line, or none.
    if (!answer->empty() && answer->find('\n') + 1 != answer->size()) std::abort();
    text.remove_prefix(std::min(text.size(), end + 1));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  data[0] == 'c' ? Split(text) : Take(text);
  return 0;
}
