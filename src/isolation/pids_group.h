// A control group that bounds how many processes there are at once, where the kernel's administrator lets us have one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/unique_fd.h"

namespace cordon::isolation {

// Empty when it goes, or the folder stays for the administrator to remove.
class PidsGroup {
 public:
  // Null where there is no such group to be had, which is usual for users.
  static std::unique_ptr<PidsGroup> Make(std::uint32_t processes_max);
  ~PidsGroup();
  PidsGroup(const PidsGroup&) = delete;
  PidsGroup& operator=(const PidsGroup&) = delete;

  // A process of one thread that writes "0" there is in the group from then on, with all that it starts.
  int entry() const { return entry_.get(); }

 private:
  PidsGroup(std::filesystem::path folder, UniqueFd entry) : folder_(std::move(folder)), entry_(std::move(entry)) {}
  std::filesystem::path folder_;
  UniqueFd entry_;
};

}  // namespace cordon::isolation
