#include <algorithm>
#include <new>

#include "engine/crossing.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "engine/raw.h"
#include "engine/remote.h"

namespace cordon::engine {
namespace {

// Runs once, and must not throw across the bridge: running out of memory here ends the process, as it would anywhere.
void WriteString(void* user, const std::uint8_t* data, std::size_t size) noexcept {
  const Crossing crossing;
  try {
    static_cast<std::string*>(user)->assign(reinterpret_cast<const char*>(data), size);
  } catch (const std::bad_alloc&) {  // what a guest wrote to its streams is not worth the call
  }
}

// The bridge's pieces to a ResultSink.
void Take(void* user, const cordon_bytes* pieces, std::size_t size) noexcept {
  const Crossing crossing;
  static_cast<ResultSink*>(user)->Take(Pieces(PiecesOf(pieces), size));
}

// Puts a result's pieces into one buffer.
class VectorSink final : public ResultSink {
 public:
  explicit VectorSink(std::vector<std::uint8_t>& out) : out_(out) {}
  void Take(Pieces pieces) noexcept override {
    std::size_t size = 0;
    for (const auto& piece : pieces) size += piece.size();
    out_.clear();
    try {
      out_.reserve(size);
      for (const auto& piece : pieces) out_.insert(out_.end(), piece.begin(), piece.end());
    } catch (const std::bad_alloc&) {
      fell_short_ = true;
    }
  }
  // What a call came to: E_MEMORY when its result could not be kept.
  Status Settle(Status outcome) const {
    if (outcome && fell_short_) return Fail(Code::kMemory, "the process has no memory left for the result");
    return outcome;
  }

 private:
  std::vector<std::uint8_t>& out_;
  bool fell_short_ = false;
};

// A port's `user` is a pointer to one of these: the caller's own, or one that Retain made.
using ChannelPointer = std::shared_ptr<HostChannel>;

void* Retain(void* user) noexcept {
  const Crossing crossing;
  return new (std::nothrow) ChannelPointer(*static_cast<const ChannelPointer*>(user));
}

void Release(void* held) noexcept {
  const Crossing crossing;
  delete static_cast<const ChannelPointer*>(held);
}

HostRequest RequestOf(const cordon_message& message) {
  return {
      .call_id = message.call_id,
      .interface_name = {message.interface_name.data, message.interface_name.len},
      .function = {message.function.data, message.function.len},
      .payload = {message.payload.data, message.payload.len},
      .deadline_ns = message.deadline_ns,
  };
}

struct AnswerGone {
  void operator()(cordon_late_answer* answer) const { cordon_late_answer_free(answer); }
};

// What is answered later. The reply keeps the channel, and so all that may still be asked of it, until it is given.
void Begin(void* user, const cordon_message* message, cordon_late_answer* raw) noexcept {
  const Crossing crossing;
  std::unique_ptr<cordon_late_answer, AnswerGone> answer(raw);
  try {
    const ChannelPointer channel = *static_cast<const ChannelPointer*>(user);
    channel->Begin(RequestOf(*message), [answer = std::move(answer), channel](const HostReply& reply) mutable {
      const bool is_done = reply.outcome == HostReply::Outcome::kDone;
      const auto* text = reinterpret_cast<const std::uint8_t*>(reply.message.data());
      { const Crossing crossing; }
      cordon_late_answer_give(answer.release(), is_done ? 0 : static_cast<std::uint32_t>(reply.code) + 1,
                              is_done ? reply.payload.data() : text,
                              is_done ? reply.payload.size() : reply.message.size());
    });
  } catch (...) {  // the answer is gone with what held it, and the guest's call ends
  }
}

// The bridge's message to a HostChannel and its reply back. A code travels as its number plus 1.
std::uint32_t Send(void* user, const cordon_message* message, const cordon_writer* reply) noexcept {
  const Crossing crossing;
  try {
    const HostRequest request = RequestOf(*message);
    const HostReply answer = (*static_cast<const ChannelPointer*>(user))->Send(request);
    if (answer.outcome == HostReply::Outcome::kDone) {
      reply->write(reply->user, answer.payload.data(), answer.payload.size());
      return 0;
    }
    reply->write(reply->user, reinterpret_cast<const std::uint8_t*>(answer.message.data()), answer.message.size());
    return static_cast<std::uint32_t>(answer.code) + 1;
  } catch (...) {
    constexpr char kText[] = "a host service threw an exception";
    reply->write(reply->user, reinterpret_cast<const std::uint8_t*>(kText), sizeof kText - 1);
    return static_cast<std::uint32_t>(Code::kInternal) + 1;
  }
}

Error SpansDiffer() { return Error(Code::kInternal, "this C++ library lays spans out in another way"); }

cordon_call_limits LimitsOf(const CallLimits& limits) {
  return {
      .wall_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(limits.wall.count(), 1)),
      .cpu_ns = limits.cpu ? static_cast<std::uint64_t>(std::max<std::int64_t>(limits.cpu->count(), 1)) : 0,
      .fuel = limits.fuel ? std::max<std::uint64_t>(*limits.fuel, 1) : 0,
  };
}

// InstanceOptions as the ABI's structure. Holds the arrays that it points to.
class OptionsView {
 public:
  explicit OptionsView(const InstanceOptions& options) {
    for (const auto& [name, value] : options.environment) environment_.push_back({View(name), View(value)});
    for (const std::string& argument : options.arguments) arguments_.push_back(View(argument));
    for (const Preopen& preopen : options.preopens) {
      preopens_.push_back({preopen.dir_fd, View(preopen.guest_path), preopen.writable});
    }
    if (options.streams) {
      streams_ = {options.streams->stdin_fd, options.streams->stdout_fd, options.streams->stderr_fd};
    }
    const StoreLimits& limits = options.limits;
    raw_ = {
        .size = sizeof(cordon_instance_options),
        .environment = environment_.data(),
        .environment_len = environment_.size(),
        .arguments = arguments_.data(),
        .arguments_len = arguments_.size(),
        .preopens = preopens_.data(),
        .preopens_len = preopens_.size(),
        .stdin_bytes = {reinterpret_cast<const std::uint8_t*>(options.stdin_bytes.data()), options.stdin_bytes.size()},
        .streams = options.streams ? &streams_ : nullptr,
        .fine_clock = options.clock == ClockKind::kFine,
        .stepped_clock = options.clock == ClockKind::kStepped,
        .network = options.network ? options.network->raw()->network : nullptr,
        .interrupter = static_cast<const cordon_interrupter*>(options.interrupter.raw()),
        .limits = {limits.memory_bytes, limits.table_elements, limits.instances, limits.tables, limits.memories,
                   limits.handles, limits.host_call_bytes, limits.random_bytes, limits.stdout_bytes, limits.var_bytes,
                   limits.http_response_bytes},
        .files_have_rate = options.file_rate == InstanceOptions::FileRate::kAsked,
    };
  }
  const cordon_instance_options* get() const { return &raw_; }

 private:
  std::vector<cordon_pair> environment_;
  std::vector<cordon_str> arguments_;
  std::vector<cordon_preopen> preopens_;
  cordon_streams streams_{};
  cordon_instance_options raw_;
};

Usage UsageOf(const cordon_usage& raw) {
  return {
      .memory_peak_bytes = raw.memory_peak_bytes,
      .fuel = raw.fuel,
      .host_calls = raw.host_calls,
      .bytes_in = raw.bytes_in,
      .bytes_out = raw.bytes_out,
      .stdout_dropped_bytes = raw.stdout_dropped_bytes,
      .stderr_dropped_bytes = raw.stderr_dropped_bytes,
      .wall = Duration(raw.wall_ns),
      .cpu = Duration(raw.cpu_ns),
      .file_read_bytes = raw.file_read_bytes,
      .file_written_bytes = raw.file_written_bytes,
      .file_operations = raw.file_operations,
  };
}

}  // namespace

namespace {

// Every field that only grows.
constexpr std::uint64_t Usage::* kCounts[] = {
    &Usage::fuel,
    &Usage::host_calls,
    &Usage::bytes_in,
    &Usage::bytes_out,
    &Usage::stdout_dropped_bytes,
    &Usage::stderr_dropped_bytes,
    &Usage::file_read_bytes,
    &Usage::file_written_bytes,
    &Usage::file_operations,
};

}  // namespace

Usage UsageSince(const Usage& before, Usage usage) {
  for (const auto count : kCounts) usage.*count -= std::min(usage.*count, before.*count);
  usage.wall -= before.wall;
  usage.cpu -= before.cpu;
  return usage;
}

void AddUsage(Usage& sum, const Usage& more) {
  for (const auto count : kCounts) sum.*count += more.*count;
  sum.wall += more.wall;
  sum.cpu += more.cpu;
}

cordon_port PortOf(const ChannelPointer& channel) {
  return {const_cast<ChannelPointer*>(&channel), Send, Begin, Retain, Release};
}

struct Instance::Raw {
  cordon_instance* instance = nullptr;
  std::unique_ptr<RemoteInstance> remote{};
};

Result<Instance> Instance::Create(std::shared_ptr<const Linked> linked, const InstanceOptions& options,
                                  std::shared_ptr<HostChannel> channel, const CallLimits& limits,
                                  std::uint64_t call_id) {
  Instance instance;
  if (Remote* remote = linked->remote(); remote != nullptr) {
    CORDON_ASSIGN(auto made, remote->Create({options, channel, limits, call_id}));
    instance.raw_ = new Raw{.remote = std::move(made)};
    instance.linked_ = std::move(linked);
    return instance;
  }
  if (!PiecesCrossAsTheyAre()) return Fail(SpansDiffer());
  const OptionsView view(options);
  const cordon_port port = PortOf(channel);
  const cordon_call_limits raw_limits = LimitsOf(limits);
  instance.raw_ = new Raw{};
  cordon_error* error = nullptr;
  { const Crossing crossing; }
  const cordon_status status = cordon_instance_new(linked->raw()->linked, view.get(), channel ? &port : nullptr,
                                                   &raw_limits, call_id, &instance.raw_->instance, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  instance.linked_ = std::move(linked);
  return instance;
}

Instance::Instance(Instance&& other) noexcept
    : raw_(std::exchange(other.raw_, nullptr)), linked_(std::move(other.linked_)), held_(std::move(other.held_)) {}

Instance& Instance::operator=(Instance&& other) noexcept {
  std::swap(raw_, other.raw_);
  std::swap(linked_, other.linked_);
  std::swap(held_, other.held_);
  return *this;
}

Instance::~Instance() {
  if (raw_ == nullptr) return;
  if (raw_->instance != nullptr) cordon_instance_free(raw_->instance);
  delete raw_;
}

Status Instance::Call(const Function& function, Pieces input, ResultSink& sink, const CallLimits& limits,
                      std::uint64_t call_id) {
  if (raw_ == nullptr || function.raw() == nullptr) [[unlikely]] {
    return Fail(Code::kInvalid, "the instance or function is empty");
  }
  if (raw_->remote != nullptr) return raw_->remote->Call(function.raw()->number, input, sink, limits, call_id);
  const cordon_call_limits raw_limits = LimitsOf(limits);
  const cordon_result_sink raw_sink = {&sink, Take};
  cordon_error* error = nullptr;
  { const Crossing crossing; }
  const cordon_status status = cordon_instance_call(raw_->instance, function.raw()->function, BytesOf(input),
                                                    input.size(), &raw_limits, call_id, &raw_sink, &error);
  if (status != CORDON_STATUS_OK) [[unlikely]]
    return Fail(TakeError(status, error));
  return {};
}

Status Instance::Call(const Function& function, std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output,
                      const CallLimits& limits, std::uint64_t call_id) {
  VectorSink sink(output);
  return sink.Settle(Call(function, Pieces(&input, 1), sink, limits, call_id));
}

bool Instance::poisoned() const {
  if (raw_ == nullptr) return true;
  return raw_->remote != nullptr ? raw_->remote->poisoned() : cordon_instance_poisoned(raw_->instance);
}

Usage Instance::usage() const {
  if (raw_ != nullptr && raw_->remote != nullptr) return raw_->remote->usage();
  cordon_usage usage{};
  if (raw_ != nullptr) cordon_instance_usage(raw_->instance, &usage);
  return UsageOf(usage);
}

std::string Instance::TakeStdout() {
  if (raw_ != nullptr && raw_->remote != nullptr) return raw_->remote->TakeStdout();
  std::string text;
  const cordon_writer writer = {&text, WriteString};
  if (raw_ != nullptr) cordon_instance_take_output(raw_->instance, 1, &writer);
  return text;
}

std::string Instance::TakeStderr() {
  if (raw_ != nullptr && raw_->remote != nullptr) return raw_->remote->TakeStderr();
  std::string text;
  const cordon_writer writer = {&text, WriteString};
  if (raw_ != nullptr) cordon_instance_take_output(raw_->instance, 2, &writer);
  return text;
}

Interrupter Instance::interrupter() const {
  Interrupter interrupter;
  if (raw_ == nullptr) return interrupter;
  if (raw_->remote != nullptr) return raw_->remote->interrupter();
  interrupter.raw_ = std::shared_ptr<void>(cordon_interrupter_new(raw_->instance), [](void* raw) {
    cordon_interrupter_free(static_cast<cordon_interrupter*>(raw));
  });
  return interrupter;
}

Interrupter Interrupter::Make() {
  Interrupter made;
  made.raw_ = std::shared_ptr<void>(cordon_interrupter_make(),
                                    [](void* raw) { cordon_interrupter_free(static_cast<cordon_interrupter*>(raw)); });
  made.brake_ = std::make_shared<Brake>();
  return made;
}

Interrupter Interrupter::WithBrakeAlone() {
  Interrupter made;
  made.brake_ = std::make_shared<Brake>();
  return made;
}

void Interrupter::Interrupt() const {
  if (raw_) cordon_interrupter_interrupt(static_cast<cordon_interrupter*>(raw_.get()));
  if (brake_) brake_->Pull();
}

void Interrupter::Brake::Set(std::function<void()> stop) {
  const std::lock_guard lock(mutex_);
  stop_ = std::move(stop);
  if (pulled_ && stop_) stop_();
}

void Interrupter::Brake::Pull() {
  const std::lock_guard lock(mutex_);
  pulled_ = true;
  if (stop_) stop_();
}

Status CallOnce(const std::shared_ptr<const Linked>& linked, const InstanceOptions& options,
                const std::shared_ptr<HostChannel>& channel, const Function& function, Pieces input, ResultSink& sink,
                const CallLimits& limits, std::uint64_t call_id, const CallTraces& traces) {
  if (linked == nullptr || function.raw() == nullptr) return Fail(Code::kInvalid, "the code or function is empty");
  if (Remote* remote = linked->remote(); remote != nullptr) {
    return remote->CallOnce({options, channel, limits, call_id}, function.raw()->number, input, sink, traces);
  }
  if (!PiecesCrossAsTheyAre()) return Fail(SpansDiffer());
  const OptionsView view(options);
  const cordon_port port = PortOf(channel);
  const cordon_call_limits raw_limits = LimitsOf(limits);
  const cordon_result_sink raw_sink = {&sink, Take};
  const cordon_writer out_writer = {traces.out, WriteString};
  const cordon_writer err_writer = {traces.err, WriteString};
  cordon_usage raw_usage{};
  cordon_error* error = nullptr;
  { const Crossing crossing; }
  const cordon_status status = cordon_call_once(
      linked->raw()->linked, view.get(), channel ? &port : nullptr, function.raw()->function, BytesOf(input),
      input.size(), &raw_limits, call_id, &raw_sink, traces.usage ? &raw_usage : nullptr,
      traces.out ? &out_writer : nullptr, traces.err ? &err_writer : nullptr, &error);
  if (traces.usage != nullptr) *traces.usage = UsageOf(raw_usage);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  return {};
}

Status CallOnce(const std::shared_ptr<const Linked>& linked, const InstanceOptions& options,
                const std::shared_ptr<HostChannel>& channel, const Function& function,
                std::span<const std::uint8_t> input, std::vector<std::uint8_t>& output, const CallLimits& limits,
                std::uint64_t call_id, const CallTraces& traces) {
  VectorSink sink(output);
  return sink.Settle(CallOnce(linked, options, channel, function, Pieces(&input, 1), sink, limits, call_id, traces));
}

}  // namespace cordon::engine
