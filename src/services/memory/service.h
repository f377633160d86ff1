// cordon:memory for one plugin: store, recall and forget over what keeps memories.
//
// Errors are the interface's own: access-denied for what is not granted; no-scope where the host named no session or
// agent; other("E_LIMIT: …") and so on for the rest.
#pragma once

#include <memory>

#include "cordon/memory.h"
#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kMemoryInterface = "cordon:memory/memory";

inline constexpr std::size_t kMemoryTextBytesMax = 64 << 10;
inline constexpr std::size_t kMemoryLabelsMax = 16;
inline constexpr std::size_t kMemoryLabelBytesMax = 128;
inline constexpr std::size_t kMemoryQueryBytesMax = 4 << 10;
inline constexpr std::size_t kMemoryRecallMax = 100;
inline constexpr std::size_t kMemoryReplyBytesMax = 1 << 20;
inline constexpr std::size_t kMemoryIdBytesMax = 256;

// What no component can ask for: texts by a key, for hosts whose plugins know no ids.
//   store-key(scope, text: string, key: string) -> result<string, error>   replaces what has the key, if it may forget
//   forget-key(scope, key: string) -> result<bool, error>                  an id, else everything with the key
inline constexpr std::string_view kMemoryStoreKey = "store-key";
inline constexpr std::string_view kMemoryForgetKey = "forget-key";

// What a plugin may remember in all.
struct MemoryQuota {
  std::uint64_t entries = 0, bytes = 0;
};

class MemoryService final : public HostService {
 public:
  // `guard` must outlive the service.
  MemoryService(const Guard& guard, std::shared_ptr<Memory> memory, MemoryQuota quota)
      : guard_(guard), memory_(std::move(memory)), quota_(quota) {}
  std::string_view interface_name() const override { return kMemoryInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  struct Asked;
  Memory::Place PlaceOf(const Caller& caller, Memory::Scope scope) const;
  HostReply Do(const Memory::Place& place, std::string_view function, const Asked& asked) const;
  Result<std::vector<std::string>> IdsOf(const Memory::Place& place, std::span<const std::string> queries,
                                         std::string_view key) const;
  Result<bool> ForgetKey(const Memory::Place& place, const std::string& key) const;
  HostReply StoreKey(const Caller& caller, const Memory::Place& place, const Asked& asked) const;
  const Guard& guard_;
  std::shared_ptr<Memory> memory_;
  MemoryQuota quota_;
};

}  // namespace cordon::services
