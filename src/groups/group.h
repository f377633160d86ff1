// Control groups of one host. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fork_mark.h"
#include "base/unique_fd.h"
#include "groups/places.h"

namespace cordon::groups {

// The kernel's side of a folder. Another stands in for it where a test has no such kernel.
class Tree {
 public:
  virtual ~Tree() = default;
  virtual bool Add(const std::filesystem::path& folder);
  // Does not wait; false, with `errno`, when something is in it.
  virtual bool Remove(const std::filesystem::path& folder);
};

// A folder of this host, named after its process: all its groups are in it. Goes with the last of them.
class Home {
 public:
  // Null where no group can be made, which is usual for users. Removes what hosts that are no more left.
  static std::shared_ptr<Home> Make(const Places& places = FindPlaces(),
                                    std::shared_ptr<Tree> tree = std::make_shared<Tree>());
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

 private:
  friend class Group;
  Home(std::shared_ptr<Tree> tree, Version version) : tree_(std::move(tree)), version_(version) {}
  bool MakeFirst(const Places& places, const std::string& name);
  bool MakeSecond(const std::filesystem::path& parent, const std::string& name);

  const std::shared_ptr<Tree> tree_;
  const Version version_;
  ForkMark mark_;
  std::filesystem::path memory_, processes_, processors_;  // of version 2 the same one; empty: not to be had
  std::atomic<std::uint64_t> made_{0};
};

// Zero, and none: as much as there is.
struct Bounds {
  std::uint64_t memory_bytes = 0;
  std::uint32_t threads = 0;  // of all its processes
  std::optional<double> processors{};
};

class Group {
 public:
  // Within another one, it is held to that one's bounds too; of those only processors may be bound. Null where none of
  // the bounds can be had.
  static std::shared_ptr<Group> Make(std::shared_ptr<Home> home, const Bounds& bounds,
                                     std::shared_ptr<Group> within = nullptr);
  // Its processes have ended, or the folder stays for the next host.
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // The bounds that are in force; the others are not set.
  const Bounds& holds() const { return holds_; }
  // A process of one thread that writes "0" to each of these is in the group from then on, with all that it starts.
  std::vector<int> entries() const;
  // Of version 2, for clone3; else -1.
  int folder() const { return folder_.get(); }
  // Whether a process can be in it, which is tried with one that ends at once.
  bool LetsIn() const;
  // How many of its processes the kernel ended because there was no memory left in it.
  std::uint64_t ended_for_memory() const;

 private:
  Group(std::shared_ptr<Home> home, std::shared_ptr<Group> within);
  bool Open(const std::filesystem::path& parent, const std::string& name, std::filesystem::path& into);
  void Set(const Bounds& bounds);

  const std::shared_ptr<Home> home_;
  const std::shared_ptr<Group> within_;
  std::filesystem::path memory_, processes_, processors_;  // of version 2 the same one
  std::vector<UniqueFd> entries_;
  UniqueFd folder_;
  Bounds holds_;
  std::once_flag divided_;  // of version 2: groups within are bound, too
};

}  // namespace cordon::groups
