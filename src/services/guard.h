// The one door for authority: it decides and audits, once, at the top of every service method.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/observer.h"
#include "base/trace.h"
#include "cordon/call.h"
#include "policy/authority.h"

namespace cordon::services {

// In whose name a guest asks.
struct Caller {
  std::uint64_t call_id = 0;
  std::vector<std::string> chain;                   // outermost first; empty for the operator's own call
  std::int64_t deadline_ns = 0;                     // of the call, CLOCK_MONOTONIC; 0: none
  std::shared_ptr<const Principal> principal{};     // that the host named; null: nobody
  policy::KindSet passed = policy::KindSet::All();  // what the plugins that wait for this one let it use
  std::optional<TraceParent> trace{};               // the span of the call, when it belongs to a trace
};

// Holds the authority of one plugin. Thread-safe; the authority and the observer must outlive it.
class Guard {
 public:
  Guard(const policy::Authority& authority, audit::Observer& observer, std::string plugin, std::string digest);

  // Decides and writes one record. When the record cannot be written the answer is a denial with the rule "audit" and
  // E_AUDIT_UNAVAILABLE. An allowance makes no memory (but for requests of HTTP, sockets and programs that are narrower
  // than their grant), and has no rule here: it is in the record.
  policy::Decision Check(const Caller& caller, const policy::Capability& asked,
                         std::string_view normalised_target) const;

  // Records a denial that a layer below made by a rule of its own; `capability` is the compact form, as far as it is
  // known.
  policy::Decision Refuse(const Caller& caller, std::string_view capability, std::string_view normalised_target,
                          std::string_view rule, Code code = Code::kDenied) const;

  const policy::Authority& authority() const { return authority_; }
  const std::string& plugin() const { return plugin_; }

 private:
  policy::Decision Audit(const Caller& caller, std::string_view capability, std::string_view target,
                         policy::Decision decision) const;

  const policy::Authority& authority_;
  audit::Observer& observer_;
  std::string plugin_;
  std::string digest_;
  std::vector<std::string> effective_;  // the text of what each ruling allows, in their order
};

}  // namespace cordon::services
