#include "runtime/provided.h"

#include <algorithm>
#include <ctime>

#include "abi/export_ref.h"
#include "abi/extism.h"
#include "abi/type_shape.h"
#include "base/wire.h"
#include "runtime/zeroclaw_channel.h"

namespace cordon::runtime {
namespace {

constexpr std::string_view kProvider = "cordon:memory/provider@1.0.0#";
constexpr std::string_view kChannel = "cordon:messaging/channel@1.0.0#";

#define PLACE "record{owner:string,scope:enum{plugin,session,agent},name:string,entries-max:u64,bytes-max:u64}"
constexpr std::string_view kStoreShape = "(" PLACE ",string,list<string>)->result<string,string>";
constexpr std::string_view kRecallShape =
    "(" PLACE ",string,u32)->result<list<record{id:string,text:string,labels:list<string>,stored-ms:u64}>,string>";
constexpr std::string_view kForgetShape = "(" PLACE ",string)->result<bool,string>";
constexpr std::string_view kForgetAllShape = "(" PLACE ")->result<u64,string>";
#undef PLACE
constexpr std::string_view kSendShape =
    "(record{id:string,sender:string,sent-ms:u64,attempt:u32,body:list<u8>})->result<_,string>";
constexpr std::string_view kListenShape = "(u32)->result<list<list<u8>>,string>";

// Of a plugin for Extism, as zeroclaw names them.
constexpr std::string_view kZeroclawShape = "(list<u8>)->result<list<u8>,record{code:s32,message:string}>";

struct Exported {
  std::string_view interface_name, function, shape;
};
constexpr Exported kMemoryExports[] = {{kProvider, "store", kStoreShape},
                                       {kProvider, "recall", kRecallShape},
                                       {kProvider, "forget", kForgetShape},
                                       {kProvider, "forget-all", kForgetAllShape}};
constexpr Exported kChannelExports[] = {{kChannel, "send", kSendShape}, {kChannel, "listen", kListenShape}};
constexpr Exported kZeroclawExports[] = {{"", "channel_send", kZeroclawShape}, {"", "channel_listen", kZeroclawShape}};

Error OtherShape(const std::string& name, const std::string& found, std::string_view wanted) {
  return Error(Code::kType, name + " is exported as " + found + ", not as " + std::string(wanted),
               "build the plugin against the published WIT");
}

Status CheckExports(const wit::Contract& contract, std::span<const Exported> exports) {
  for (const Exported& one : exports) {
    const std::string name = std::string(one.interface_name) + std::string(one.function);
    CORDON_ASSIGN(const abi::ExportRef found, abi::ResolveExport(contract, name));
    const std::string shape = abi::FunctionShape(contract, *found.function);
    if (shape != one.shape) return Fail(OtherShape(name, shape, one.shape));
  }
  return {};
}

class Collected final : public engine::ResultSink {
 public:
  void Take(engine::Pieces pieces) noexcept override {
    try {
      for (const auto piece : pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
    } catch (...) {
      fell_short = true;
    }
  }
  wire::Buffer bytes;
  bool fell_short = false;
};

Result<Plugin::Target> Find(const Plugin& plugin, std::string_view interface_name, std::string_view function,
                            std::string_view shape) {
  const std::string name = std::string(interface_name) + std::string(function);
  CORDON_ASSIGN(Plugin::Target target, plugin.FindTarget(name));
  if (target.shape == shape) return target;
  return Fail(OtherShape(name, target.shape, shape));
}

// The bytes behind the case `ok` of the function's result. What it answers with `err` is a text.
Result<wire::Buffer> Ask(const Plugin& plugin, const Plugin::Target& target, const wire::Buffer& input,
                         const CallOptions& options) {
  Collected sink;
  const std::span<const std::uint8_t> pieces[] = {input};
  CORDON_TRY(plugin.CallTarget(target, pieces, sink, options));
  if (sink.fell_short || sink.bytes.empty())
    return Fail(Code::kInternal, "the answer of " + plugin.name() + " is lost");
  if (sink.bytes.front() == 0) return wire::Buffer(sink.bytes.begin() + 1, sink.bytes.end());
  wire::Reader in(sink.bytes);
  (void)in.Bool();
  const std::string text(in.String());
  CORDON_TRY(in.Finish());
  const std::string_view code = std::string_view(text).substr(0, text.find(':'));
  const bool is_limit = code == CodeName(Code::kLimit);
  return Fail(is_limit ? Code::kLimit : Code::kGuest,
              is_limit ? text.substr(std::min(text.size(), code.size() + 2)) : text);
}

class PluginMemory final : public Memory {
 public:
  explicit PluginMemory(std::shared_ptr<const Plugin> plugin) : plugin_(std::move(plugin)) {}

  Status Bind() {
    CORDON_ASSIGN(store_, Find(*plugin_, kProvider, "store", kStoreShape));
    CORDON_ASSIGN(recall_, Find(*plugin_, kProvider, "recall", kRecallShape));
    CORDON_ASSIGN(forget_, Find(*plugin_, kProvider, "forget", kForgetShape));
    CORDON_ASSIGN(forget_all_, Find(*plugin_, kProvider, "forget-all", kForgetAllShape));
    return {};
  }

  Result<std::string> Store(const Place& place, std::string_view text, std::span<const std::string> labels) override {
    wire::Buffer input = Encoded(place);
    wire::Writer out(input);
    out.String(text);
    out.Count(labels.size());
    for (const std::string& label : labels) out.String(label);
    CORDON_ASSIGN(const wire::Buffer answer, AskFor(place, store_, input));
    wire::Reader in(answer);
    std::string id(in.String());
    CORDON_TRY(in.Finish());
    return id;
  }

  Result<std::vector<Entry>> Recall(const Place& place, std::string_view query, std::size_t entries_max) override {
    wire::Buffer input = Encoded(place);
    wire::Writer out(input);
    out.String(query);
    out.U32(static_cast<std::uint32_t>(std::min<std::size_t>(entries_max, UINT32_MAX)));
    CORDON_ASSIGN(const wire::Buffer answer, AskFor(place, recall_, input));
    wire::Reader in(answer);
    constexpr std::size_t kEntryBytesMin = 20;
    std::vector<Entry> entries;
    for (std::uint32_t left = in.Count(kEntryBytesMin); left > 0 && in.ok(); --left) {
      Entry entry;
      entry.id = in.String();
      entry.text = in.String();
      for (std::uint32_t labels = in.Count(4); labels > 0 && in.ok(); --labels) entry.labels.emplace_back(in.String());
      entry.stored_ms = in.U64();
      entries.push_back(std::move(entry));
    }
    CORDON_TRY(in.Finish());
    return entries;
  }

  Result<bool> Forget(const Place& place, std::string_view id) override {
    wire::Buffer input = Encoded(place);
    wire::Writer(input).String(id);
    CORDON_ASSIGN(const wire::Buffer answer, AskFor(place, forget_, input));
    wire::Reader in(answer);
    const bool forgotten = in.Bool();
    CORDON_TRY(in.Finish());
    return forgotten;
  }

  Result<std::uint64_t> ForgetAll(const Place& place) override {
    CORDON_ASSIGN(const wire::Buffer answer, AskFor(place, forget_all_, Encoded(place)));
    wire::Reader in(answer);
    const std::uint64_t count = in.U64();
    CORDON_TRY(in.Finish());
    return count;
  }

 private:
  static wire::Buffer Encoded(const Place& place) {
    wire::Buffer bytes;
    wire::Writer out(bytes);
    out.String(place.owner);
    out.U32(static_cast<std::uint32_t>(place.scope));
    out.String(place.name);
    out.U64(place.entries_max);
    out.U64(place.bytes_max);
    return bytes;
  }

  Result<wire::Buffer> AskFor(const Place& place, const Plugin::Target& target, const wire::Buffer& input) const {
    if (place.owner == plugin_->name()) {
      return Fail(Code::kUsage, plugin_->name() + " would keep its own memories by itself");
    }
    CallOptions options;
    options.callers = {place.owner};
    if (place.deadline_ns != 0) {
      timespec at{};
      ::clock_gettime(CLOCK_MONOTONIC, &at);
      options.timeout =
          Duration(std::max<std::int64_t>(1, place.deadline_ns - (at.tv_sec * 1'000'000'000 + at.tv_nsec)));
    }
    return Ask(*plugin_, target, input, options);
  }

  std::shared_ptr<const Plugin> plugin_;
  Plugin::Target store_, recall_, forget_, forget_all_;
};

wire::Buffer Encoded(const Message& message) {
  wire::Buffer bytes;
  wire::Writer out(bytes);
  out.String(message.id);
  out.String(message.sender);
  out.U64(message.sent_ms);
  out.U32(message.attempt);
  out.Count(message.body.size());
  out.Raw(message.body);
  return bytes;
}

// What a plugin is called as when it is a channel.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual Status Send(const Message& message, const CallOptions& options) = 0;
  virtual Result<std::vector<std::string>> Listen() = 0;
};

class ComponentChannel final : public Channel {
 public:
  explicit ComponentChannel(const Plugin& plugin) : plugin_(plugin) {}
  Status Bind() {
    CORDON_ASSIGN(send_, Find(plugin_, kChannel, "send", kSendShape));
    CORDON_ASSIGN(listen_, Find(plugin_, kChannel, "listen", kListenShape));
    return {};
  }
  Status Send(const Message& message, const CallOptions& options) override {
    CORDON_TRY(Ask(plugin_, send_, Encoded(message), options));
    return {};
  }
  Result<std::vector<std::string>> Listen() override {
    wire::Buffer input;
    wire::Writer(input).U32(services::kReceiveMessagesMax);
    CORDON_ASSIGN(const wire::Buffer answer, Ask(plugin_, listen_, input, {}));
    wire::Reader in(answer);
    std::vector<std::string> bodies;
    for (std::uint32_t left = in.Count(4); left > 0 && in.ok(); --left) {
      const std::span<const std::uint8_t> body = in.Raw(in.Count(1));
      if (in.ok()) bodies.emplace_back(body.begin(), body.end());
    }
    CORDON_TRY(in.Finish());
    return bodies;
  }

 private:
  const Plugin& plugin_;
  Plugin::Target send_, listen_;
};

class ExtismChannel final : public Channel {
 public:
  explicit ExtismChannel(const Plugin& plugin) : plugin_(plugin) {}
  Status Bind() {
    CORDON_ASSIGN(send_, Find(plugin_, "", "channel_send", kZeroclawShape));
    CORDON_ASSIGN(listen_, Find(plugin_, "", "channel_listen", kZeroclawShape));
    return {};
  }
  Status Send(const Message& message, const CallOptions& options) override {
    CORDON_ASSIGN(const std::string answer, AskJson(send_, ToSend(message), options));
    return Sent(answer);
  }
  Result<std::vector<std::string>> Listen() override {
    CORDON_ASSIGN(const std::string answer, AskJson(listen_, "{}", {}));
    return Heard(answer);
  }

 private:
  Result<std::string> AskJson(const Plugin::Target& target, const std::string& json, const CallOptions& options) const {
    wire::Buffer input;
    wire::Writer(input).String(json);
    Collected sink;
    const std::span<const std::uint8_t> pieces[] = {input};
    CORDON_TRY(plugin_.CallTarget(target, pieces, sink, options));
    if (sink.fell_short) return Fail(Code::kInternal, "the answer of " + plugin_.name() + " is lost");
    wire::Reader in(sink.bytes);
    const bool is_error = in.Bool();
    const std::int32_t code = is_error ? in.S32() : 0;
    const std::span<const std::uint8_t> bytes = in.Raw(in.Count(1));
    std::string text(bytes.begin(), bytes.end());
    CORDON_TRY(in.Finish());
    if (!is_error) return text;
    return Fail(Code::kGuest, text.empty() ? "it ended with " + std::to_string(code) : text);
  }

  const Plugin& plugin_;
  Plugin::Target send_, listen_;
};

template <typename Kind>
Result<std::unique_ptr<Channel>> Bound(const Plugin& plugin) {
  auto channel = std::make_unique<Kind>(plugin);
  CORDON_TRY(channel->Bind());
  return channel;
}

Result<std::unique_ptr<Channel>> ChannelOf(const Plugin& plugin) {
  return plugin.abi() == manifest::Abi::kExtism ? Bound<ExtismChannel>(plugin) : Bound<ComponentChannel>(plugin);
}

Status Listen(services::MessageQueue& queue, std::string_view incoming, const Plugin& plugin, Channel& channel,
              Relayed& relayed) {
  CORDON_ASSIGN(const std::vector<std::string> bodies, channel.Listen());
  for (const std::string& body : bodies) {
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
    CORDON_TRY(queue.Send(incoming, plugin.name(), bytes, 0));
    ++relayed.heard;
  }
  return {};
}

}  // namespace

std::vector<std::pair<std::string, Error>> CheckProvides(const manifest::Provides& provides,
                                                         const wit::Contract& contract) {
  std::vector<std::pair<std::string, Error>> wrong;
  if (provides.memory == manifest::Provides::Memory::kYes) {
    if (Status fits = CheckExports(contract, kMemoryExports); !fits) wrong.emplace_back("memory", fits.error());
  }
  if (!provides.channels.empty()) {
    const Status fits = abi::ImportsExtism(contract) ? CheckExports(abi::AsExtism(contract), kZeroclawExports)
                                                     : CheckExports(contract, kChannelExports);
    if (!fits) wrong.emplace_back("channels", fits.error());
  }
  return wrong;
}

Result<std::shared_ptr<Memory>> ProvidedMemory(std::shared_ptr<const Plugin> plugin) {
  if (plugin->manifest() == nullptr || plugin->manifest()->provides.memory != manifest::Provides::Memory::kYes) {
    return Fail(Code::kInvalid, plugin->name() + " does not say that it provides memory",
                "write `provides: { memory: true }` in its plugin.yaml");
  }
  auto memory = std::make_shared<PluginMemory>(std::move(plugin));
  CORDON_TRY(memory->Bind());
  return memory;
}

Result<Relayed> Relay(services::MessageQueue& queue, std::string_view channel, const Plugin& plugin) {
  const manifest::Manifest* manifest = plugin.manifest();
  if (manifest == nullptr ||
      std::ranges::find(manifest->provides.channels, channel) == manifest->provides.channels.end()) {
    return Fail(Code::kInvalid, plugin.name() + " does not say that it is the channel '" + std::string(channel) + "'",
                "write `provides: { channels: [" + std::string(channel) + "] }` in its plugin.yaml");
  }
  const std::string incoming = std::string(channel) + ".in";
  CORDON_TRY(policy::MakeMessaging("receive", incoming));
  CORDON_ASSIGN(const std::unique_ptr<Channel> way, ChannelOf(plugin));
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(plugin.limits().timeout);
  const services::Hold hold{queue.process() + ":relay:" + std::to_string(plugin.NextCallId()),
                            time + std::chrono::seconds(1)};
  Relayed relayed;
  std::vector<std::string> failed;
  // One at a time, so that a crash of the host leaves no more than one that is held.
  for (std::size_t count = 0; count < services::kReceiveMessagesMax; ++count) {
    CORDON_ASSIGN(const std::vector<Message> messages, queue.Receive(channel, hold, 1, 0));
    if (messages.empty()) break;
    const Message& message = messages.front();
    CallOptions options;
    if (!message.sender.empty()) options.callers = {message.sender};
    if (way->Send(message, options)) {
      CORDON_TRY(queue.Acknowledge(channel, message.id, hold.by, 0));
      ++relayed.sent;
    } else {
      failed.push_back(message.id);
      ++relayed.failed;
    }
  }
  for (const std::string& id : failed) CORDON_TRY(queue.Release(channel, id, hold.by, 0));
  CORDON_TRY(Listen(queue, incoming, plugin, *way, relayed));
  return relayed;
}

}  // namespace cordon::runtime
