// cordon:messaging for one plugin: send, receive and acknowledge by channels. The sender is what the host knows the
// plugin as.
//
// Errors are the interface's own: access-denied for what is not granted; queue-full and rate-limited for senders;
// other("E_LIMIT: …") and so on for the rest.
#pragma once

#include <memory>
#include <mutex>

#include "services/messaging/queue.h"
#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kProducerInterface = "cordon:messaging/producer";
inline constexpr std::string_view kConsumerInterface = "cordon:messaging/consumer";

// At most `per_second` in a second, and as many at once. Thread-safe.
class SendRate {
 public:
  explicit SendRate(std::uint32_t per_second) : per_second_(per_second), left_(per_second) {}
  bool Admits(std::chrono::steady_clock::time_point now);

 private:
  std::mutex mutex_;
  const double per_second_;
  double left_;
  std::chrono::steady_clock::time_point at_{};
};

class ProducerService final : public HostService {
 public:
  // `guard` must outlive the service.
  ProducerService(const Guard& guard, std::shared_ptr<MessageQueue> queue, std::uint32_t per_second)
      : guard_(guard), queue_(std::move(queue)), rate_(per_second) {}
  std::string_view interface_name() const override { return kProducerInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  const Guard& guard_;
  std::shared_ptr<MessageQueue> queue_;
  SendRate rate_;
};

inline constexpr std::string_view kDirectoryInterface = "cordon:channels/directory";

// The channels that a plugin was granted to send to, by name; none when those that wait for it keep messaging back.
std::vector<std::string> ChannelsToSend(const Guard& guard, const Caller& caller);

// Holds no authority: it tells what was granted. Whether a message goes is decided when it is sent.
class DirectoryService final : public HostService {
 public:
  // `guard` must outlive the service.
  explicit DirectoryService(const Guard& guard) : guard_(guard) {}
  std::string_view interface_name() const override { return kDirectoryInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  const Guard& guard_;
};

class ConsumerService final : public HostService {
 public:
  // `guard` must outlive the service.
  ConsumerService(const Guard& guard, std::shared_ptr<MessageQueue> queue) : guard_(guard), queue_(std::move(queue)) {}
  std::string_view interface_name() const override { return kConsumerInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  HostReply Receive(const Caller& caller, std::string_view channel, std::uint32_t max) const;
  const Guard& guard_;
  std::shared_ptr<MessageQueue> queue_;
};

}  // namespace cordon::services
