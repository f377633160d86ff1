#include "runtime/last_good.h"

namespace cordon::runtime {

void LastGood::Forget(std::list<Entry>::iterator entry) {
  bytes_ -= entry->answer.size();
  places_.erase(entry->question);
  entries_.erase(entry);
}

void LastGood::Keep(const Digest& question, const std::string& answer, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  if (const auto known = places_.find(question); known != places_.end()) Forget(known->second);
  if (answer.size() > bytes_max_) return;
  entries_.push_front({question, answer, now});
  places_[question] = entries_.begin();
  bytes_ += answer.size();
  while (entries_.size() > answers_max_ || bytes_ > bytes_max_) Forget(std::prev(entries_.end()));
}

std::optional<LastGood::Found> LastGood::Find(const Digest& question, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  const auto known = places_.find(question);
  if (known == places_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, known->second);
  return Found{known->second->answer, now - known->second->when};
}

}  // namespace cordon::runtime
