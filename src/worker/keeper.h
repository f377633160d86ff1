// The host's side of the keeper: where workers come from, and how one is ended.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "base/fork_mark.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "cordon/result.h"
#include "worker/keeper_protocol.h"

namespace cordon::worker {

// Whether a descriptor is ready to be read within this time, signals or not.
bool Await(int fd, Duration most);

// A worker's process, known by a descriptor: its number may be somebody else's by the time it is used.
class Process {
 public:
  Process() = default;
  explicit Process(UniqueFd handle);
  // Thread-safe. What it runs ends at once; the process a moment later.
  void Kill() const;
  // Lets it stand still, and go on.
  void Pause() const;
  void Resume() const;
  bool Ended() const;
  int handle() const { return handle_.get(); }
  // CPU time of all its threads; nothing when it is gone.
  std::optional<Duration> CpuTime() const;
  // Memory that it shares with nobody, as the kernel counts; nothing when it is gone, or /proc does not show it.
  std::optional<std::uint64_t> OwnBytes() const;

 private:
  UniqueFd handle_;
  int number_ = -1;  // for its clock
  UniqueFd statm_;   // of this very process, whoever has the number later
};

// One for each host. Thread-safe.
class Keeper {
 public:
  // Starts `program` (cordon-worker). E_UNAVAILABLE.
  static Result<std::shared_ptr<Keeper>> Start(const std::filesystem::path& program);
  ~Keeper();
  // `fds`: door, memory, set-up, codes, folders. Starts another keeper when this one is gone. E_UNAVAILABLE.
  Result<Process> Spawn(const SpawnRequest& request, std::span<const int> fds);

 private:
  Keeper() = default;
  Status Launch();
  Result<Process> Ask(const SpawnRequest& request, std::span<const int> fds);
  void End();

  std::filesystem::path program_;
  ForkMark mark_;
  std::mutex mutex_;  // guards what follows
  UniqueFd socket_, handle_;
  int pid_ = -1;
};

}  // namespace cordon::worker
