// Where the state of a resident is kept between its instances: in the storage of plugins, in a bucket that no grant can
// name, so that no guest reads or writes it. Of each plugin by its name: a new version is offered what the one before
// it left.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/kv/backend.h"

namespace cordon::runtime {

inline constexpr std::size_t kSnapshotBytesMax = 1 << 20;
// That were refused by the resident, and are kept aside; then the oldest goes.
inline constexpr int kRefusedMax = 4;

struct Snapshot {
  std::vector<std::uint8_t> state;
  std::string artifact;       // "sha256:…" of the bytes that made it
  std::uint64_t made_ms = 0;  // since 1970
};

// Thread-safe, as the backend is; one writer at a time for each plugin.
class SnapshotStore {
 public:
  SnapshotStore(std::shared_ptr<services::KvBackend> backend, const std::string& plugin);

  // Nothing: there is none. E_INVALID when what is there is no snapshot; and errors of the backend.
  Result<std::optional<Snapshot>> Find();
  // In place of the one before, in one step: after a crash it is the one or the other. E_LIMIT when it is too large.
  Status Keep(const Snapshot& snapshot);
  // It is offered no more, and stays under "refused.N".
  Status SetAside(const Snapshot& snapshot);

 private:
  const std::shared_ptr<services::KvBackend> backend_;
  const services::KvBucket bucket_;
};

}  // namespace cordon::runtime
