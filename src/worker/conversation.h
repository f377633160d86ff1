// A worker as the pool of its plugin sees it, and the talks that are had with it. For this room only.
#pragma once

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/message_codec.h"
#include "base/socket_use.h"
#include "worker/pool.h"
#include "worker/socket_gate.h"
#include "worker/talk.h"

namespace cordon::worker {

using Clock = std::chrono::steady_clock;

// How often a wait is broken off to see whether the worker is still there.
inline constexpr Duration kLook = std::chrono::milliseconds(20);
inline constexpr Duration kLookAtCpu = std::chrono::milliseconds(2);
inline constexpr Duration kAhead = std::chrono::milliseconds(10);             // of its share of processors, at most
inline constexpr Duration kStartMost = std::chrono::seconds(10);              // of a worker
inline constexpr int kUnansweredMax = 64;                                     // questions of one worker at once
inline constexpr std::uint64_t kUnansweredBytesMax = 2 * kMessagePayloadMax;  // of theirs

inline Error Lost(std::string why) {
  return Error(Code::kWorkerLost, "the worker that ran the call is gone: " + std::move(why),
               "try again, where the action may run twice")
      .With("reason", "ended");
}

inline Error Stopped() { return Error(Code::kInterrupted, "the call was interrupted"); }

inline Error OverLimit(Code code, std::string message, std::string_view limit, std::string remedy) {
  return Error(code, std::move(message), std::move(remedy)).With("limit", std::string(limit));
}

// What a worker and its host have in common. Answers that are still being made may keep it for longer than the pool.
struct Pool::Wire {
  Process process;
  std::unique_ptr<Link> link;
  std::timed_mutex speaking;  // one frame at a time
  std::atomic<int> unanswered{0};
  std::atomic<std::uint64_t> unanswered_bytes{0};
  std::atomic<bool> closed{false};
  std::atomic<MonotonicTime> end{MonotonicTime::max()};  // of the call: nothing is said for longer
  std::unique_ptr<SocketGate> sockets;                   // null: it has none

  // A worker that does not read may keep another frame from its end: this one waits no longer than it would itself.
  Status Say(std::uint16_t type, engine::Pieces body, const Link::Watch& watch) {
    std::unique_lock lock(speaking, std::try_to_lock);
    while (!lock) {
      CORDON_ASSIGN(const Duration most, watch());
      (void)lock.try_lock_for(most);
    }
    return link->Send(type, body, watch);
  }
  Status Reply(std::uint32_t number, const HostReply& reply, const Link::Watch& watch) {
    Result<std::vector<std::uint8_t>> bytes = EncodeReply(reply);
    if (!bytes) bytes = EncodeReply(TrapOf(bytes.error()));
    CORDON_TRY(bytes);
    wire::Buffer head;
    wire::Writer(head).U32(number);
    const std::span<const std::uint8_t> pieces[] = {head, *bytes};
    return Say(kReply, pieces, watch);
  }
  // Without waiting; false: it would have to.
  bool ReplyAtOnce(std::uint32_t number, const HostReply& reply) {
    Result<std::vector<std::uint8_t>> bytes = EncodeReply(reply);
    if (!bytes) bytes = EncodeReply(TrapOf(bytes.error()));
    const std::unique_lock lock(speaking, std::try_to_lock);
    if (!lock || !bytes || !link->Fits(sizeof number + bytes->size())) return false;
    wire::Buffer head;
    wire::Writer(head).U32(number);
    const std::span<const std::uint8_t> pieces[] = {head, *bytes};
    (void)link->Send(kReply, pieces, {});
    return true;
  }
  // By a thread that is not the call's; one that nobody waits for any more is dropped. A worker that does not hear it
  // while its call lasts is ended.
  void ReplyLate(std::uint32_t number, const HostReply& reply) {
    (void)Reply(number, reply, [this]() -> Result<Duration> {
      if (closed.load() || process.Ended()) return Fail(Lost("its call is over"));
      if (Clock::now() < end.load()) return kLook;
      process.Kill();
      return Fail(Lost("it did not take an answer"));
    });
  }
};

struct Pool::Worker {
  std::shared_ptr<Wire> wire = std::make_shared<Wire>();
  UniqueFd door;
  std::shared_ptr<groups::Group> group;  // its own; null: it has none
  std::uint64_t ended_before = 0;        // in that group, for its memory
  std::vector<std::int64_t> functions;   // of the pool's numbers; -1: not asked yet
  std::uint64_t calls = 0;
  MonotonicTime born = Clock::now(), taken{};
  std::optional<std::string> tenant;  // nothing: it has run nothing yet
  std::string charged;                // whose it is while it is busy
  std::uint64_t bytes_at_first = 0;   // of its own memory
  bool is_told = false;               // that it broke the rules
  Duration cpu_told{0};               // in sum, with what its calls came to

  // Of its process, and of what works for it here.
  std::optional<Duration> CpuTime() const {
    std::optional<Duration> used = wire->process.CpuTime();
    if (used && wire->sockets != nullptr) *used += wire->sockets->CpuTime().value_or(Duration(0));
    return used;
  }

  // Its own word: a sum that has an end.
  void Tell(Duration cpu) { cpu_told += std::clamp(cpu, Duration(0), Duration::max() - cpu_told); }
  // What its call used that came to nothing. Of one that is gone nobody knows: then all the time there was.
  Duration CpuSince(Duration elapsed) const {
    const std::optional<Duration> used = CpuTime();
    return used ? std::max(*used - cpu_told, Duration(0)) : elapsed;
  }

  bool IsBroken() const { return wire->sockets != nullptr && !wire->sockets->broken().empty(); }

  // Why its process is no more.
  Error WhyEnded() const {
    const std::string broken = wire->sockets != nullptr ? wire->sockets->broken() : std::string();
    if (!broken.empty()) return BrokenRule(broken);
    if (group == nullptr || group->ended_for_memory() == ended_before) return Lost("its process was ended, or crashed");
    return OverLimit(Code::kMemory, "the worker used more memory than its control group has", "memory",
                     "raise limits.memory, or let the plugin use less");
  }
};

// A call that waits for a worker, on its thread's stack.
struct Pool::Waiter {
  std::string tenant;
  bool for_nobody = false;
  std::unique_ptr<Worker> worker{};  // that it was given, or leave to make one
  enum class Answer : std::uint8_t { kNone, kWorker, kMayMake, kRefused } answer = Answer::kNone;
  std::condition_variable ready{};
};

// One question of a worker that is being answered, by whoever holds this.
class Pool::Unanswered {
 public:
  Unanswered(std::shared_ptr<Wire> wire, std::uint64_t bytes) : wire_(std::move(wire)), bytes_(bytes) {
    ++wire_->unanswered;
    wire_->unanswered_bytes += bytes_;
  }
  Unanswered(Unanswered&&) noexcept = default;
  ~Unanswered() {
    if (wire_ == nullptr) return;
    wire_->unanswered_bytes -= bytes_;
    --wire_->unanswered;
  }
  const std::shared_ptr<Wire>& wire() const { return wire_; }

 private:
  std::shared_ptr<Wire> wire_;
  std::uint64_t bytes_;
};

// The answer to one question of a worker, whoever gives it; let go, it ends the guest's call.
class Pool::LateAnswer {
 public:
  LateAnswer(Unanswered question, std::shared_ptr<Errands> errands, std::uint32_t number)
      : question_(std::move(question)), errands_(std::move(errands)), number_(number) {}
  LateAnswer(LateAnswer&&) noexcept = default;
  ~LateAnswer() {
    if (question_.wire() != nullptr)
      Give(TrapOf(Error(Code::kService, "the host let go of a question without an answer")));
  }
  // Never waits for the worker: whose thread this is, is not known.
  void Give(const HostReply& reply) noexcept {
    Unanswered question = std::move(question_);
    const std::shared_ptr<Wire> wire = question.wire();
    if (wire == nullptr) return;
    try {
      if (wire->ReplyAtOnce(number_, reply)) return;
      auto say = [question = std::move(question), number = number_, reply] {
        question.wire()->ReplyLate(number, reply);
      };
      if (errands_->Run(std::move(say))) return;
    } catch (...) {  // no memory: as without a thread
    }
    wire->process.Kill();  // it would wait for ever
  }

 private:
  Unanswered question_;
  std::shared_ptr<Errands> errands_;
  std::uint32_t number_;
};

// A talk with a worker about one thing: watches it, and the clock, while it waits.
class Pool::Conversation {
 public:
  Conversation(Pool& pool, Worker& worker, Duration wall, std::optional<Duration> cpu,
               engine::Interrupter::Brake* brake)
      : pool_(pool),
        worker_(worker),
        wire_(worker.wire),
        limits_{pool.options_.output_bytes, pool.options_.stream_bytes},
        cpu_(cpu),
        brake_(brake),
        began_(Clock::now()),
        end_(EndOf(wall)),
        next_look_(began_ + kLook) {
    if (pool_.options_.ways != nullptr) number_ = ++pool_.talks_;
    if (const auto& most = pool_.options_.cpu_max) share_ = *most / std::max(1.0, std::ceil(*most));
    if (cpu_ || share_) cpu_began_ = worker_.CpuTime();
    wire_->end = end_;
    watch_ = [this]() -> Result<Duration> { return Look(); };
    if (brake_ != nullptr) {
      brake_->Set([wire = wire_] {
        wire->process.Kill();
        wire->link->Nudge();
      });
    }
  }
  ~Conversation() {
    End();
    if (number_ != 0 && asked_way_) pool_.options_.ways->End(number_);
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  Status Send(FrameType type, engine::Pieces body) { return worker_.wire->Say(type, body, watch_); }
  Status Send(FrameType type, const wire::Buffer& body) {
    const std::span<const std::uint8_t> piece(body);
    return Send(type, engine::Pieces(&piece, 1));
  }
  Result<Link::Frame> Receive() {
    const auto bound = [this](std::uint16_t type) { return FrameBound(limits_, type); };
    return worker_.wire->link->Receive(bound, watch_);
  }

  // Until it is done: answers what the guest asks by `channel`, gives what it answers to `sink`.
  Result<Done> Finish(const std::shared_ptr<HostChannel>& channel, engine::ResultSink* sink, std::uint64_t call_id) {
    const Answerer answer = [&](std::uint32_t number, OwnedRequest asked) {
      return Answer(number, std::move(asked), channel, call_id);
    };
    Result<Done> done = ReadCall(*worker_.wire->link, limits_, watch_, answer, sink);
    End();
    return done;
  }

  Duration elapsed() const { return Clock::now() - began_; }

 private:
  // From here on the worker may be another's: nobody stops it on behalf of this talk, and nothing was allowed by it.
  void End() {
    if (brake_ != nullptr) brake_->Set({});
    // Its last frame may have crossed with the order to stand still.
    if (std::exchange(paused_until_, std::nullopt)) wire_->process.Resume();
    if (!std::exchange(is_over_, true) && wire_->sockets != nullptr) wire_->sockets->EndCall();
  }

  static MonotonicTime EndOf(Duration wall) {
    const MonotonicTime now = Clock::now();
    return wall > std::chrono::hours(24 * 365) ? now + std::chrono::hours(24 * 365) : now + wall;
  }

  // What happened while nothing came; else how long to wait for it.
  Result<Duration> Look() {
    if (brake_ != nullptr && brake_->pulled()) return Fail(Stopped());
    const MonotonicTime now = Clock::now();
    if (now >= end_) {
      worker_.wire->process.Kill();
      return Fail(OverLimit(Code::kTimeout, "the call ran past its deadline", "timeout",
                            "raise the limit with --timeout, or make the plugin faster"));
    }
    // A first wait is short for most calls: nothing is looked at before it.
    if (looked_ && worker_.wire->process.Ended()) return Fail(worker_.WhyEnded());
    if (cpu_ && looked_) CORDON_TRY(LookAtCpu());
    if (share_ && looked_) HoldBack(now);
    looked_ = true;
    const Duration most = std::min<Duration>(cpu_ || share_ ? kLookAtCpu : kLook, end_ - now);
    next_look_ = now + most;
    return most;
  }

  // Lets a worker stand still that is ahead of its share.
  void HoldBack(MonotonicTime now) {
    if (paused_until_) {
      if (now < *paused_until_) return;
      worker_.wire->process.Resume();
      paused_until_.reset();
      return;
    }
    const std::optional<Duration> used = worker_.CpuTime();
    if (!used || !cpu_began_) return;
    const auto due = std::chrono::duration_cast<Duration>((*used - *cpu_began_) / *share_);
    if (due <= now - began_ + kAhead) return;
    worker_.wire->process.Pause();
    paused_until_ = began_ + due;
  }

  Status LookAtCpu() {
    const std::optional<Duration> used = worker_.CpuTime();
    if (!used || !cpu_began_ || *used - *cpu_began_ < *cpu_) return {};
    worker_.wire->process.Kill();
    return Fail(OverLimit(Code::kCpu, "the call used more CPU time than its limit", "cpu", "raise limits.cpu"));
  }

  Status Answer(std::uint32_t number, OwnedRequest asked, const std::shared_ptr<HostChannel>& channel,
                std::uint64_t call_id) {
    if (!pool_.MayAsk(asked)) {
      return Fail(BrokenRule("it asked for " + asked.interface_name + "#" + asked.function +
                             ", which its plugin was not linked with"));
    }
    // Who always has something to say is never waited for, and must end in time all the same.
    if ((brake_ != nullptr && brake_->pulled()) || Clock::now() >= std::min(next_look_, end_)) CORDON_TRY(Look());
    // Not the worker's word: which call this is, and when it ends.
    asked.call_id = call_id;
    const std::int64_t end = std::chrono::duration_cast<Duration>(end_.time_since_epoch()).count();
    if (asked.deadline_ns <= 0 || asked.deadline_ns > end) asked.deadline_ns = end;
    if (channel == nullptr) {
      const HostReply trap = TrapOf(Error(Code::kLink, "nobody answers " + asked.interface_name));
      return worker_.wire->Reply(number, trap, watch_);
    }
    const bool is_way = asked.interface_name == engine::kWay && pool_.options_.ways != nullptr;
    asked_way_ = asked_way_ || is_way;
    const auto answer = [is_way, channel, ways = pool_.options_.ways, call = number_](const OwnedRequest& request) {
      return is_way ? ways->Answer(call, request.Views(), channel) : channel->Send(request.Views());
    };
    const Way way = pool_.WayOf(asked);
    if (way == Way::kLater) return AnswerLater(number, asked, channel);
    if (way == Way::kAside && AnswerOutside(number, asked, answer)) return {};
    // This thread looks after the call, and must not wait for what the worker chooses.
    if (way == Way::kAside) return TooMany(number);
    const HostReply reply = answer(asked);
    if (asked.interface_name == kSocketsInterface) LetUse(asked, reply);
    return worker_.wire->Reply(number, reply, watch_);
  }

  Status TooMany(std::uint32_t number) {
    return worker_.wire->Reply(number, TrapOf(Error(Code::kLimit, "too many answers are waited for")), watch_);
  }

  // What was decided is what the worker's sockets are held to.
  void LetUse(const OwnedRequest& asked, const HostReply& reply) {
    const Result<SocketUse> use = DecodeSocketUse(asked.payload);
    wire::Reader answer(reply.payload);
    if (use && worker_.wire->sockets != nullptr && reply.outcome == HostReply::Outcome::kDone && answer.Bool()) {
      worker_.wire->sockets->Allow(*use);
    }
  }

  // An answer that is given later takes no thread until then. The worker waits for it, whoever gives it.
  Status AnswerLater(std::uint32_t number, const OwnedRequest& asked, const std::shared_ptr<HostChannel>& channel) {
    if (HasTooMany(asked)) return TooMany(number);
    LateAnswer late(Unanswered(wire_, asked.payload.size()), pool_.errands_, number);
    channel->Begin(asked.Views(),
                   [late = std::move(late), channel](const HostReply& reply) mutable { late.Give(reply); });
    return {};
  }

  // An answer that may take long is made by another thread, so that the call ends when it should. One that nobody waits
  // for any more is dropped, and not begun if it was not yet. False when there is no thread for it.
  bool AnswerOutside(std::uint32_t number, const OwnedRequest& asked,
                     const std::function<HostReply(const OwnedRequest&)>& answer) {
    if (HasTooMany(asked)) return false;
    auto make = [question = Unanswered(wire_, asked.payload.size()), answer, number, asked] {
      Wire& wire = *question.wire();
      if (!wire.closed.load()) wire.ReplyLate(number, answer(asked));
    };
    return pool_.errands_->Run(std::move(make));
  }

  bool HasTooMany(const OwnedRequest& asked) const {
    return wire_->unanswered.load() >= kUnansweredMax ||
           wire_->unanswered_bytes.load() + asked.payload.size() > kUnansweredBytesMax;
  }

  Pool& pool_;
  Worker& worker_;
  const std::shared_ptr<Wire> wire_;
  const TalkLimits limits_;
  const std::optional<Duration> cpu_;
  std::optional<double> share_;  // of one processor
  std::optional<Duration> cpu_began_;
  std::optional<MonotonicTime> paused_until_;
  engine::Interrupter::Brake* const brake_;
  const MonotonicTime began_;
  const MonotonicTime end_;
  MonotonicTime next_look_;
  std::uint64_t number_ = 0;  // of this talk, for requests by the host's way out
  bool asked_way_ = false;
  bool is_over_ = false;
  bool looked_ = false;
  Link::Watch watch_;
};

// A worker that is somebody's, until it is given back or ended.
class Pool::Lease {
 public:
  Lease(Pool& pool, std::unique_ptr<Worker> worker) : pool_(&pool), worker_(std::move(worker)) {}
  Lease(Lease&&) = default;
  ~Lease() {
    if (worker_ != nullptr) pool_->Retire(std::move(worker_), why_);
  }
  // Why it is ended, unless it is given back.
  void Blame(Retirement why) { why_ = why; }
  void Blame(const Error& error) {
    if (error.Detail("reason") == "protocol") pool_->TellBroken(*worker_, error.message);
    const bool is_lost = error.code == Code::kWorkerLost || error.code == Code::kUnavailable;
    const bool is_late = error.code == Code::kTimeout || error.code == Code::kCpu;
    const bool is_stopped = is_late || error.code == Code::kInterrupted;
    why_ = is_lost ? Retirement::kLost : is_stopped ? Retirement::kStopped : Retirement::kTrap;
  }
  Worker& operator*() const { return *worker_; }
  Worker* operator->() const { return worker_.get(); }
  void GiveBack() {
    ++worker_->calls;
    pool_->Put(std::move(worker_));
  }

 private:
  Pool* pool_;
  std::unique_ptr<Worker> worker_;
  Retirement why_ = Retirement::kLost;
};

}  // namespace cordon::worker
