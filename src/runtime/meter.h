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
#include <utility>
#include <vector>

#include "audit/observer.h"
#include "base/spread.h"
#include "base/trace.h"
#include "base/units.h"
#include "cordon/error.h"
#include "runtime/plugin.h"
#include "services/quota.h"

namespace cordon::runtime {

using Counter = std::atomic<std::uint64_t>;

// Of one plugin, by its name. It outlives the plugin, so that counters never go back.
class PluginMeter {
 public:
  void CountCalls(std::uint64_t count, Duration total);
  void CountFailure(Code code, Duration took);
  // Of a resident: its state now, and how often it was made anew since it was loaded.
  void SetResident(std::string_view state, std::uint64_t restarts);
  // A worker was ended.
  void CountRetired(std::string_view why);
  void CountUse(const engine::Usage& usage);
  void CountNetwork(std::uint64_t sent, std::uint64_t received);
  void CountWaiting(std::int64_t by) { waiting_.fetch_add(by, std::memory_order_relaxed); }
  // A call began, or is over.
  void CountRunning(std::int64_t by) { running_[running_.HereIndex()].fetch_add(by, std::memory_order_relaxed); }
  Totals Sums();
  // Where the plugin's router counts what its guests ask for.
  Spread<Counter>& host_calls() { return host_calls_; }

 private:
  friend class Meter;
  struct Done {
    Counter count{0}, total_ns{0};
  };
  struct Used {
    Counter cpu_ns{0}, bytes_in{0}, bytes_out{0}, file_read{0}, file_written{0}, file_operations{0};
  };
  Spread<Done> done_;
  Spread<Used> used_;
  Spread<std::atomic<std::int64_t>> running_;
  std::atomic<std::int64_t> waiting_{0};
  Counter network_sent_{0}, network_received_{0}, memory_peak_{0};
  Spread<Counter> host_calls_;
  std::mutex mutex_;  // guards failures_, retired_, resident_, restarts_, restarts_seen_
  std::map<Code, std::uint64_t> failures_;
  std::map<std::string, std::uint64_t, std::less<>> retired_;  // workers, by why
  std::string resident_;                                       // empty: it is none
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
    // By plugin; empty: of all in sum.
    std::vector<std::pair<std::string, std::vector<services::QuotaUsage>>> quotas;
  };
  // The text exposition, version 0.0.4. Label values are escaped.
  std::string Text(const Now& now);
  Totals SumsOfAll();

 private:
  class Page;
  void AddUse(Page& page);
  static void AddQuotas(Page& page, const Now& now);
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
