#include <unistd.h>

#include <charconv>

#include "abi/json_text.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/load_flags.h"
#include "cli/report.h"
#include "cli/secret_input.h"
#include "runtime/provided.h"
#include "services/messaging/queue.h"

namespace cordon::cli {
namespace {

using services::MessageQueue;

constexpr Positional kChannelWord[] = {{"CHANNEL", "as in the grants msg:send:CHANNEL and msg:receive:CHANNEL"}};
constexpr Positional kRelayWords[] = {{"CHANNEL", "that the plugin is"}, kPluginWord};
constexpr Option kReceiveOptions[] = {
    {"--count", "N", "at most so many (1)"},
    {"--dead", "", "of those that were set aside"},
};
constexpr Option kRelayOptions[] = {kGrantOption, kGrantsOption, kMountOption, kEnvironmentOption, kRootOption};

Result<std::string> ChannelOf(const Session& session) {
  std::string channel = session.arguments().Get("CHANNEL");
  CORDON_TRY(policy::MakeMessaging("send", channel));
  return channel;
}

Result<std::shared_ptr<MessageQueue>> OpenQueue(const Session& session) {
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(const std::filesystem::path folder, session.StateFolder());
  return MessageQueue::Open(folder / "messages.db", runtime::Host::LimitsOf(config.messaging));
}

Result<int> Send(Session& session) {
  CORDON_ASSIGN(const std::string channel, ChannelOf(session));
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  CORDON_ASSIGN(const std::string body, ReadFile("-", services::kMessageBodyBytesMax));
  CORDON_ASSIGN(const auto queue, OpenQueue(session));
  CORDON_TRY(AuditOperator(*log, "", "channel:" + channel, "the operator sends a message"));
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
  CORDON_ASSIGN(const std::string id, queue->Send(channel, "", bytes, 0));
  if (session.json()) {
    session.PrintDocument({{"channel", channel}, {"id", id}});
  } else {
    session.Print(id + "\n");
  }
  return 0;
}

OrderedJson MessageJson(const Message& message) {
  OrderedJson json = {
      {"id", message.id}, {"sender", message.sender}, {"sent_ms", message.sent_ms}, {"attempt", message.attempt}};
  const std::string body(message.body.begin(), message.body.end());
  if (IsUtf8(body)) {
    json["body"] = body;
  } else {
    std::string text;
    abi::AppendBase64(text, message.body);
    json["body_base64"] = text;
  }
  return json;
}

// Shown before it is acknowledged: what nobody saw is delivered again.
Status Show(Session& session, const std::string& channel, const std::vector<Message>& messages) {
  std::string text;
  if (session.json()) {
    OrderedJson list = OrderedJson::array();
    for (const Message& message : messages) list.push_back(MessageJson(message));
    text = session.DocumentText({{"channel", channel}, {"messages", list}}) + "\n";
  } else {
    for (const Message& message : messages) {
      text += message.id + "  " + (message.sender.empty() ? "(host)" : Escape(message.sender)) + "  " +
              Escape(std::string(message.body.begin(), message.body.end())) + "\n";
    }
  }
  if (WriteAll(STDOUT_FILENO, text) == Written::kAll) return {};
  return Fail(Code::kIo, "cannot write to standard output; the messages stay in the channel");
}

Result<int> Receive(Session& session) {
  CORDON_ASSIGN(const std::string channel, ChannelOf(session));
  std::size_t count = 1;
  if (const auto text = session.arguments().One("--count")) {
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), count);
    if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size() || count == 0 ||
        count > services::kReceiveMessagesMax) {
      return Fail(Code::kUsage, "--count cannot be '" + EscapeShort(*text, 40) + "'",
                  "write --count N, 1 to " + std::to_string(services::kReceiveMessagesMax));
    }
  }
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  CORDON_ASSIGN(const auto queue, OpenQueue(session));
  CORDON_TRY(AuditOperator(*log, "", "channel:" + channel, "the operator takes messages"));
  if (session.arguments().Has("--dead")) {
    CORDON_ASSIGN(const std::vector<Message> dead, queue->TakeDead(channel, count));
    CORDON_TRY(Show(session, channel, dead));
    if (dead.empty()) session.Note("no message of " + channel + " was set aside");
    return 0;
  }
  const std::string by = queue->process() + ":operator";
  CORDON_ASSIGN(const std::vector<Message> messages, queue->Receive(channel, {by}, count, 0));
  CORDON_TRY(Show(session, channel, messages));
  for (const Message& message : messages) CORDON_TRY(queue->Acknowledge(channel, message.id, by, 0));
  if (messages.empty()) session.Note("no message waits in " + channel);
  return 0;
}

Result<int> List(Session& session) {
  CORDON_ASSIGN(const std::filesystem::path folder, session.StateFolder());
  std::vector<services::ChannelUse> channels;
  std::error_code ignored;
  if (std::filesystem::exists(folder / "messages.db", ignored)) {
    CORDON_ASSIGN(const auto queue, OpenQueue(session));
    CORDON_ASSIGN(channels, queue->Channels());
  }
  OrderedJson list = OrderedJson::array();
  std::string text;
  for (const services::ChannelUse& use : channels) {
    list.push_back({{"channel", use.channel},
                    {"waiting", use.waiting},
                    {"held", use.held},
                    {"dead", use.dead},
                    {"bytes", use.bytes}});
    text += use.channel + "  " + std::to_string(use.waiting) + " waiting, " + std::to_string(use.held) + " held, " +
            std::to_string(use.dead) + " set aside, " + FormatBytes(Bytes{use.bytes}) + "\n";
  }
  if (session.json()) {
    session.PrintDocument({{"channels", list}});
  } else {
    session.Print(text);
    if (text.empty()) session.Note("no channel has a message");
  }
  return 0;
}

Result<int> Relay(Session& session) {
  session.CatchSignals();
  CORDON_ASSIGN(const std::string channel, ChannelOf(session));
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(const runtime::LoadRequest request, ReadLoadFlags(session));
  CORDON_ASSIGN(const Parts parts, session.Open(config, Use::kRun));
  CORDON_ASSIGN(const auto plugin, parts.host->Load(request));
  CORDON_ASSIGN(const auto queue, parts.host->Messages());
  CORDON_ASSIGN(const Relayed relayed, runtime::Relay(*queue, channel, *plugin));
  CORDON_TRY(parts.audit->Flush());
  if (session.json()) {
    session.PrintDocument(
        {{"channel", channel}, {"sent", relayed.sent}, {"failed", relayed.failed}, {"heard", relayed.heard}});
  } else {
    session.Print("sent " + std::to_string(relayed.sent) + ", failed " + std::to_string(relayed.failed) + ", heard " +
                  std::to_string(relayed.heard) + "\n");
  }
  return 0;
}

}  // namespace

Command ChannelListCommand() {
  return {{.command = "channel list", .summary = "list channels, and how many messages wait"}, List};
}

Command ChannelSendCommand() {
  return {{.command = "channel send",
           .summary = "send a message, from standard input, to who receives by a channel",
           .positionals = kChannelWord},
          Send};
}

Command ChannelReceiveCommand() {
  return {{.command = "channel receive",
           .summary = "take messages off a channel, or those that were set aside",
           .positionals = kChannelWord,
           .options = kReceiveOptions},
          Receive};
}

Command ChannelRelayCommand() {
  return {{.command = "channel relay",
           .summary = "hand what waits to the plugin that is the channel, and take what it heard",
           .positionals = kRelayWords,
           .options = kRelayOptions},
          Relay};
}

}  // namespace cordon::cli
