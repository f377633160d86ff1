// Needs nothing of the rooms: a build without an engine has it too.
#include <deque>
#include <mutex>

#include "cordon/audit.h"

namespace cordon {
namespace {

class RingMemory final : public AuditMemory {
 public:
  explicit RingMemory(std::size_t records_max) : records_max_(records_max) {}

  Status Write(const AuditRecord& record) override {
    const std::lock_guard lock(mutex_);
    if (records_max_ == 0) return {};
    if (records_.size() == records_max_) records_.pop_front();
    records_.push_back(record);
    return {};
  }
  std::vector<AuditRecord> records() const override {
    const std::lock_guard lock(mutex_);
    return {records_.begin(), records_.end()};
  }

 private:
  const std::size_t records_max_;
  mutable std::mutex mutex_;
  std::deque<AuditRecord> records_;
};

}  // namespace

std::shared_ptr<AuditMemory> AuditMemory::Make(std::size_t records_max) {
  return std::make_shared<RingMemory>(records_max);
}

}  // namespace cordon
