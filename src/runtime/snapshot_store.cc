#include "runtime/snapshot_store.h"

#include "base/wire.h"

namespace cordon::runtime {
namespace {

// Names of buckets have no colon.
constexpr std::string_view kBucket = "cordon:residents";
constexpr std::string_view kState = "state", kAbout = "about", kNext = "refused.next";
constexpr std::uint32_t kFormat = 1;

services::KvQuota Quota() {
  // As many values as there can be, each with its description and its keys.
  constexpr std::uint64_t kValues = kRefusedMax + 1;
  return {Bytes{kValues * (kSnapshotBytesMax + 1024)}, 2 * kValues + 1};
}

wire::Buffer AboutOf(const Snapshot& snapshot) {
  wire::Buffer about;
  wire::Writer out(about);
  out.U32(kFormat);
  out.U64(snapshot.made_ms);
  out.String(snapshot.artifact);
  return about;
}

}  // namespace

SnapshotStore::SnapshotStore(std::shared_ptr<services::KvBackend> backend, const std::string& plugin)
    : backend_(std::move(backend)), bucket_{plugin, std::string(kBucket), Quota()} {}

Result<std::optional<Snapshot>> SnapshotStore::Find() {
  CORDON_ASSIGN(const std::optional<services::KvEntry> about, backend_->Get(bucket_, kAbout));
  if (!about) return std::nullopt;
  CORDON_ASSIGN(std::optional<services::KvEntry> state, backend_->Get(bucket_, kState));
  Snapshot snapshot;
  wire::Reader in(about->value);
  const std::uint32_t format = in.U32();
  snapshot.made_ms = in.U64();
  snapshot.artifact = in.String();
  if (!in.Finish() || format != kFormat || !state) {
    return Fail(Code::kInvalid, "what is kept as the state of " + bucket_.plugin + " is no snapshot of this version",
                "use the version of cordon that wrote it");
  }
  snapshot.state = std::move(state->value);
  return snapshot;
}

Status SnapshotStore::Keep(const Snapshot& snapshot) {
  if (snapshot.state.size() > kSnapshotBytesMax) {
    return Fail(Code::kLimit,
                "the state of " + bucket_.plugin + " has " + std::to_string(snapshot.state.size()) +
                    " bytes, above the limit of " + FormatBytes(Bytes{kSnapshotBytesMax}),
                "keep less in it, or use a bucket");
  }
  const wire::Buffer about = AboutOf(snapshot);
  const services::KvChange changes[] = {{kState, snapshot.state}, {kAbout, about}};
  CORDON_TRY(backend_->Apply(bucket_, changes, std::nullopt, 0));
  return {};
}

Status SnapshotStore::SetAside(const Snapshot& snapshot) {
  CORDON_ASSIGN(const std::optional<services::KvEntry> next, backend_->Get(bucket_, kNext));
  const int place = next && next->value.size() == 1 ? next->value.front() % kRefusedMax : 0;
  const std::string key = "refused." + std::to_string(place);
  const wire::Buffer about = AboutOf(snapshot);
  const std::uint8_t after[] = {static_cast<std::uint8_t>((place + 1) % kRefusedMax)};
  const std::string about_key = key + ".about";
  const services::KvChange changes[] = {
      {key, snapshot.state}, {about_key, about}, {kNext, after}, {kState, std::nullopt}, {kAbout, std::nullopt}};
  CORDON_TRY(backend_->Apply(bucket_, changes, std::nullopt, 0));
  return {};
}

}  // namespace cordon::runtime
