// Calls in the workers of a pool: what is said to one, and what is made of its answer.
#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/passed_fds.h"
#include "worker/conversation.h"
#include "worker/pool.h"

namespace cordon::worker {
namespace {

// What of a call's time is over before the worker hears of it.
class Since {
 public:
  // E_TIMEOUT when nothing is left.
  Result<Duration> LeftOf(Duration wall) const {
    const Duration gone = Clock::now() - began_;
    if (gone >= wall) {
      return Fail(OverLimit(Code::kTimeout, "the call's time was over before it began: no worker was ready", "timeout",
                            "raise the limit with --timeout, or the number of workers"));
    }
    return wall - gone;
  }

 private:
  const MonotonicTime began_ = Clock::now();
};

// The descriptors of streams, by the worker's door; nothing when there are none.
Status SendStreams(int door, const std::optional<engine::Streams>& streams) {
  if (!streams) return {};
  std::vector<int> fds;
  for (const int fd : {streams->stdin_fd, streams->stdout_fd, streams->stderr_fd}) {
    if (fd >= 0) fds.push_back(fd);
  }
  if (fds.empty() || PassFds(door, fds)) return {};
  return Fail(Lost("its socket is closed"));
}

}  // namespace

Result<std::uint32_t> Pool::FunctionIn(Worker& worker, std::uint32_t function, Duration most,
                                       engine::Interrupter::Brake* brake) {
  if (function < worker.functions.size() && worker.functions[function] >= 0) {
    return static_cast<std::uint32_t>(worker.functions[function]);
  }
  engine::FunctionId id;
  {
    const std::lock_guard lock(mutex_);
    if (function >= functions_.size()) return Fail(Code::kInvalid, "the function is not one of this code");
    id = functions_[function];
  }
  wire::Buffer body;
  wire::Writer out(body);
  out.String(id.interface_name);
  out.String(id.name);
  Conversation talk(*this, worker, std::min(most, kStartMost), std::nullopt, brake);
  CORDON_TRY(talk.Send(kFind, body));
  CORDON_ASSIGN(const Link::Frame frame, talk.Receive());
  wire::Reader in(frame.body);
  const bool failed = in.Bool();
  Error error = failed ? DecodeError(in) : Error();
  const std::uint32_t number = failed ? 0 : in.U32();
  if (frame.type != kFound || !in.Finish()) return Fail(BrokenRule("it did not say where a function is"));
  if (failed) return Fail(std::move(error));
  if (worker.functions.size() <= function) worker.functions.resize(function + 1, -1);
  worker.functions[function] = number;
  return number;
}

Result<std::uint32_t> Pool::Find(const engine::FunctionId& id) {
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto same = [&](const engine::FunctionId& one) {
      return one.interface_name == id.interface_name && one.name == id.name;
    };
    if (const auto known = std::ranges::find_if(functions_, same); known != functions_.end()) {
      return static_cast<std::uint32_t>(known - functions_.begin());
    }
    number = static_cast<std::uint32_t>(functions_.size());
    functions_.push_back(id);
  }
  CORDON_ASSIGN(auto worker, Take(nullptr, kStartMost));
  Lease lease(*this, std::move(worker));
  const Result<std::uint32_t> found = FunctionIn(*lease, number, kStartMost, nullptr);
  // That there is no such function is an answer like any other.
  if (found || found.error().code == Code::kNotFound) {
    lease.GiveBack();
  } else {
    lease.Blame(found.error());
  }
  CORDON_TRY(found);
  return number;
}

Status Pool::CallOnce(const engine::RemoteCall& call, std::uint32_t function, engine::Pieces input,
                      engine::ResultSink& sink, const engine::CallTraces& traces) {
  engine::Interrupter::Brake* const brake = call.options.interrupter.brake();
  engine::CallLimits limits = call.limits;
  const Since began;
  CORDON_ASSIGN(auto worker, Take(&call.options.tenant, limits.wall));
  Lease lease(*this, std::move(worker));
  // Not a byte of the guest's has run yet.
  const auto prepare = [&]() -> Result<std::uint32_t> {
    CORDON_ASSIGN(const Duration left, began.LeftOf(call.limits.wall));
    CORDON_ASSIGN(const std::uint32_t number, FunctionIn(*lease, function, left, brake));
    CORDON_ASSIGN(limits.wall, began.LeftOf(call.limits.wall));
    return number;
  };
  const Result<std::uint32_t> number = prepare();
  if (!number) {
    lease.Blame(number.error());
    return Fail(number.error());
  }
  wire::Buffer head;
  head.reserve(512);
  wire::Writer out(head);
  Encode(out, CallHead{call.call_id, *number, limits});
  Encode(out, call.options, folder_fds_);
  std::vector<std::span<const std::uint8_t>> pieces = {head};
  pieces.insert(pieces.end(), input.begin(), input.end());
  Conversation talk(*this, *lease, limits.wall, limits.cpu, brake);
  const auto run = [&]() -> Result<Done> {
    CORDON_TRY(SendStreams(lease->door.get(), call.options.streams));
    CORDON_TRY(talk.Send(kOnce, pieces));
    return talk.Finish(call.channel, &sink, call.call_id);
  };
  Result<Done> done = run();
  if (!done) {
    if (traces.usage != nullptr) {
      traces.usage->wall = talk.elapsed();
      traces.usage->cpu = lease->CpuSince(talk.elapsed());
    }
    lease.Blame(done.error());
    return Fail(std::move(done).error());
  }
  lease->Tell(done->usage.cpu);
  if (traces.usage != nullptr) *traces.usage = done->usage;
  if (traces.out != nullptr) *traces.out = std::move(done->out);
  if (traces.err != nullptr) *traces.err = std::move(done->err);
  if (done->error) {
    lease.Blame(*done->error);
    return Fail(std::move(*done->error));
  }
  // Whoever stopped the call just as it ended has ended the process, which only shows a moment later.
  if (brake != nullptr && brake->pulled()) {
    lease.Blame(Retirement::kStopped);
  } else if (lease->IsBroken()) {
    lease.Blame(Retirement::kLost);
  } else {
    lease.GiveBack();
  }
  return {};
}

// An instance that lives in a worker of its own.
class Pool::KeptInstance final : public engine::RemoteInstance {
 public:
  KeptInstance(std::shared_ptr<Pool> pool, Lease lease, std::shared_ptr<HostChannel> channel, engine::Usage usage)
      : pool_(std::move(pool)), lease_(std::move(lease)), channel_(std::move(channel)), usage_(usage) {}

  Status Call(std::uint32_t function, engine::Pieces input, engine::ResultSink& sink, const engine::CallLimits& limits,
              std::uint64_t call_id) override {
    if (pool_->mark_.was_forked()) {
      return Fail(Code::kUnavailable, "this process was forked after its workers were made: they are not its own",
                  "make a new Host in this process");
    }
    if (poisoned_) {
      return Fail(Code::kPoisoned, "the instance trapped or was stopped before, and is never entered again",
                  "make a new instance");
    }
    if (!Settles(*lease_)) {
      poisoned_ = true;
      return Fail(Code::kPoisoned, "a question of the call before is still being answered", "make a new instance");
    }
    engine::CallLimits left = limits;
    const Since began;
    const Result<std::uint32_t> number = pool_->FunctionIn(*lease_, function, limits.wall, interrupter_.brake());
    if (!number) {
      if (number.error().code == Code::kNotFound) return Fail(number.error());
      return Lose(number.error());
    }
    CORDON_ASSIGN(left.wall, began.LeftOf(limits.wall));
    wire::Buffer head;
    wire::Writer out(head);
    Encode(out, CallHead{call_id, *number, left});
    std::vector<std::span<const std::uint8_t>> pieces = {head};
    pieces.insert(pieces.end(), input.begin(), input.end());
    Conversation talk(*pool_, *lease_, left.wall, left.cpu, interrupter_.brake());
    const auto run = [&]() -> Result<Done> {
      CORDON_TRY(talk.Send(kCall, pieces));
      return talk.Finish(channel_, &sink, call_id);
    };
    Result<Done> done = run();
    if (!done) {
      usage_.wall += talk.elapsed();
      usage_.cpu += lease_->CpuSince(talk.elapsed());
      return Lose(std::move(done).error());
    }
    lease_->Tell(done->usage.cpu - usage_.cpu);
    usage_ = done->usage;
    poisoned_ = done->poisoned;
    out_ += done->out;
    err_ += done->err;
    if (!done->error) return {};
    if (poisoned_) lease_.Blame(*done->error);
    return Fail(std::move(*done->error));
  }
  bool poisoned() const override { return poisoned_; }
  engine::Usage usage() const override { return usage_; }
  std::string TakeStdout() override { return std::exchange(out_, {}); }
  std::string TakeStderr() override { return std::exchange(err_, {}); }
  engine::Interrupter interrupter() const override { return interrupter_; }

 private:
  std::unexpected<Error> Lose(Error why) {
    poisoned_ = true;
    lease_.Blame(why);
    return Fail(std::move(why));
  }

  const std::shared_ptr<Pool> pool_;
  Lease lease_;  // ended with the instance: nothing of it is left for another
  const std::shared_ptr<HostChannel> channel_;
  engine::Interrupter interrupter_ = engine::Interrupter::WithBrakeAlone();
  engine::Usage usage_;
  bool poisoned_ = false;
  std::string out_, err_;
};

Result<std::unique_ptr<engine::RemoteInstance>> Pool::Create(const engine::RemoteCall& call) {
  engine::CallLimits limits = call.limits;
  const Since began;
  CORDON_ASSIGN(auto worker, Take(&call.options.tenant, limits.wall));
  Lease lease(*this, std::move(worker));
  engine::Usage usage;
  const auto run = [&]() -> Status {
    CORDON_ASSIGN(limits.wall, began.LeftOf(call.limits.wall));
    wire::Buffer body;
    wire::Writer out(body);
    Encode(out, CallHead{call.call_id, 0, limits});
    Encode(out, call.options, folder_fds_);
    Conversation talk(*this, *lease, limits.wall, limits.cpu, call.options.interrupter.brake());
    CORDON_TRY(SendStreams(lease->door.get(), call.options.streams));
    CORDON_TRY(talk.Send(kCreate, body));
    CORDON_ASSIGN(Done done, talk.Finish(call.channel, nullptr, call.call_id));
    if (done.error) return Fail(std::move(*done.error));
    usage = done.usage;
    return {};
  };
  if (Status made = run(); !made) {
    lease.Blame(made.error());
    return Fail(std::move(made).error());
  }
  lease->Tell(usage.cpu);
  lease.Blame(Retirement::kKept);
  return std::make_unique<KeptInstance>(shared_from_this(), std::move(lease), call.channel, usage);
}

}  // namespace cordon::worker
