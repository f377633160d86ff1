// Where this process may make control groups. What is found is tried by nobody here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace cordon::groups {

enum class Version : std::uint8_t { kNone, kOne, kTwo };

// The folders to make groups in; an empty one: there is none for that.
struct Places {
  Version version = Version::kNone;
  std::filesystem::path memory{}, processes{}, processors{};  // of version 1
  std::filesystem::path own{};                                // of version 2: the group that this process is in
};

// Of the texts of /proc/self/cgroup and /proc/self/mountinfo. Version 1 where it has any of the three.
Places PlacesIn(std::string_view groups, std::string_view mounts);
Places FindPlaces();

}  // namespace cordon::groups
