// Messages that wait, in one SQLite file (docs/formats/messages.md) or in memory. Several processes may use one file.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/messaging.h"
#include "services/kv/sqlite_file.h"

namespace cordon::services {

// Bounds that no configuration widens.
inline constexpr std::size_t kMessageBodyBytesMax = 256 << 10;
inline constexpr std::size_t kReceiveMessagesMax = 100;
inline constexpr std::size_t kReceiveBytesMax = 1 << 20;

// Of one channel: what waits, what is held and what was set aside count.
struct QueueLimits {
  std::uint64_t messages = 10'000;
  std::uint64_t bytes = 64 << 20;
  std::uint32_t attempts = 5;  // after as many a message is set aside
};

// Who works on what it received, and for how long.
struct Hold {
  std::string by;  // one call of one process
  std::chrono::milliseconds time{30'000};
};

struct ChannelUse {
  std::string channel;
  std::uint64_t waiting = 0, held = 0, dead = 0, bytes = 0;
};

// Thread-safe. Writes are on the disk before they are acknowledged. E_BUSY, E_IO.
class MessageQueue {
 public:
  // E_IO; E_UNAVAILABLE when a newer Cordon made it.
  static Result<std::shared_ptr<MessageQueue>> Open(const std::filesystem::path& file, const QueueLimits& limits);
  static Result<std::shared_ptr<MessageQueue>> InMemory(const QueueLimits& limits);
  // From the next question on. What waits beyond narrower ones stays; nothing more is taken.
  void SetLimits(const QueueLimits& limits);

  // The id. E_LIMIT with the detail "limit" (messages, bytes) when the channel is full, or "body".
  Result<std::string> Send(std::string_view channel, std::string_view sender, std::span<const std::uint8_t> body,
                           std::int64_t deadline_ns);
  // The oldest that nobody holds, at most `count_max` and kReceiveBytesMax. What was tried too often is set aside.
  Result<std::vector<Message>> Receive(std::string_view channel, const Hold& hold, std::size_t count_max,
                                       std::int64_t deadline_ns);
  // It is gone. False: `by` does not hold it.
  Result<bool> Acknowledge(std::string_view channel, std::string_view id, std::string_view by,
                           std::int64_t deadline_ns);
  // It waits again at once. False: `by` does not hold it.
  Result<bool> Release(std::string_view channel, std::string_view id, std::string_view by, std::int64_t deadline_ns);
  // Of all channels that have any, by name.
  Result<std::vector<ChannelUse>> Channels();
  // The oldest that were set aside; they are gone from the queue.
  Result<std::vector<Message>> TakeDead(std::string_view channel, std::size_t count_max);
  // A name for holds that no other process has.
  const std::string& process() const { return process_; }

 private:
  MessageQueue(std::unique_ptr<SqliteStore> store, const QueueLimits& limits, std::string process)
      : store_(std::move(store)), limits_(limits), process_(std::move(process)) {}
  QueueLimits limits() const;

  std::unique_ptr<SqliteStore> store_;
  mutable std::mutex mutex_;  // guards limits_
  QueueLimits limits_;
  std::string process_;
};

}  // namespace cordon::services
