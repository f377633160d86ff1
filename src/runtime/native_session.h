// The messages of a native plugin, and what they come to. For this room only; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/message.h"
#include "formats/json.h"
#include "runtime/native.h"

namespace cordon::runtime {

class NativeSession {
 public:
  // `print` gets the text of output messages.
  NativeSession(const NativeCall& call, std::int64_t deadline_ns, std::shared_ptr<HostChannel> channel,
                std::function<Status(std::string_view)> print)
      : call_(call), deadline_ns_(deadline_ns), channel_(std::move(channel)), print_(std::move(print)) {}

  // The line with which the host begins.
  Result<std::string> Init();
  // A line of the program's; gives the line to answer it with, or nothing. What is no message is skipped, with a line
  // in the log; an error ends the call.
  Result<std::string> Take(std::string_view line);
  std::uint64_t host_calls() const { return host_calls_; }

 private:
  Result<std::string> Ask(std::string_view function, std::string_view payload);
  HostReply Send(std::string_view function, std::string_view payload) const;
  Status Log(std::string_view level, std::string_view message);
  Result<std::string> Answer(std::string_view type, const Json& message);
  Result<Json> Prompt(const Json& message);
  Json Confirm(const Json& message);
  Result<Json> Select(const Json& message);
  Result<Json> SelectMany(const Json& message);
  void Progress(const Json& message);

  const NativeCall& call_;
  const std::int64_t deadline_ns_;
  const std::shared_ptr<HostChannel> channel_;
  const std::function<Status(std::string_view)> print_;
  std::uint64_t host_calls_ = 0;
};

}  // namespace cordon::runtime
