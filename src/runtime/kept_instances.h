// Instances that calls share, in place of one for each call.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/engine.h"
#include "runtime/plugin.h"

namespace cordon::runtime {

// One call of a function. What it refers to outlives it.
struct KeptCall {
  const engine::Function& function;
  engine::Pieces input;
  engine::ResultSink& sink;
  engine::CallLimits limits;  // the wall time counts from the call's arrival
  Duration own_wall{0};       // what the plugin may have, whatever this caller leaves it; 0: that of the plugin
  std::uint64_t call_id = 0;
  engine::CallTraces traces{};
  CallHandle* handle = nullptr;  // stops it
  bool* fell = nullptr;          // set when it is the resident that failed, and not the question; may be null
};

// Keeps a result in one piece.
class BytesSink final : public engine::ResultSink {
 public:
  explicit BytesSink(std::vector<std::uint8_t>& out) : out_(out) {}
  void Take(engine::Pieces pieces) noexcept override;
  bool fell_short() const { return fell_short_; }

 private:
  std::vector<std::uint8_t>& out_;
  bool fell_short_ = false;
};

// Thread-safe.
class KeptInstances {
 public:
  virtual ~KeptInstances() = default;
  virtual Status Call(const KeptCall& call) = 0;
};

// What an instance is made of.
struct InstanceRecipe {
  std::shared_ptr<const engine::Linked> linked;
  engine::InstanceOptions options;
  std::shared_ptr<HostChannel> channel;
  // For its initialisers. Stopped by `handle`, which may be null.
  Result<engine::Instance> Make(const engine::CallLimits& limits, std::uint64_t call_id, CallHandle* handle) const;
};

// Calls in one, with what it leaves behind. The handle lets go of the instance at the end.
Status CallIn(engine::Instance& instance, const KeptCall& call);

// `runtime.instance: pooled`. A call takes an idle instance or makes one; one that failed, was stopped, is old or has
// answered enough is given up.
class InstancePool final : public KeptInstances {
 public:
  struct Bounds {
    std::uint32_t idle_max = 8;
    std::uint32_t calls_max = 1000;
    Duration age_max = std::chrono::minutes(10);
  };
  InstancePool(InstanceRecipe recipe, Bounds bounds) : recipe_(std::move(recipe)), bounds_(bounds) {}
  Status Call(const KeptCall& call) override;

 private:
  struct Entry {
    engine::Instance instance;
    std::uint32_t calls = 0;
    MonotonicTime born;
  };
  std::optional<Entry> TakeIdle(MonotonicTime now);

  const InstanceRecipe recipe_;
  const Bounds bounds_;
  std::mutex mutex_;
  std::vector<Entry> idle_;
};

}  // namespace cordon::runtime
