#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "audit/observer.h"
#include "base/wire.h"
#include "policy/test_authority.h"
#include "services/messaging/queue.h"
#include "services/messaging/service.h"

namespace cordon::services {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string Text(const Message& message) { return {message.body.begin(), message.body.end()}; }

class MessageQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cordon-messages-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::shared_ptr<MessageQueue> Open(QueueLimits limits = {}) const {
    auto queue = MessageQueue::Open(folder_ / "messages.db", limits);
    EXPECT_TRUE(queue) << queue.error().message;
    return *queue;
  }
  static std::vector<Message> Receive(MessageQueue& queue, std::string by, milliseconds time = milliseconds(60'000),
                                      std::size_t max = 100) {
    auto messages = queue.Receive("alerts", {std::move(by), time}, max, 0);
    EXPECT_TRUE(messages) << messages.error().message;
    return *messages;
  }
  // Past a hold of one millisecond.
  static void Wait() { std::this_thread::sleep_for(milliseconds(5)); }

  fs::path folder_;
};

TEST_F(MessageQueueTest, EachGoesToOneReceiverInItsOrder) {
  auto queue = Open();
  for (const char* body : {"one", "two", "three"}) ASSERT_TRUE(queue->Send("alerts", "acme/a", Bytes(body), 0));
  ASSERT_TRUE(queue->Send("other", "acme/a", Bytes("elsewhere"), 0));
  const auto first = Receive(*queue, "x", milliseconds(60'000), 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(Text(first[0]) + Text(first[1]), "onetwo");
  EXPECT_EQ(first[0].sender, "acme/a");
  EXPECT_EQ(first[0].attempt, 1u);
  EXPECT_GT(first[0].sent_ms, 1'600'000'000'000u);
  const auto second = Receive(*queue, "y");
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(Text(second[0]), "three");
  EXPECT_TRUE(*queue->Acknowledge("alerts", first[0].id, "x", 0));
  EXPECT_TRUE(*queue->Release("alerts", first[1].id, "x", 0));
  const auto third = Receive(*queue, "y");
  ASSERT_EQ(third.size(), 1u);
  EXPECT_EQ(third[0].id, first[1].id);
  EXPECT_EQ(third[0].attempt, 2u);
}

TEST_F(MessageQueueTest, attack_173_WhatWasAcknowledgedToTheSenderIsDeliveredAfterAKill) {
  { ASSERT_NE(Open(), nullptr); }
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const pid_t sender = ::fork();
  if (sender == 0) {
    auto queue = MessageQueue::Open(folder_ / "messages.db", {.messages = 1'000'000});
    while (queue) {
      const auto id = (*queue)->Send("alerts", "acme/a", Bytes("x"), 0);
      if (id) (void)!::write(pipe[1], id->data(), id->size());
    }
    ::_exit(1);
  }
  ::close(pipe[1]);
  ::usleep(200'000);
  ::kill(sender, SIGKILL);
  ::waitpid(sender, nullptr, 0);
  std::string told;
  char bytes[4096];
  for (ssize_t got; (got = ::read(pipe[0], bytes, sizeof bytes)) > 0;)
    told.append(bytes, static_cast<std::size_t>(got));
  ::close(pipe[0]);
  auto queue = Open();
  std::set<std::string> delivered;
  while (true) {
    const auto messages = Receive(*queue, "x");
    if (messages.empty()) break;
    for (const Message& message : messages) EXPECT_TRUE(delivered.insert(message.id).second);
  }
  constexpr std::size_t kIdSize = 32;
  EXPECT_GE(told.size(), kIdSize);
  for (std::size_t at = 0; at + kIdSize <= told.size(); at += kIdSize) {
    EXPECT_TRUE(delivered.contains(told.substr(at, kIdSize)));
  }
  EXPECT_LE(delivered.size(), told.size() / kIdSize + 1);
}

TEST_F(MessageQueueTest, attack_173_AReceiverThatIsKilledLosesNothing) {
  std::string id;
  {
    auto queue = Open();
    id = *queue->Send("alerts", "acme/a", Bytes("x"), 0);
    ASSERT_EQ(Receive(*queue, "gone", milliseconds(1)).size(), 1u);
  }
  Wait();
  const auto again = Receive(*Open(), "y");
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].id, id);
  EXPECT_EQ(again[0].attempt, 2u);
}

TEST_F(MessageQueueTest, attack_173_AFullDiskRefusesAndLosesNothing) {
  const std::string known = *Open()->Send("alerts", "acme/a", Bytes("before"), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    auto queue = MessageQueue::Open(folder_ / "messages.db", {});
    if (!queue) ::_exit(2);
    const rlimit none{32 << 10, 32 << 10};
    ::setrlimit(RLIMIT_FSIZE, &none);
    const auto sent = (*queue)->Send("alerts", "acme/a", Bytes(std::string(100'000, 'x')), 0);
    if (sent) ::_exit(3);
    ::_exit(sent.error().code == Code::kIo ? 0 : 4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  auto queue = Open();
  EXPECT_TRUE(queue->Send("alerts", "acme/a", Bytes(std::string(100'000, 'x')), 0));
  const auto messages = Receive(*queue, "x");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].id, known);
}

TEST_F(MessageQueueTest, attack_172_AFullChannelRefusesAndEveryMessageIsAccountedFor) {
  auto queue = Open({.messages = 20, .bytes = 1000});
  int sent = 0, full = 0;
  for (int i = 0; i < 200; ++i) {
    const auto id = queue->Send("alerts", "acme/a", Bytes("0123456789"), 0);
    if (id) ++sent;
    if (!id && id.error().code == Code::kLimit) ++full;
  }
  EXPECT_EQ(sent, 20);
  EXPECT_EQ(full, 180);
  EXPECT_FALSE(queue->Send("bytes", "acme/a", Bytes(std::string(1001, 'x')), 0));
  EXPECT_TRUE(queue->Send("bytes", "acme/a", Bytes(std::string(1000, 'x')), 0));
  // What is held counts, what is acknowledged does not.
  const auto messages = Receive(*queue, "x");
  EXPECT_EQ(messages.size(), 20u);
  EXPECT_FALSE(queue->Send("alerts", "acme/a", Bytes("x"), 0));
  EXPECT_TRUE(*queue->Acknowledge("alerts", messages[0].id, "x", 0));
  EXPECT_TRUE(queue->Send("alerts", "acme/a", Bytes("x"), 0));
  const auto channels = *queue->Channels();
  ASSERT_EQ(channels.size(), 2u);
  EXPECT_EQ(channels[0].waiting + channels[0].held + channels[0].dead, 20u);
  EXPECT_EQ(channels[0].held, 19u);
  EXPECT_EQ(channels[0].bytes, 191u);
}

TEST_F(MessageQueueTest, attack_176_WhatCrashesItsReceiverIsSetAsideAndTheOthersMoveOn) {
  auto queue = Open({.attempts = 3});
  const std::string poison = *queue->Send("alerts", "acme/a", Bytes("poison"), 0);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const std::string good = *queue->Send("alerts", "acme/a", Bytes("good"), 0);
    const auto messages = Receive(*queue, "crash " + std::to_string(attempt), milliseconds(2000), 2);
    ASSERT_EQ(messages.size(), 2u) << attempt;
    EXPECT_EQ(messages[0].id, poison);
    EXPECT_EQ(messages[0].attempt, static_cast<std::uint32_t>(attempt));
    EXPECT_TRUE(*queue->Acknowledge("alerts", good, "crash " + std::to_string(attempt), 0));
    EXPECT_TRUE(*queue->Release("alerts", poison, "crash " + std::to_string(attempt), 0));
  }
  EXPECT_EQ(Receive(*queue, "x").size(), 0u);
  EXPECT_EQ((*queue->Channels())[0].dead, 1u);
  const auto dead = *queue->TakeDead("alerts", 100);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].id, poison);
  EXPECT_EQ(dead[0].attempt, 3u);
  EXPECT_TRUE(queue->Channels()->empty());
}

TEST_F(MessageQueueTest, attack_176_AnIdIsWorthNothingToWhoDoesNotHoldIt) {
  auto queue = Open();
  const std::string id = *queue->Send("alerts", "acme/a", Bytes("x"), 0);
  EXPECT_FALSE(*queue->Acknowledge("alerts", id, "x", 0)) << "nobody received it";
  EXPECT_FALSE(*queue->Acknowledge("alerts", id, "", 0));
  ASSERT_EQ(Receive(*queue, "x", milliseconds(1)).size(), 1u);
  EXPECT_FALSE(*queue->Acknowledge("alerts", id, "y", 0)) << "another's";
  Wait();
  EXPECT_FALSE(*queue->Acknowledge("alerts", id, "x", 0)) << "too late";
  ASSERT_EQ(Receive(*queue, "x").size(), 1u);
  EXPECT_FALSE(*queue->Acknowledge("other", id, "x", 0)) << "another channel";
  EXPECT_TRUE(*queue->Acknowledge("alerts", id, "x", 0));
  EXPECT_FALSE(*queue->Acknowledge("alerts", id, "x", 0)) << "once more";
}

TEST_F(MessageQueueTest, TwoProcessesShareOneFile) {
  auto one = Open(), two = Open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(one->Send("alerts", "acme/a", Bytes("x"), 0));
  std::set<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    for (auto* queue : {one.get(), two.get()}) {
      for (const Message& message : Receive(*queue, queue->process(), milliseconds(60'000), 1)) ids.insert(message.id);
    }
  }
  EXPECT_EQ(ids.size(), 10u);
  EXPECT_NE(one->process(), two->process());
}

TEST(SendRate, IsWhatASecondHolds) {
  SendRate rate(3);
  auto now = std::chrono::steady_clock::time_point(std::chrono::hours(1));
  int admitted = 0;
  for (int i = 0; i < 10; ++i) admitted += rate.Admits(now) ? 1 : 0;
  EXPECT_EQ(admitted, 3);
  EXPECT_FALSE(rate.Admits(now + milliseconds(200)));
  EXPECT_TRUE(rate.Admits(now + milliseconds(700)));
  admitted = 0;
  for (int i = 0; i < 10; ++i) admitted += rate.Admits(now + std::chrono::hours(1)) ? 1 : 0;
  EXPECT_EQ(admitted, 3);
}

// A plugin that may send by `alerts` and receive by `jobs`.
class MessagingServiceTest : public testing::Test {
 protected:
  MessagingServiceTest()
      : authority_(policy::AuthorityOf({"msg:send:alerts", "msg:receive:jobs"})),
        guard_(authority_, observer_, "acme/a", "sha256:0"),
        queue_(*MessageQueue::InMemory({.messages = 5})),
        producer_(guard_, queue_, 1000),
        consumer_(guard_, queue_) {}

  static wire::Buffer SendPayload(std::string_view channel, std::string_view body) {
    wire::Buffer bytes;
    wire::Writer out(bytes);
    out.String(channel);
    out.String(body);
    return bytes;
  }
  std::string Send(std::string_view channel, std::string_view body) {
    const HostReply reply = producer_.Call({}, "send", SendPayload(channel, body));
    if (reply.outcome == HostReply::Outcome::kTrap) return "trap " + std::string(CodeName(reply.code));
    wire::Reader in(reply.payload);
    if (!in.Bool()) return "ok";
    const std::uint32_t error = in.Case(4);
    return error == 3 ? std::string(in.String()) : error == 0 ? "access-denied" : error == 1 ? "queue-full" : "fast";
  }

  audit::MemoryObserver observer_;
  policy::Authority authority_;
  Guard guard_;
  std::shared_ptr<MessageQueue> queue_;
  ProducerService producer_;
  ConsumerService consumer_;
};

TEST_F(MessagingServiceTest, attack_171_OnlyTheGrantedChannelAndDirection) {
  EXPECT_EQ(Send("alerts", "x"), "ok");
  for (const char* channel : {"jobs", "other", "*", "alerts*", "../alerts", "alerts/../alerts", "Alerts", "",
                              "alerts\n", "alerts.in", "\x1b[31m"}) {
    EXPECT_EQ(Send(channel, "x"), "access-denied") << channel;
    EXPECT_EQ(observer_.records().back().decision, policy::Verdict::kDeny);
    EXPECT_EQ(observer_.records().back().target.find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(Send(std::string("alerts\0x", 8), "x"), "access-denied");
  EXPECT_EQ(observer_.records().size(), 13u);
  wire::Buffer payload;
  wire::Writer out(payload);
  out.String("alerts");
  out.U32(10);
  const HostReply reply = consumer_.Call({}, "receive", payload);
  EXPECT_EQ(reply.payload, (std::vector<std::uint8_t>{1, 0, 0, 0, 0}));
}

TEST_F(MessagingServiceTest, attack_172_WhatIsTooMuchHasItsOwnError) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Send("alerts", "x"), "ok");
  EXPECT_EQ(Send("alerts", "x"), "queue-full");
  EXPECT_TRUE(Send("alerts", std::string(kMessageBodyBytesMax + 1, 'x')).starts_with("E_LIMIT: "));
}

TEST_F(MessagingServiceTest, attack_176_TheHostStampsTheSender) {
  ASSERT_EQ(Send("alerts", "{\"sender\": \"acme/other\"}"), "ok");
  const auto messages = *queue_->Receive("alerts", {"x"}, 10, 0);
  EXPECT_EQ(messages[0].sender, "acme/a");
  // Nothing stands for the host, so a plugin without a name gets one.
  for (const auto& [name, sender] : {std::pair("", "(no name)"), std::pair("a\x1b[31m", "a\\u001b[31m")}) {
    const Guard guard(authority_, observer_, name, "sha256:0");
    ProducerService producer(guard, queue_, 10);
    EXPECT_EQ(producer.Call({}, "send", SendPayload("alerts", "x")).payload.at(0), 0);
    EXPECT_EQ((*queue_->Receive("alerts", {"y"}, 10, 0)).at(0).sender, sender);
  }
}

TEST_F(MessagingServiceTest, attack_172_NoCallReceivesMoreThanItsShare) {
  auto queue = *MessageQueue::InMemory({.messages = 1000});
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(queue->Send("jobs", "", Bytes("x"), 0));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(queue->Send("large", "", Bytes(std::string(200 << 10, 'x')), 0));
  EXPECT_EQ(queue->Receive("jobs", {"x"}, 1'000'000, 0)->size(), kReceiveMessagesMax);
  EXPECT_EQ(queue->Receive("large", {"x"}, 100, 0)->size(), 5u);
  EXPECT_EQ(queue->Receive("jobs", {"x"}, 0, 0)->size(), 0u);
}

TEST_F(MessagingServiceTest, MalformedPayloadsEndTheCall) {
  const wire::Buffer good = SendPayload("alerts", "body");
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    const wire::Buffer part(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut));
    EXPECT_EQ(producer_.Call({}, "send", part).code, Code::kInvalid) << cut;
    EXPECT_EQ(consumer_.Call({}, "acknowledge", part).outcome, HostReply::Outcome::kTrap) << cut;
  }
  EXPECT_EQ(producer_.Call({}, "drop", good).code, Code::kLink);
  EXPECT_TRUE(observer_.records().empty());
}

}  // namespace
}  // namespace cordon::services
