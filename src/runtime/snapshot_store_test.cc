#include "runtime/snapshot_store.h"

#include <gtest/gtest.h>

#include "policy/capability.h"
#include "services/kv/sqlite_backend.h"

namespace cordon::runtime {
namespace {

std::vector<std::uint8_t> BytesOf(std::string_view text) { return {text.begin(), text.end()}; }

struct Stored {
  std::shared_ptr<services::KvBackend> backend = *services::SqliteBackend::InMemory();
  SnapshotStore store{backend, "acme/counter"};
};

TEST(SnapshotStore, TheLastOneOfEachPlugin) {
  Stored kept;
  EXPECT_EQ(*kept.store.Find(), std::nullopt);
  ASSERT_TRUE(kept.store.Keep({BytesOf("one"), "sha256:aa", 7}));
  ASSERT_TRUE(kept.store.Keep({BytesOf("two"), "sha256:bb", 8}));
  const auto found = kept.store.Find();
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->state, BytesOf("two"));
  EXPECT_EQ((*found)->artifact, "sha256:bb");
  EXPECT_EQ((*found)->made_ms, 8u);
  SnapshotStore other(kept.backend, "acme/other");
  EXPECT_EQ(*other.Find(), std::nullopt);
}

TEST(SnapshotStore, EmptyStateIsStateToo) {
  Stored kept;
  ASSERT_TRUE(kept.store.Keep({{}, "sha256:aa", 7}));
  const auto found = kept.store.Find();
  ASSERT_TRUE(found && *found);
  EXPECT_TRUE((*found)->state.empty());
}

TEST(SnapshotStore, TooMuchStateLeavesWhatWas) {
  Stored kept;
  ASSERT_TRUE(kept.store.Keep({std::vector<std::uint8_t>(kSnapshotBytesMax), "", 1}));
  const Status more = kept.store.Keep({std::vector<std::uint8_t>(kSnapshotBytesMax + 1), "", 2});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kLimit);
  EXPECT_EQ((*kept.store.Find())->made_ms, 1u);
}

// Each of the largest size: all of them have room beside the one that counts.
TEST(SnapshotStore, WhatWasRefusedStaysAsideAndTheOldestGoes) {
  Stored kept;
  for (std::uint8_t i = 0; i <= kRefusedMax; ++i) {
    const Snapshot snapshot{std::vector<std::uint8_t>(kSnapshotBytesMax, i), "sha256:aa", i};
    ASSERT_TRUE(kept.store.Keep(snapshot));
    const Status aside = kept.store.SetAside(snapshot);
    ASSERT_TRUE(aside) << aside.error().message;
    EXPECT_EQ(*kept.store.Find(), std::nullopt);
  }
  ASSERT_TRUE(kept.store.Keep({std::vector<std::uint8_t>(kSnapshotBytesMax), "", 9}));
  const services::KvBucket bucket{"acme/counter", "cordon:residents", {}};
  EXPECT_EQ((*kept.backend->Get(bucket, "refused.0"))->value.front(), kRefusedMax);
  EXPECT_EQ((*kept.backend->Get(bucket, "refused.1"))->value.front(), 1);
}

TEST(SnapshotStore, attack_104_NoGrantNamesItsBucket) {
  EXPECT_FALSE(policy::Capability::Parse("kv:read:cordon:residents"));
  EXPECT_FALSE(policy::MakeStorage("cordon:residents", policy::Access::kWrite));
}

TEST(SnapshotStore, WhatIsNoSnapshotIsAnErrorAndNotNothing) {
  Stored kept;
  const services::KvBucket bucket{"acme/counter", "cordon:residents", {}};
  const std::vector<std::uint8_t> garbage = BytesOf("garbage");
  const services::KvChange changes[] = {{"about", garbage}};
  ASSERT_TRUE(kept.backend->Apply(bucket, changes, std::nullopt, 0));
  const auto found = kept.store.Find();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace cordon::runtime
