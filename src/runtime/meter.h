// Counters, in the text format that Prometheus reads. Thread-safe; counting is a relaxed addition.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "audit/observer.h"
#include "base/spread.h"
#include "base/trace.h"
#include "base/units.h"
#include "cordon/error.h"

namespace cordon::runtime {

using Counter = std::atomic<std::uint64_t>;

// Of one plugin, by its name. It outlives the plugin, so that counters never go back.
class PluginMeter {
 public:
  void CountCalls(std::uint64_t count, Duration total);
  void CountFailure(Code code, Duration took);
  // Of a resident: its state now, and how often it was made anew since it was loaded.
  void SetResident(std::string_view state, std::uint64_t restarts);
  // Where the plugin's router counts what its guests ask for.
  Spread<Counter>& host_calls() { return host_calls_; }

 private:
  friend class Meter;
  struct Done {
    Counter count{0}, total_ns{0};
  };
  Spread<Done> done_;
  Spread<Counter> host_calls_;
  std::mutex mutex_;  // guards failures_, resident_, restarts_, restarts_seen_
  std::map<Code, std::uint64_t> failures_;
  std::string resident_;  // empty: it is none
  std::uint64_t restarts_ = 0, restarts_seen_ = 0;
  Counter failed_ns_{0};
};

class Meter {
 public:
  std::shared_ptr<PluginMeter> Of(const std::string& plugin);
  void CountDecision(policy::Verdict verdict);
  void CountLoad(std::optional<Code> refusal);
  void CountAuditFailure() { audit_failures_.fetch_add(1, std::memory_order_relaxed); }

  struct Now {
    bool plugins_on = true;
    std::optional<SpanSink::Counts> spans;
  };
  // The text exposition, version 0.0.4. Label values are escaped.
  std::string Text(const Now& now);

 private:
  std::mutex mutex_;  // guards plugins_, loads_
  std::map<std::string, std::shared_ptr<PluginMeter>> plugins_;
  std::map<std::string, std::uint64_t> loads_;  // by outcome
  Spread<Counter> allowed_, denied_;
  Counter audit_failures_{0};
};

// Counts what passes through to the audit.
class MeteredObserver final : public audit::Observer {
 public:
  MeteredObserver(std::shared_ptr<audit::Observer> inner, std::shared_ptr<Meter> meter)
      : inner_(std::move(inner)), meter_(std::move(meter)) {}
  Status On(const audit::Record& record) override;
  Status OnDecision(const audit::DecisionView& decision) override;
  Status OnCalls(const audit::CallTally& tally) override;

 private:
  Status Counted(Status written);
  std::shared_ptr<audit::Observer> inner_;
  std::shared_ptr<Meter> meter_;
};

}  // namespace cordon::runtime
