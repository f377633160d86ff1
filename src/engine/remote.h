// Code that runs in another process, as the holder of a Linked has it: the same calls, the same errors. Implemented
// above this room (src/worker).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace cordon::engine {

// What one call is made with. Views live for the duration of the call.
struct RemoteCall {
  const InstanceOptions& options;
  const std::shared_ptr<HostChannel>& channel;  // may be null
  const CallLimits& limits;
  std::uint64_t call_id = 0;
};

// One owner at a time, as Instance.
class RemoteInstance {
 public:
  virtual ~RemoteInstance() = default;
  virtual Status Call(std::uint32_t function, Pieces input, ResultSink& sink, const CallLimits& limits,
                      std::uint64_t call_id) = 0;
  virtual bool poisoned() const = 0;
  virtual Usage usage() const = 0;
  virtual std::string TakeStdout() = 0;
  virtual std::string TakeStderr() = 0;
  virtual Interrupter interrupter() const = 0;
};

// Thread-safe.
class Remote {
 public:
  virtual ~Remote() = default;
  // The number of an export. E_NOT_FOUND, and what keeps the code from being linked.
  virtual Result<std::uint32_t> Find(const FunctionId& id) = 0;
  // As engine::CallOnce. E_WORKER_LOST when the process is gone, E_BUSY when there is no room for one more.
  virtual Status CallOnce(const RemoteCall& call, std::uint32_t function, Pieces input, ResultSink& sink,
                          const CallTraces& traces) = 0;
  virtual Result<std::unique_ptr<RemoteInstance>> Create(const RemoteCall& call) = 0;
};

}  // namespace cordon::engine
