#include "policy/roots.h"

#include <gtest/gtest.h>

namespace cordon::policy {
namespace {

const std::filesystem::path kOurs[] = {"/home/ana/.local/state/cordon", "/home/ana/.config/cordon"};
const std::filesystem::path kHome = "/home/ana";

Code CodeOf(const Status& status) { return status ? Code::kInternal : status.error().code; }

TEST(Roots, AnOrdinaryFolderMayBeMapped) {
  EXPECT_TRUE(CheckRoot("workspace", "/home/ana/work", kOurs, kHome));
  EXPECT_TRUE(CheckRoot("workspace", "/srv/files", kOurs, kHome));
  EXPECT_TRUE(CheckRoot("workspace", "/home/ana/.local/state/cordon2", kOurs, kHome));
  EXPECT_TRUE(CheckRoot("workspace", "/processed", kOurs, kHome));
  EXPECT_EQ(CodeOf(CheckRoot("Work", "/srv", kOurs, kHome)), Code::kName);
}

TEST(attack_33, RootsThatNobodyMayMap) {
  for (const char* path : {"/", "/proc", "/proc/self", "/sys", "/dev/shm", "/home", "/home/ana", "/home/ana/.local",
                           "/home/ana/.local/state/cordon", "/home/ana/.config/cordon/x", "relative", "/etc/.."}) {
    EXPECT_EQ(CodeOf(CheckRoot("workspace", path, kOurs, kHome)), Code::kGrantForbidden) << path;
  }
  for (const char* text :
       {"~", "~/x", "$HOME", "/a/$HOME", "..", "../x", "/etc/../", "/a/..", "/a\n/b", "/a/\x1b[2J", "/a\xff"}) {
    EXPECT_EQ(CodeOf(CheckRootText("workspace", text)), Code::kGrantForbidden) << text;
  }
}

ResolvedMount Mount(std::string mount, std::string host, std::uint64_t inode, std::vector<FileId> ancestors,
                    Access access) {
  return {std::move(mount), std::move(host), {1, inode}, std::move(ancestors), access};
}

TEST(attack_35, ReadOnlyAndWritableFoldersNeverMeet) {
  const FileId top{1, 2};
  const ResolvedMount data = Mount("/data", "/srv/data", 10, {top}, Access::kRead);
  // A symlink, resolved.
  const ResolvedMount same_path = Mount("/alias", "/srv/data", 10, {top}, Access::kWrite);
  const ResolvedMount below = Mount("/alias", "/srv/data/in", 11, {{1, 10}, top}, Access::kWrite);
  const ResolvedMount above = Mount("/alias", "/srv", 2, {}, Access::kWrite);
  // A bind mount of /srv/data.
  const ResolvedMount bound = Mount("/alias", "/mnt/other", 10, {top}, Access::kWrite);
  const ResolvedMount in_bound = Mount("/alias", "/mnt/other/in", 11, {{1, 10}, top}, Access::kWrite);
  const ResolvedMount apart = Mount("/alias", "/srv/database", 12, {top}, Access::kWrite);
  for (const ResolvedMount& alias : {same_path, below, above, bound, in_bound}) {
    const ResolvedMount pair[] = {data, alias};
    const ResolvedMount turned[] = {alias, data};
    EXPECT_EQ(CodeOf(CheckOverlap(pair)), Code::kOverlap) << alias.host;
    EXPECT_EQ(CodeOf(CheckOverlap(turned)), Code::kOverlap) << alias.host;
  }
  const ResolvedMount fine[] = {data, apart, Mount("/again", "/srv/data", 10, {top}, Access::kRead)};
  EXPECT_TRUE(CheckOverlap(fine));
}

}  // namespace
}  // namespace cordon::policy
