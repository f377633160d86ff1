// What keeps the memories of plugins (cordon:memory), in place of a file of Cordon's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"

namespace cordon {

// Thread-safe; called on Cordon's threads. An error goes to the plugin with its code and message, so it names no place
// of yours.
class Memory {
 public:
  enum class Scope : std::uint8_t { kPlugin, kSession, kAgent };
  // Whose memories: those of two places never meet.
  struct Place {
    std::string owner;  // the plugin
    Scope scope = Scope::kPlugin;
    // The session or the agent; empty for kPlugin. Of a call for a tenant: that, U+001F, and then the name.
    std::string name;
    std::uint64_t entries_max = 0, bytes_max = 0;  // of all places of the owner together; beyond it E_LIMIT
    std::int64_t deadline_ns = 0;                  // of the call, CLOCK_MONOTONIC; 0: none
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Entry {
    std::string id;  // at most 256 bytes of UTF-8
    std::string text;
    std::vector<std::string> labels;
    std::uint64_t stored_ms = 0;  // since 1970, UTC
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  virtual ~Memory() = default;
  // The id. Once it answers, a crash does not undo it.
  virtual Result<std::string> Store(const Place& place, std::string_view text, std::span<const std::string> labels) = 0;
  // At most `entries_max`, the best first; of an empty query the newest.
  virtual Result<std::vector<Entry>> Recall(const Place& place, std::string_view query, std::size_t entries_max) = 0;
  // False: there is none.
  virtual Result<bool> Forget(const Place& place, std::string_view id) = 0;
  // How many there were.
  virtual Result<std::uint64_t> ForgetAll(const Place& place) = 0;
};

class Plugin;

// The memory that a plugin provides: it exports cordon:memory/provider and says so (`provides: { memory: true }`). The
// plugin is called afresh each time, in the name of the plugin that remembers. E_INVALID, E_TYPE, E_NOT_FOUND.
Result<std::shared_ptr<Memory>> MemoryOf(const Plugin& plugin);

}  // namespace cordon
