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
#include "services/tally.h"

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

// What became of a plugin's authority since it was loaded. Thread-safe.
class Standing {
 public:
  virtual ~Standing() = default;
  // Null while it stands as it was loaded; else what is left, which lives as long as this. It is asked each time.
  virtual const policy::Authority* Now() = 0;
};

// What a guard asks beside the authority itself.
struct Accounts {
  std::shared_ptr<Tally> run{}, disk{};  // of limited grants, by where they come from; null: such a grant is denied
  std::shared_ptr<Standing> standing{};  // null: nothing is ever taken back
};

// Holds the authority of one plugin. Thread-safe; the authority and the observer must outlive it.
class Guard {
 public:
  Guard(const policy::Authority& authority, audit::Observer& observer, std::string plugin, std::string digest,
        Accounts accounts = {});

  // Decides, takes one use from a grant that counts them, and writes one record. When the record cannot be written the
  // answer is a denial with the rule "audit" and E_AUDIT_UNAVAILABLE. An allowance makes no memory (but for requests of
  // HTTP, sockets and programs that are narrower than their grant, and for grants that count), and has no rule here: it
  // is in the record.
  policy::Decision Check(const Caller& caller, const policy::Capability& asked,
                         std::string_view normalised_target) const;

  // Before bytes go by under something that Check allowed: takes them from a grant that counts them. A denial has a
  // record, an allowance none.
  policy::Decision Spend(const Caller& caller, const policy::Capability& asked, std::string_view normalised_target,
                         std::uint64_t bytes) const;
  // What such a grant has left; UINT64_MAX when nothing counts.
  std::uint64_t BytesLeft(const policy::Capability& asked) const;
  // Bytes that Spend took and that did not go by.
  void GiveBack(const policy::Capability& asked, std::uint64_t bytes) const;

  // Of an allowed call: what the plugin that is called may use meanwhile.
  policy::KindSet PassedOn(const policy::Capability& asked) const;

  // Records a denial that a layer below made by a rule of its own; `capability` is the compact form, as far as it is
  // known.
  policy::Decision Refuse(const Caller& caller, std::string_view capability, std::string_view normalised_target,
                          std::string_view rule, Code code = Code::kDenied) const;

  // Whether it is granted still, for what only tells of grants: no question, so no use and no record.
  bool Holds(const policy::Capability& capability) const;

  // As it was loaded.
  const policy::Authority& authority() const { return authority_; }
  const std::string& plugin() const { return plugin_; }

 private:
  policy::Decision Audit(const Caller& caller, std::string_view capability, std::string_view target,
                         policy::Decision decision) const;

  // The denial, or one that allows, of the grants of a ruling that have limits.
  policy::Decision Take(const policy::Ruling& ruling, Tally::Use use) const;
  // The first ruling that covers and counts bytes, and then only when no other one covers without.
  const policy::Ruling* Counting(const policy::Capability& asked) const;
  Tally* TallyOf(const policy::LimitedGrant& grant) const;

  const policy::Authority& authority_;
  audit::Observer& observer_;
  const Accounts accounts_;
  std::string plugin_;
  std::string digest_;
  std::vector<std::string> effective_;  // the text of what each ruling allows, in their order
};

}  // namespace cordon::services
