#include "runtime/host_call_watch.h"

#include "base/digest.h"

namespace cordon::runtime {
namespace {

std::string NameOf(const HostRequest& request) {
  return std::string(request.interface_name) + "#" + std::string(request.function);
}

}  // namespace

Status HostCallAudit::Before(const services::Caller& caller, const HostRequest& request) {
  audit::Record record;
  record.event = audit::Event::kHostCall;
  record.plugin = plugin_;
  record.digest = digest_;
  record.callers = caller.chain;
  if (caller.principal != nullptr) record.tenant = caller.principal->tenant;
  record.target = NameOf(request);
  record.input_digest = Digest::Of(request.payload).ToString();
  if (caller.trace) record.trace = caller.trace->Text();
  return observer_->On(record);
}

void HostCallSpans::After(const services::Caller& caller, const HostRequest& request, const HostReply& reply,
                          std::chrono::steady_clock::time_point began) {
  if (!caller.trace || !caller.trace->sampled || !spans_->wanted()) return;
  Span span;
  span.kind = Span::Kind::kClient;
  span.place = caller.trace->Child();
  span.parent = caller.trace->span;
  span.name = NameOf(request);
  span.end = std::chrono::system_clock::now();
  span.start = span.end - std::chrono::duration_cast<std::chrono::system_clock::duration>(
                              std::chrono::steady_clock::now() - began);
  if (reply.outcome == HostReply::Outcome::kTrap) span.error = CodeName(reply.code);
  span.texts = {{"cordon.plugin", plugin_}};
  spans_->Take(std::move(span));
}

}  // namespace cordon::runtime
