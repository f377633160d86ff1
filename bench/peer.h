// Another engine, in a process of its own that answers lines (peers/README.md).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "cordon/host.h"

namespace cordon::bench {

// How a peer is started, or why it is not here.
struct PeerCommand {
  std::vector<std::string> words;
  std::string skipped;
};
using PeerCommands = std::map<std::string, PeerCommand>;

// {"NAME": {"command": ["...", ...]} or {"skipped": "why"}, ...}, as bench/run.py writes it.
Result<PeerCommands> ReadPeers(const std::filesystem::path& file);

// One owner. It ends when this is destroyed.
class Peer {
 public:
  // Waits until the peer has checked its own answers.
  static Result<std::unique_ptr<Peer>> Start(const PeerCommand& command);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const std::string& version() const { return version_; }
  Result<double> Run(std::string_view call, std::uint64_t times);  // nanoseconds for all
  Result<double> Hold(std::uint64_t count);                        // KiB for each

 private:
  Peer() = default;
  Result<std::string> ReadLine();
  Result<double> Ask(std::string_view call, std::uint64_t times, std::string_view unit);

  pid_t child_ = 0;
  UniqueFd to_, from_;
  std::string version_;
};

}  // namespace cordon::bench
