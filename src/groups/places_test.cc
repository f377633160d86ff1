#include "groups/places.h"

#include <gtest/gtest.h>

namespace cordon::groups {
namespace {

constexpr std::string_view kFirstMounts =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST(Places, VersionOneHasAFolderForEach) {
  const Places places =
      PlacesIn("8:pids:/\n4:memory:/system.slice/host.service\n1:cpu,cpuacct:/a\n0::/b\n", kFirstMounts);
  EXPECT_EQ(places.version, Version::kOne);
  EXPECT_EQ(places.processes, "/sys/fs/cgroup/pids");
  EXPECT_EQ(places.memory, "/sys/fs/cgroup/memory/system.slice/host.service");
  EXPECT_EQ(places.processors, "/sys/fs/cgroup/cpu,cpuacct/a");
  EXPECT_EQ(places.own, "/sys/fs/cgroup/unified/b");
}

TEST(Places, VersionTwoHasOne) {
  const Places places =
      PlacesIn("0::/user.slice/app.scope\n", "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
  EXPECT_EQ(places.version, Version::kTwo);
  EXPECT_EQ(places.own, "/sys/fs/cgroup/user.slice/app.scope");
}

// A container sees a part of the tree; where its own group is outside of that, there is no folder for it.
TEST(Places, APartOfATreeIsMeasuredFromItsRoot) {
  constexpr std::string_view kMounts = "35 31 0:32 /docker/4f /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
  EXPECT_EQ(PlacesIn("4:memory:/docker/4f/inner\n", kMounts).memory, "/sys/fs/cgroup/memory/inner");
  EXPECT_EQ(PlacesIn("4:memory:/docker/other\n", kMounts).memory, "");
  EXPECT_EQ(PlacesIn("4:memory:/docker/other\n", kMounts).version, Version::kNone);
}

TEST(Places, TextsThatSayNothingHaveNone) {
  for (const std::string_view text : {"", "\n\n", "4:memory", "::", "a b c - cgroup", "- - - - - - -"}) {
    EXPECT_EQ(PlacesIn(text, kFirstMounts).memory, "") << text;
    EXPECT_EQ(PlacesIn("4:memory:/\n", text).version, Version::kNone) << text;
  }
}

}  // namespace
}  // namespace cordon::groups
