// Watches of what guests ask for, for the audit and for traces. For this room only.
#pragma once

#include <memory>
#include <string>

#include "audit/observer.h"
#include "base/trace.h"
#include "services/router.h"

namespace cordon::runtime {

// A record for each, before it is answered. What cannot be recorded ends the guest's call.
class HostCallAudit final : public services::HostCallWatch {
 public:
  HostCallAudit(std::shared_ptr<audit::Observer> observer, std::string plugin, std::string digest)
      : observer_(std::move(observer)), plugin_(std::move(plugin)), digest_(std::move(digest)) {}
  Status Before(const services::Caller& caller, const HostRequest& request) override;

 private:
  std::shared_ptr<audit::Observer> observer_;
  std::string plugin_, digest_;
};

// A span for each, of calls that are traced.
class HostCallSpans final : public services::HostCallWatch {
 public:
  HostCallSpans(std::shared_ptr<SpanSink> spans, std::string plugin)
      : spans_(std::move(spans)), plugin_(std::move(plugin)) {}
  void After(const services::Caller& caller, const HostRequest& request, const HostReply& reply,
             std::chrono::steady_clock::time_point began) override;

 private:
  std::shared_ptr<SpanSink> spans_;
  std::string plugin_;
};

}  // namespace cordon::runtime
