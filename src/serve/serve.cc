#include "serve/serve.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/message_codec.h"
#include "base/passed_fds.h"
#include "base/unique_fd.h"
#include "confine/confine.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "serve/drill.h"
#include "worker/frames.h"
#include "worker/link.h"

namespace cordon::worker {
namespace {

// Sanitizers map terabytes of their own.
#ifdef CORDON_SANITIZED
constexpr bool kHasDataLimit = false;
#else
constexpr bool kHasDataLimit = true;
#endif

// The host is trusted; this only keeps a broken one from filling the memory.
std::uint32_t Bound(std::uint16_t) { return kFrameBytesMax; }

constexpr Duration kIdleLook = std::chrono::seconds(2);

// What the threads of a worker say to the host, one frame at a time.
class Speaker {
 public:
  explicit Speaker(Link& link) : link_(link) {}
  Status Say(std::uint16_t type, Link::Pieces body, Link::Flush flush = Link::Flush::kNow) {
    const std::lock_guard lock(mutex_);
    return link_.Send(type, body, {}, flush);
  }
  Status Say(std::uint16_t type, const wire::Buffer& body) {
    const std::span<const std::uint8_t> piece(body);
    return Say(type, Link::Pieces(&piece, 1));
  }

 private:
  Link& link_;
  std::mutex mutex_;
};

// What a guest asks, to the host and back, while a call is made: between calls nobody answers. Several threads may ask
// at once: whoever waits reads, for all of them.
class AskingChannel final : public HostChannel {
 public:
  AskingChannel(Link& link, Speaker& speaker) : link_(link), speaker_(speaker) {}
  HostReply Send(const HostRequest& request) override {
    Result<HostReply> reply = Ask(request);
    if (reply) return std::move(*reply);
    return TrapOf(std::move(reply).error());
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
  }
  // What is asked from here on, by threads that have not heard of the end, fails; all else was said.
  void Close() {
    std::unique_lock lock(mutex_);
    is_open_ = false;
    changed_.wait(lock, [this] { return saying_ == 0; });
  }
  // Returns when nobody waits for an answer any more: from then on frames are for others.
  void Settle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ == 0; });
  }

 private:
  Result<HostReply> Ask(const HostRequest& request) {
    CORDON_ASSIGN(const auto asked, EncodeRequest(request));
    std::uint32_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!is_open_) return Fail(Code::kInterrupted, "the call that asked has ended");
      number = ++asked_;
      ++waiting_;
      ++saying_;
    }
    wire::Buffer head;
    wire::Writer(head).U32(number);
    const std::span<const std::uint8_t> pieces[] = {head, asked};
    const Status said = speaker_.Say(kAsk, pieces);
    {
      const std::lock_guard lock(mutex_);
      --saying_;
    }
    changed_.notify_all();
    Result<std::vector<std::uint8_t>> answer = said ? Await(number) : Fail(said.error());
    {
      const std::lock_guard lock(mutex_);
      --waiting_;
    }
    changed_.notify_all();
    CORDON_TRY(answer);
    return DecodeReply(*answer);
  }

  Result<std::vector<std::uint8_t>> Await(std::uint32_t number) {
    std::unique_lock lock(mutex_);
    while (true) {
      if (auto answer = answers_.extract(number)) return std::move(answer.mapped());
      if (is_read_) {
        changed_.wait(lock);
        continue;
      }
      is_read_ = true;
      lock.unlock();
      Result<Link::Frame> frame = link_.Receive(Bound, {});
      lock.lock();
      is_read_ = false;
      CORDON_TRY(frame);
      wire::Reader in(frame->body);
      const std::uint32_t whose = in.U32();
      if (frame->type != kReply || !in.ok()) return Fail(Code::kInternal, "the host did not answer what was asked");
      const auto rest = in.Raw(in.remaining());
      answers_[whose].assign(rest.begin(), rest.end());
      changed_.notify_all();
    }
  }

  Link& link_;
  Speaker& speaker_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool is_read_ = false, is_open_ = false;
  std::uint32_t asked_ = 0;
  int waiting_ = 0, saying_ = 0;
  std::map<std::uint32_t, std::vector<std::uint8_t>> answers_;
};

// Sends a result from where it lies.
class LinkSink final : public engine::ResultSink {
 public:
  explicit LinkSink(Speaker& speaker) : speaker_(speaker) {}
  void Take(engine::Pieces pieces) noexcept override {
    try {
      (void)speaker_.Say(kOutput, pieces, Link::Flush::kLater);  // what the call came to follows
    } catch (...) {  // nothing that it calls throws but for memory: then the host gets no output, and says so
    }
  }

 private:
  Speaker& speaker_;
};

class Worker {
 public:
  Worker(const SpawnRequest& request, Surroundings around) : request_(request), around_(around) {}

  [[noreturn]] void Run() {
    Result<std::unique_ptr<Link>> link = Link::Open(kMemoryFd, Link::Side::kWorker);
    if (!link) ::_exit(1);
    link_ = std::move(*link);
    speaker_.emplace(*link_);
    const Status prepared = Prepare();
    const Confined confined = Confine();
    const Link::Watch watch = [this] { return LookForHost(); };
    wire::Buffer body;
    wire::Writer out(body);
    out.Bool(!prepared);
    if (!prepared) Encode(out, prepared.error());
    for (const std::uint32_t number : {confined.namespaces, confined.landlock, confined.seccomp, confined.empty_root,
                                       confined.limits, confined.groups, confined.sockets}) {
      out.U32(number);
    }
    if (!speaker_->Say(kReady, body) || !prepared) ::_exit(1);
    channel_ = std::make_shared<AskingChannel>(*link_, *speaker_);
    while (true) {
      channel_->Settle();
      is_idle_ = false;
      Result<Link::Frame> frame = link_->Receive(Bound, watch);
      if (!frame || !Answer(*frame)) ::_exit(1);
    }
  }

 private:
  // While nothing comes. A keeper that ended before this process asked for a signal sends none; the door tells, too.
  Result<Duration> LookForHost() {
    if (!std::exchange(is_idle_, true)) return kIdleLook;
    char byte = 0;
    iovec data = {&byte, 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (::recvmsg(kDoorFd, &message, MSG_PEEK | MSG_DONTWAIT) == 0) return Fail(Code::kInternal, "the host is gone");
    return kIdleLook;
  }

  Status Prepare() {
    struct stat file{};
    if (::fstat(kSetUpFd, &file) != 0) return Fail(Code::kInternal, "there is no set-up");
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(file.st_size));
    if (::pread(kSetUpFd, bytes.data(), bytes.size(), 0) != file.st_size) {
      return Fail(Code::kInternal, "the set-up cannot be read");
    }
    CORDON_ASSIGN(const SetUp set_up, DecodeSetUp(bytes));
    ::close(kSetUpFd);
    if (set_up.libraries.size() + 1 != request_.codes) return Fail(Code::kInternal, "the set-up has other codes");
    CORDON_ASSIGN(auto engine, engine::Engine::Create(set_up.engine));
    std::vector<engine::Library> libraries;
    CORDON_ASSIGN(auto code, engine::Compiled::LoadSealed(engine, kFirstCodeFd));
    for (std::size_t i = 0; i < set_up.libraries.size(); ++i) {
      CORDON_ASSIGN(auto other, engine::Compiled::LoadSealed(engine, kFirstCodeFd + 1 + static_cast<int>(i)));
      libraries.push_back({set_up.libraries[i], std::move(other)});
    }
    for (std::uint32_t i = 0; i < request_.codes; ++i) ::close(kFirstCodeFd + static_cast<int>(i));
    const int first_folder = kFirstCodeFd + static_cast<int>(request_.codes);
    for (std::uint32_t i = 0; i < request_.folders; ++i) folders_.push_back(first_folder + static_cast<int>(i));
    CORDON_ASSIGN(linked_, engine::Linked::Link(std::move(code), set_up.link, libraries));
    return {};
  }

  // Before the first frame is read, and the first instruction of the guest run.
  Confined Confine() const {
    Confined confined;
    const UniqueFd memory(request_.sockets > 0 ? ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC) : -1);
    const bool has_places = request_.sockets > 0 && FillPlaces();
    confined.namespaces = static_cast<std::uint32_t>(around_.namespaces);
    confined.groups = around_.in_groups ? 1 : 0;
    bool limits = confine::GiveUpPrivileges();
    const std::uint64_t files = request_.files + request_.sockets;
    if (request_.files > 0) limits = limits && confine::Limit(RLIMIT_NOFILE, files);
    if (kHasDataLimit && request_.data_bytes > 0) limits = limits && confine::Limit(RLIMIT_DATA, request_.data_bytes);
    confined.limits = limits ? 1 : 0;
    if ((around_.namespaces & CLONE_NEWNS) != 0) confined.empty_root = confine::EmptyRoot() ? 1 : 0;
    std::vector<confine::Folder> folders;
    folders.reserve(folders_.size());
    for (std::size_t i = 0; i < folders_.size(); ++i) {
      folders.push_back({folders_[i], (request_.writable >> i & 1) != 0});
    }
    confined.landlock = static_cast<std::uint32_t>(confine::ForbidPaths(folders));
    std::vector<int> calls(confine::BasicCalls().begin(), confine::BasicCalls().end());
    calls.insert(calls.end(), confine::FileCalls().begin(), confine::FileCalls().end());
    confine::Filter filter{.calls = calls, .door = kDoorFd};
    if (request_.sockets > 0) filter.sockets_from = static_cast<int>(request_.files);
    const int listener = confine::AllowOnly(filter);
    confined.seccomp = listener >= 0 ? 1 : 0;
    if (request_.sockets > 0 && listener > 0) {
      const UniqueFd held(listener);
      const bool is_told = memory && HandOver(memory.get(), listener);
      confined.sockets = confine::EndHandOver() && is_told && has_places ? 1 : 0;
    }
    return confined;
  }

  // The numbers of sockets are the host's: nothing else of this process ever has one.
  bool FillPlaces() const {
    const UniqueFd filler(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    bool good = filler.get() >= 0;
    for (std::uint64_t n = request_.files; n < request_.files + request_.sockets; ++n) {
      good = good && ::dup3(filler.get(), static_cast<int>(n), O_CLOEXEC) >= 0;
    }
    return good;
  }

  // With these the host does what is asked of sockets. They are of no use here.
  static bool HandOver(int memory, int listener) {
    const int fds[] = {listener, memory};
    return PassFds(kDoorFd, fds);
  }

  // False when the host is not what it should be: then there is nothing to live for.
  bool Answer(const Link::Frame& frame) {
    switch (frame.type) {
      case kFind: return Find(frame.body);
      case kOnce: return Once(frame.body);
      case kCreate: return Create(frame.body);
      case kCall: return Call(frame.body);
      case kDrop: instance_.reset(); return true;
      default: return false;
    }
  }

  bool Find(std::span<const std::uint8_t> body) {
    wire::Reader in(body);
    engine::FunctionId id;
    id.interface_name = in.String();
    id.name = in.String();
    if (!in.Finish()) return false;
    const Result<engine::Function> found = linked_->Find(id);
    wire::Buffer reply;
    wire::Writer out(reply);
    out.Bool(!found);
    if (found) {
      out.U32(static_cast<std::uint32_t>(functions_.size()));
      functions_.push_back(*found);
    } else {
      Encode(out, found.error());
    }
    return speaker_->Say(kFound, reply).has_value();
  }

  // The descriptors that came by the door for this call.
  bool TakeStreams(const WhatFollows& follow, engine::Streams& streams) {
    std::size_t wanted = 0;
    for (const bool one : {follow.in, follow.out, follow.err}) wanted += one ? 1 : 0;
    if (wanted == 0) return true;
    std::vector<UniqueFd> fds = ReceiveFds(kDoorFd, wanted);
    if (fds.size() != wanted) return false;
    std::size_t at = 0;
    if (follow.in) streams.stdin_fd = fds[at++].get();
    if (follow.out) streams.stdout_fd = fds[at++].get();
    if (follow.err) streams.stderr_fd = fds[at++].get();
    streams_ = std::move(fds);
    return true;
  }

  Result<engine::InstanceOptions> Options(wire::Reader& in) {
    WhatFollows follow;
    CORDON_ASSIGN(engine::InstanceOptions options, DecodeOptions(in, folders_, follow));
    if (follow.streams) {
      options.streams.emplace();
      if (!TakeStreams(follow, *options.streams)) return Fail(Code::kInternal, "the streams did not come");
    }
    if (follow.network) {
      if (network_ == nullptr) {
        CORDON_ASSIGN(network_, engine::Network::Through(channel_));
      }
      options.network = network_;
    }
    return options;
  }

  bool Once(std::span<const std::uint8_t> body) {
    wire::Reader in(body);
    const CallHead head = DecodeCallHead(in);
    Result<engine::InstanceOptions> options = Options(in);
    if (!in.ok() || !options || head.function >= functions_.size()) return false;
    const std::span<const std::uint8_t> input = in.Raw(in.remaining());
    LinkSink sink(*speaker_);
    Done done;
    channel_->Open();
#ifdef CORDON_DRILL
    const std::string_view told(reinterpret_cast<const char*>(input.data()), input.size());
    if (told.ends_with("ask for more")) AskForMore(*channel_);
    if (told.ends_with("never stop")) AskForEver(*link_, Answers::kTaken);
    if (told.ends_with("never listen")) AskForEver(*link_, Answers::kLeft);
    if (told.ends_with("dribble")) Dribble();
    if (told.ends_with("eat memory")) EatMemory();
    if (told.ends_with("crash")) __builtin_trap();
    constexpr std::string_view kMisuse = "misuse sockets: ";
    if (const std::size_t at = told.find(kMisuse); at != told.npos) {
      wire::Buffer report;
      wire::Writer(report).String(MisuseSockets(told.substr(at + kMisuse.size()), *channel_));
      return speaker_->Say(kOutput, report) && Say({}, done);
    }
    if (told.ends_with("break out") || told.ends_with("start threads")) {
      wire::Buffer report;
      wire::Writer(report).String(told.ends_with("out") ? Attack(folders_) : std::to_string(StartThreads()));
      return speaker_->Say(kOutput, report) && Say({}, done);
    }
#endif
    const Status status =
        engine::CallOnce(linked_, *options, channel_, functions_[head.function], engine::Pieces(&input, 1), sink,
                         head.limits, head.call_id, {&done.usage, &done.out, &done.err});
    channel_->Close();
    streams_.clear();
    done.poisoned = !status;
    return Say(status, done);
  }

  bool Create(std::span<const std::uint8_t> body) {
    wire::Reader in(body);
    const CallHead head = DecodeCallHead(in);
    const Result<engine::InstanceOptions> options = Options(in);
    if (!options || !in.Finish()) return false;
    channel_->Open();
    Result<engine::Instance> made = engine::Instance::Create(linked_, *options, channel_, head.limits, head.call_id);
    channel_->Close();
    Done done;
    if (!made) return Say(Fail(std::move(made).error()), done);
    instance_.emplace(std::move(*made));
    done.usage = instance_->usage();
    return Say({}, done);
  }

  bool Call(std::span<const std::uint8_t> body) {
    wire::Reader in(body);
    const CallHead head = DecodeCallHead(in);
    if (!in.ok() || !instance_ || head.function >= functions_.size()) return false;
    const std::span<const std::uint8_t> input = in.Raw(in.remaining());
    LinkSink sink(*speaker_);
    channel_->Open();
    const Status status =
        instance_->Call(functions_[head.function], engine::Pieces(&input, 1), sink, head.limits, head.call_id);
    channel_->Close();
    Done done;
    done.usage = instance_->usage();
    done.poisoned = instance_->poisoned();
    done.out = instance_->TakeStdout();
    done.err = instance_->TakeStderr();
    return Say(status, done);
  }

  bool Say(const Status& status, Done& done) {
    if (!status) done.error = status.error();
    wire::Buffer reply;
    wire::Writer out(reply);
    Encode(out, done);
    return speaker_->Say(kDone, reply).has_value();
  }

  const SpawnRequest request_;
  const Surroundings around_;
  bool is_idle_ = false;  // it has waited for a frame already
  std::unique_ptr<Link> link_;
  std::optional<Speaker> speaker_;
  std::vector<int> folders_;
  std::shared_ptr<const engine::Linked> linked_;
  std::shared_ptr<AskingChannel> channel_;
  std::shared_ptr<const engine::Network> network_;  // none until a call needs it
  std::vector<engine::Function> functions_;
  std::optional<engine::Instance> instance_;
  std::vector<UniqueFd> streams_;
};

}  // namespace

void Serve(const SpawnRequest& request, Surroundings around) {
  // Never destroyed: the process ends first.
  (new Worker(request, around))->Run();
}

}  // namespace cordon::worker
