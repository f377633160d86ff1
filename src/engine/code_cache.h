// Compiled code on disk (docs/formats/code-cache.md): found by what it was made from and for, authenticated, and run
// from a sealed copy in memory, so that nothing that happens to the file later changes what runs.
//
// Thread-safe, and safe with other processes that use the folder.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/unique_fd.h"
#include "engine/engine.h"

namespace cordon::engine {

class CodeCache {
 public:
  // Why an entry was not used. kForged: its authentication failed, so somebody or something wrote to it.
  enum class Refusal : std::uint8_t { kMalformed, kForged, kForeign };
  // Told of every entry that was there and was not used; it has been set aside by then.
  using OnRefused = std::function<void(Refusal refusal, const std::string& entry, std::string_view why)>;
  // Told of code that works and that could not be kept.
  using OnNotKept = std::function<void(const std::string& entry, std::string_view why)>;

  // `folder` is made (0700) when it is absent. E_UNAVAILABLE when it is not a folder of ours that nobody else may write
  // to.
  static Result<std::shared_ptr<CodeCache>> Open(const std::filesystem::path& folder, std::uint64_t bytes_max);
  CodeCache(const CodeCache&) = delete;
  CodeCache& operator=(const CodeCache&) = delete;

  // The code that was compiled from `wasm` for engines like this one, or nothing. Within one process an entry is read
  // and checked once, as long as somebody uses it.
  std::shared_ptr<const Compiled> Find(const std::shared_ptr<const Engine>& engine, const Digest& wasm,
                                       const OnRefused& refused);
  // The same for code that runs in another process: authenticated, sealed, and not loaded here. An empty descriptor:
  // there is none.
  UniqueFd FindSealed(const Engine& engine, const Digest& wasm, const OnRefused& refused);
  // Forgeries within the last ten minutes, of all processes that use the folder.
  int RecentForgeries() const;
  // Loads `code`, which Precompile made for this engine from `wasm`, and keeps it. That it could not be kept is not an
  // error: it is compiled again the next time. E_INVALID when it does not fit the engine.
  Result<std::shared_ptr<const Compiled>> Add(const std::shared_ptr<const Engine>& engine, const Digest& wasm,
                                              std::span<const std::uint8_t> code, const OnNotKept& not_kept);
  // Keeps `code` alone.
  void Keep(const Engine& engine, const Digest& wasm, std::span<const std::uint8_t> code, const OnNotKept& not_kept);

 private:
  struct Header;
  using Key = std::array<std::uint8_t, 32>;

  CodeCache() = default;
  static Key KeyOf(const Engine& engine, const Digest& wasm);
  std::shared_ptr<const Compiled> Shared(const Engine& engine, const Key& key);
  void Share(const Engine& engine, const Key& key, const std::shared_ptr<const Compiled>& code);
  Result<UniqueFd> Read(const Key& key, const std::string& name, const OnRefused& refused) const;
  std::array<std::uint8_t, 32> Tag(const Header& header, std::span<const std::uint8_t> code) const;
  Status Write(const Key& key, std::span<const std::uint8_t> code) const;
  void NoteForgery() const;
  void SetAside(const std::string& name) const;
  void Evict() const;

  UniqueFd folder_;
  std::uint64_t bytes_max_ = 0;
  std::array<std::uint8_t, 32> secret_{};
  std::mutex mutex_;  // guards shared_
  std::map<std::pair<const Engine*, Key>, std::weak_ptr<const Compiled>> shared_;
};

// Keyed BLAKE3 of these bytes with a key of zeros: what authentication costs, for benchmarks.
std::array<std::uint8_t, 32> KeyedHash(std::span<const std::uint8_t> bytes);

// A copy of `code` that nothing can change: a sealed memfd. E_UNAVAILABLE when the system gives none.
Result<UniqueFd> Sealed(std::span<const std::uint8_t> code);

}  // namespace cordon::engine
