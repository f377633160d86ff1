#include "worker/pool.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "base/passed_fds.h"
#include "engine/code_cache.h"
#include "worker/conversation.h"

namespace cordon::worker {
namespace {

constexpr int kStartTries = 20;
constexpr int kSettleLooks = 100, kSettleRests = 20;  // on a busy machine it is off its processor
constexpr Duration kSettleRest = std::chrono::microseconds(100);
constexpr std::uint32_t kThreadsMax = 64;  // of one worker
// Of lost workers: so many in a row are made again at once, then one at a time; a row ends with a time without losses.
constexpr std::uint32_t kLossesFree = 4;
constexpr Duration kStartEvery = std::chrono::milliseconds(40), kLossesApart = std::chrono::seconds(2);
constexpr Duration kLongCall = std::chrono::milliseconds(1);
constexpr std::uint64_t kCallsToALook = 16;

constexpr std::pair<int, std::string_view> kNamespaces[] = {
    {CLONE_NEWUSER, "users"}, {CLONE_NEWPID, "processes"}, {CLONE_NEWNET, "networks"},
    {CLONE_NEWNS, "mounts"},  {CLONE_NEWIPC, "IPC"},       {CLONE_NEWUTS, "host names"},
};

constexpr std::array<std::string_view, kRetirements> kRetirementNames = {"trap",   "stopped", "lost",   "calls", "age",
                                                                         "memory", "idle",    "tenant", "kept"};

}  // namespace

std::string_view RetirementName(Retirement why) { return kRetirementNames[static_cast<std::size_t>(why)]; }

Pool::Pool(PoolOptions options) : options_(std::move(options)) {}

Result<std::shared_ptr<Pool>> Pool::Start(PoolOptions options) {
  if (options.folders.size() > kFoldersMax || options.codes.size() > kCodesMax) {
    return Fail(Code::kLimit, "a plugin in a worker may have " + std::to_string(kFoldersMax) + " folders and " +
                                  std::to_string(kCodesMax) + " modules");
  }
  std::shared_ptr<Pool> pool(new Pool(std::move(options)));
  for (const FolderFd& folder : pool->options_.folders) pool->folder_fds_.push_back(folder.fd);
  if (const auto& most = pool->options_.cpu_max) {
    const auto whole = static_cast<std::uint32_t>(std::ceil(*most));
    pool->options_.workers_max = std::min(pool->options_.workers_max, std::max(1u, whole));
  }
  if (pool->options_.set_up.link.abi == engine::LinkSpec::Abi::kFledge) {
    for (const char* own : {"init", "log"}) pool->linked_.emplace("fledge", own);  // by messages, not by imports
  }
  for (const engine::HostImport& stub : pool->options_.set_up.link.stubs) {
    pool->linked_.emplace(stub.interface_name, "deny:" + stub.function);
  }
  for (const engine::HostImport& import : pool->options_.set_up.link.host) {
    const bool traced = import.kind == engine::HostImport::Kind::kTraced;
    pool->linked_.emplace(import.interface_name, (traced ? "trace:" : "") + import.function);
    const std::pair name(import.interface_name, import.function);
    if (import.kind == engine::HostImport::Kind::kBlocking) pool->ways_.emplace(name, Way::kAside);
    if (import.kind == engine::HostImport::Kind::kDeferred) pool->ways_.emplace(name, Way::kLater);
  }
  pool->options_.set_up.folders = static_cast<std::uint32_t>(pool->options_.folders.size());
  wire::Buffer bytes;
  wire::Writer out(bytes);
  Encode(out, pool->options_.set_up);
  CORDON_ASSIGN(pool->set_up_, engine::Sealed(bytes));
  if (pool->options_.cpu_max) {
    pool->all_ = groups::Group::Make(pool->options_.groups, {.processors = pool->options_.cpu_max});
  }
  CORDON_ASSIGN(auto first, pool->Make());
  ++pool->live_;
  pool->idle_.push_back(std::move(first));
  return pool;
}

Pool::~Pool() {
  if (mark_.was_forked()) return;
  for (auto& worker : idle_) {
    worker->wire->process.Kill();
    dying_.push_back({UniqueFd(::fcntl(worker->wire->process.handle(), F_DUPFD_CLOEXEC, 0)), worker->group});
  }
  // Nothing is left behind: not even a process that is on its way out.
  for (const Dying& one : dying_) {
    if (one.handle) worker::Await(one.handle.get(), std::chrono::seconds(2));
  }
}

bool Pool::MayAsk(const OwnedRequest& request) const {
  // What the engine itself asks for WASI; whether it is granted is decided where it is answered.
  static constexpr std::string_view kOwn[] = {"cordon:host/files", "cordon:host/egress"};
  if (std::ranges::find(kOwn, request.interface_name) != std::end(kOwn)) return true;
  if (request.interface_name == engine::kWay) return options_.ways != nullptr;
  // Names it asks the way about, which gives it only addresses that were really found.
  if (request.interface_name == kSocketsInterface) return options_.sockets > 0 && request.function == kSocketUse;
  if (linked_.contains(std::pair(request.interface_name, request.function))) return true;
  // What a guest lets go of, of an interface that it has.
  const auto first = linked_.lower_bound(std::pair(request.interface_name, std::string()));
  return request.function.starts_with("[resource-drop]") && first != linked_.end() &&
         first->first == request.interface_name;
}

Pool::Way Pool::WayOf(const OwnedRequest& request) const {
  if (request.interface_name == engine::kWay && options_.ways != nullptr) {
    return request.function == "pull" || request.function == "head" || request.function == "push" ||
                   request.function == "resolve"
               ? Way::kAside
               : Way::kHere;
  }
  const auto found = ways_.find(std::pair(request.interface_name, request.function));
  return found == ways_.end() ? Way::kHere : found->second;
}

Status Pool::Meets(const Confined& confined) const {
  std::string missing;
  const auto miss = [&](std::string_view what) { missing += (missing.empty() ? "" : ", ") + std::string(what); };
  const bool all = options_.demand == PoolOptions::Demand::kAll;
  if (confined.seccomp == 0) miss("seccomp");
  if (confined.limits == 0) miss("resource limits");
  if (confined.landlock == 0 && (all || !options_.folders.empty())) miss("Landlock");
  if (all && confined.empty_root == 0) miss("a root of its own");
  for (const auto& [flag, name] : kNamespaces) {
    if (all && (confined.namespaces & static_cast<std::uint32_t>(flag)) == 0) {
      miss("a namespace of " + std::string(name));
    }
  }
  if (options_.sockets > 0 && confined.sockets == 0) miss("sockets by its host (Linux 5.14, and /proc)");
  if (missing.empty()) return {};
  return Fail(Code::kUnavailable, "this system does not let a worker have " + missing,
              "allow it (cordon doctor), or run the plugin at a level that does not demand it");
}

// One whose worker is gone, or another; null when there are none to be had.
std::shared_ptr<groups::Group> Pool::TakeGroup() {
  {
    const std::lock_guard lock(mutex_);
    if (options_.groups == nullptr || !has_groups_) return nullptr;
    Bury();
    if (!spare_groups_.empty()) {
      std::shared_ptr<groups::Group> group = std::move(spare_groups_.back());
      spare_groups_.pop_back();
      return group;
    }
  }
  const groups::Bounds bounds{.memory_bytes = options_.resident_bytes, .threads = kThreadsMax};
  return groups::Group::Make(options_.groups, bounds, all_);
}

Result<std::unique_ptr<Pool::Worker>> Pool::Make() {
  auto worker = std::make_unique<Worker>();
  CORDON_ASSIGN(const UniqueFd memory, Link::Memory());
  CORDON_ASSIGN(worker->wire->link, Link::Open(memory.get(), Link::Side::kHost));
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return Fail(Code::kUnavailable, "a worker has no socket: " + ErrnoText(errno));
  }
  worker->door.Reset(pair[0]);
  const UniqueFd theirs(pair[1]);
  SpawnRequest request;
  std::vector<int> fds = {theirs.get(), memory.get(), set_up_.get()};
  for (const UniqueFd& code : options_.codes) fds.push_back(code.get());
  request.codes = static_cast<std::uint32_t>(options_.codes.size());
  for (const FolderFd& folder : options_.folders) {
    if (folder.writable) request.writable |= 1ull << request.folders;
    fds.push_back(folder.fd);
    ++request.folders;
  }
  request.data_bytes = options_.data_bytes;
  request.files = options_.files;
  request.sockets = options_.sockets;
  worker->group = TakeGroup();
  const groups::Group* const bounds = worker->group != nullptr ? worker->group.get() : all_.get();
  if (bounds != nullptr) {
    worker->ended_before = bounds->ended_for_memory();
    const bool by_folder = bounds->folder() >= 0;
    request.entry = by_folder ? SpawnRequest::Entry::kFolder : SpawnRequest::Entry::kFiles;
    const std::vector<int> entries = by_folder ? std::vector<int>{bounds->folder()} : bounds->entries();
    request.groups = static_cast<std::uint32_t>(entries.size());
    fds.insert(fds.end(), entries.begin(), entries.end());
  }
  CORDON_ASSIGN(worker->wire->process, options_.keeper->Spawn(request, fds));
  Conversation talk(*this, *worker, kStartMost, std::nullopt, nullptr);
  Result<Link::Frame> frame = talk.Receive();
  if (!frame) {
    if (frame.error().Detail("reason") == "protocol") TellBroken(*worker, frame.error().message);
    worker->wire->process.Kill();
    return Fail(Error(Code::kUnavailable, "a worker did not start: " + frame.error().message, "see cordon doctor")
                    .With("reason", "start"));
  }
  wire::Reader in(frame->body);
  const bool failed = in.Bool();
  Error error = failed ? DecodeError(in) : Error();
  Confined confined;
  for (std::uint32_t* number : {&confined.namespaces, &confined.landlock, &confined.seccomp, &confined.empty_root,
                                &confined.limits, &confined.groups, &confined.sockets}) {
    *number = in.U32();
  }
  if (frame->type != kReady || !in.Finish()) {
    error = BrokenRule("it did not say how it is confined");
    TellBroken(*worker, error.message);
  }
  if (failed || frame->type != kReady || !in.ok()) {
    worker->wire->process.Kill();
    return Fail(std::move(error));
  }
  if (Status met = Meets(confined); !met) {
    worker->wire->process.Kill();
    return Fail(std::move(met).error());
  }
  if (request.sockets > 0) {
    if (Status opened = OpenGate(*worker); !opened) {
      worker->wire->process.Kill();
      return Fail(std::move(opened).error());
    }
  }
  if (request.groups > 0 && confined.groups == 0) {
    // Limits of processes hold all the same, and bound what a group would.
    const std::lock_guard lock(mutex_);
    has_groups_ = false;
  }
  worker->bytes_at_first = worker->wire->process.OwnBytes().value_or(0);
  return worker;
}

// Takes what the worker hands over with the word that it is ready.
Status Pool::OpenGate(Worker& worker) const {
  std::vector<UniqueFd> fds = ReceiveFds(worker.door.get(), 2, MSG_DONTWAIT);
  if (fds.size() != 2) return Fail(BrokenRule("it did not hand over its sockets"));
  SocketGate::Options options;
  options.listener = std::move(fds[0]);
  options.memory = std::move(fds[1]);
  options.first = static_cast<int>(options_.files);
  options.count = static_cast<int>(options_.sockets);
  options.on_broken = [wire = worker.wire.get()] {
    wire->process.Kill();
    wire->link->Nudge();
  };
  CORDON_ASSIGN(worker.wire->sockets, SocketGate::Open(std::move(options)));
  return {};
}

// ---- Who gets which worker -----------------------------------------------------------------------------------------

Error Pool::Busy(Duration waited) const {
  const std::string how = waited == Duration(0)
                              ? "are busy, and " + std::to_string(waiting_.size()) + " calls wait for one"
                              : "were busy for " + FormatDuration(waited);
  return Error(Code::kBusy, "all " + std::to_string(live_) + " workers " + how,
               "try again, or raise the number of workers")
      .With("retry-after", "1s");
}

// Of several tenants none has all the workers, however long its calls are.
bool Pool::MayHaveOneMore(const std::string& tenant) const {
  if (!several_ || options_.workers_max < 2) return true;
  const auto found = busy_.find(tenant);
  const std::uint32_t kept_for_others = std::max(1u, options_.workers_max / 8);
  return found == busy_.end() || found->second < options_.workers_max - kept_for_others;
}

void Pool::CountBusy(const std::string& tenant, int by) {
  const auto found = busy_.try_emplace(tenant).first;
  found->second += static_cast<std::uint32_t>(by);
  if (found->second == 0) busy_.erase(found);
}

// Gives it a worker that fits, or leave to make one.
bool Pool::Grant(Waiter& waiter, Ended& ended) {
  for (std::size_t i = idle_.size(); i-- > 0;) {
    const std::optional<std::string>& of = idle_[i]->tenant;
    if (of && *of != waiter.tenant && !waiter.for_nobody) continue;
    std::unique_ptr<Worker> worker = std::move(idle_[i]);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    if (worker->wire->process.Ended()) {
      CountLost();
      --live_;
      ended.emplace_back(std::move(worker), Retirement::kLost);
      continue;
    }
    waiter.worker = std::move(worker);
    waiter.answer = Waiter::Answer::kWorker;
    CountBusy(waiter.tenant, 1);
    return true;
  }
  if (live_ < options_.workers_max) {
    ++live_;
  } else if (!idle_.empty()) {
    ended.emplace_back(std::move(idle_.front()), Retirement::kTenant);  // its place is the new one's
    idle_.erase(idle_.begin());
  } else {
    return false;
  }
  waiter.answer = Waiter::Answer::kMayMake;
  CountBusy(waiter.tenant, 1);
  return true;
}

// Something is free: for whoever waits, in turn.
void Pool::Serve(const std::string* warm, Ended& ended) {
  while (!waiting_.empty() && (live_ < options_.workers_max || !idle_.empty())) {
    Waiter* const next = waiting_.Next(warm, [this](const std::string& tenant) { return MayHaveOneMore(tenant); });
    if (next == nullptr) return;
    Grant(*next, ended);
    next->ready.notify_one();
  }
}

// Gives the waiter what is free, or a place in the line.
Status Pool::LineUp(Waiter& waiter) {
  Ended ended;
  std::optional<Error> refused;
  {
    const std::lock_guard lock(mutex_);
    if (!waiter.for_nobody && !several_) {
      if (!first_) first_ = waiter.tenant;
      several_ = *first_ != waiter.tenant;
    }
    if (!waiting_.empty() || !MayHaveOneMore(waiter.tenant) || !Grant(waiter, ended)) {
      waiting_.Push(waiter);
      Serve(nullptr, ended);
    }
    if (waiter.answer == Waiter::Answer::kNone && waiting_.size() > options_.waiting_max) {
      if (Waiter* const other = waiting_.MakeWay(waiter)) {
        other->answer = Waiter::Answer::kRefused;
        other->ready.notify_one();
      } else {
        waiting_.Remove(waiter);
        refused = Busy(Duration(0));
      }
    }
  }
  End(std::move(ended));
  if (refused) return Fail(*std::move(refused));
  return {};
}

Status Pool::Await(Waiter& waiter, Duration most) {
  using Answer = Waiter::Answer;
  std::unique_lock lock(mutex_);
  if (waiter.answer == Answer::kNone) {
    const MonotonicTime end = Clock::now() + most;
    if (!waiter.ready.wait_until(lock, end, [&] { return waiter.answer != Answer::kNone; })) {
      waiting_.Remove(waiter);
      return Fail(Busy(most));
    }
  }
  if (waiter.answer == Answer::kRefused) return Fail(Busy(Duration(0)));
  return {};
}

Result<std::unique_ptr<Pool::Worker>> Pool::Take(const std::string* tenant, Duration most) {
  if (mark_.was_forked()) {
    return Fail(Code::kUnavailable, "this process was forked after its workers were made: they are not its own",
                "make a new Host in this process");
  }
  Waiter waiter{.tenant = tenant != nullptr ? *tenant : std::string(), .for_nobody = tenant == nullptr};
  CORDON_TRY(LineUp(waiter));
  most = std::min(most, options_.wait_max);
  CORDON_TRY(Await(waiter, most));
  Result<std::unique_ptr<Worker>> worker = waiter.answer == Waiter::Answer::kWorker
                                               ? Result<std::unique_ptr<Worker>>(std::move(waiter.worker))
                                               : MakeCounted(waiter.tenant, most);
  if (!worker) return worker;
  (*worker)->charged = std::move(waiter.tenant);
  if (tenant != nullptr) (*worker)->tenant = *tenant;
  (*worker)->taken = Clock::now();
  return worker;
}

void Pool::CountLost() {
  ++lost_;
  lost_last_ = Clock::now();
}

// Workers that are lost again and again are made again more slowly: that costs processor time which is other plugins'.
Status Pool::AwaitStart(Duration most) {
  MonotonicTime turn = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (turn - lost_last_ > kLossesApart) lost_ = 0;
    if (lost_ <= kLossesFree) return {};
    const MonotonicTime next = std::max(next_start_, turn) + kStartEvery;
    if (next - turn > most) return Fail(Busy(Duration(0)));
    turn = next_start_ = next;
  }
  std::this_thread::sleep_until(turn);
  return {};
}

// Makes one that is counted as live and as the tenant's already.
Result<std::unique_ptr<Pool::Worker>> Pool::MakeCounted(const std::string& tenant, Duration most) {
  const auto make = [&]() -> Result<std::unique_ptr<Worker>> {
    CORDON_TRY(AwaitStart(most));
    const MonotonicTime end = Clock::now() + kStartMost;
    Result<std::unique_ptr<Worker>> worker = Make();
    // One that ended before it was ready has run nothing.
    for (int left = kStartTries - 1; left > 0 && !worker && worker.error().Detail("reason") == "start"; --left) {
      if (Clock::now() >= end) break;
      worker = Make();
    }
    return worker;
  };
  Result<std::unique_ptr<Worker>> made = make();
  if (made) return made;
  Ended ended;
  {
    const std::lock_guard lock(mutex_);
    --live_;
    CountBusy(tenant, -1);
    Serve(nullptr, ended);
  }
  End(std::move(ended));
  return made;
}

// What the kernel counts is looked at after each call that took a while, and after every few of those that did not.
std::optional<Retirement> Pool::Old(const Worker& worker, Duration took) const {
  if (worker.calls >= options_.calls_max) return Retirement::kCalls;
  if (Clock::now() - worker.born >= options_.age_max) return Retirement::kAge;
  if (took < kLongCall && worker.calls % kCallsToALook != 0) return std::nullopt;
  const std::optional<std::uint64_t> bytes = worker.wire->process.OwnBytes();
  if (bytes && *bytes > worker.bytes_at_first + options_.growth_max) return Retirement::kMemory;
  return std::nullopt;
}

// False: what it asked and does not wait for is in its way.
bool Pool::Settles(const Worker& worker) {
  // The thread that has just answered its last question may still be on its way out.
  for (int i = 0; i < kSettleLooks + kSettleRests && worker.wire->unanswered.load() > 0; ++i) {
    if (i < kSettleLooks) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kSettleRest);
    }
  }
  return worker.wire->unanswered.load() == 0;
}

void Pool::Put(std::unique_ptr<Worker> worker) {
  if (!Settles(*worker)) return Retire(std::move(worker), Retirement::kStopped);
  if (const auto why = Old(*worker, Clock::now() - worker->taken)) return Retire(std::move(worker), *why);
  Ended ended;
  {
    const std::lock_guard lock(mutex_);
    CountBusy(worker->charged, -1);
    idle_.push_back(std::move(worker));
    if (!waiting_.empty()) {
      const std::optional<std::string> warm = idle_.back()->tenant;
      Serve(warm ? &*warm : nullptr, ended);
    }
    while (idle_.size() > options_.idle_max) {
      --live_;
      ended.emplace_back(std::move(idle_.front()), Retirement::kIdle);
      idle_.erase(idle_.begin());
    }
  }
  End(std::move(ended));
}

void Pool::Retire(std::unique_ptr<Worker> worker, Retirement why) {
  if (mark_.was_forked()) {
    (void)worker.release();  // the parent's
    return;
  }
  Ended ended;
  ended.reserve(1);
  {
    const std::lock_guard lock(mutex_);
    --live_;
    CountBusy(worker->charged, -1);
    if (why == Retirement::kLost) CountLost();
    ended.emplace_back(std::move(worker), why);
    Serve(nullptr, ended);
  }
  End(std::move(ended));
}

void Pool::TellBroken(Worker& worker, const std::string& what) {
  if (what.empty() || worker.is_told) return;
  worker.is_told = true;
  if (options_.on_broken) options_.on_broken(what);
}

void Pool::End(Ended ended) {
  if (ended.empty()) return;
  for (auto& [worker, why] : ended) {
    // What it did between calls.
    const auto& sockets = worker->wire->sockets;
    if (sockets != nullptr && !worker->is_told) TellBroken(*worker, sockets->broken());
    worker->wire->process.Kill();
    worker->wire->closed = true;
    Dying dying{UniqueFd(::fcntl(worker->wire->process.handle(), F_DUPFD_CLOEXEC, 0)), worker->group};
    worker.reset();
    if (options_.on_retired) options_.on_retired(why);
    const std::lock_guard lock(mutex_);
    if (dying.handle) dying_.push_back(std::move(dying));
  }
  const std::lock_guard lock(mutex_);
  Bury();
}

// Lets go of those that have ended since. REQUIRES: locked.
void Pool::Bury() {
  std::erase_if(dying_, [this](Dying& one) {
    if (!worker::Await(one.handle.get(), Duration(0))) return false;
    if (one.group != nullptr) spare_groups_.push_back(std::move(one.group));
    return true;
  });
}

}  // namespace cordon::worker
