// Tells a process from the children that it forks, at the price of one load. Thread-safe.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <new>

namespace cordon {

class ForkMark {
 public:
  ForkMark() {
    void* page = ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
    // Linux 4.14; before it a child does not know.
    (void)::madvise(page, kPageBytes, MADV_WIPEONFORK);
    here_ = new (page) std::atomic<bool>(true);
  }
  ForkMark(const ForkMark&) = delete;
  ForkMark& operator=(const ForkMark&) = delete;
  ~ForkMark() {
    if (here_ != nullptr) ::munmap(here_, kPageBytes);
  }

  // Whether this is a child of the process that made the mark.
  bool was_forked() const { return here_ != nullptr && !here_->load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kPageBytes = 4096;
  std::atomic<bool>* here_ = nullptr;
};

}  // namespace cordon
