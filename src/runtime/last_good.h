// The last good answer to each question, for when there is no other. Thread-safe; bounded.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/digest.h"
#include "base/units.h"

namespace cordon::runtime {

class LastGood {
 public:
  // Answers that are kept, and their bytes; the ones that were not used for longest go.
  explicit LastGood(std::size_t answers_max = 256, std::size_t bytes_max = 1 << 20)
      : answers_max_(answers_max), bytes_max_(bytes_max) {}

  struct Found {
    std::string answer;
    Duration age{0};
  };
  // `question`: all that the answer depends on, who asks included.
  void Keep(const Digest& question, const std::string& answer, MonotonicTime now);
  std::optional<Found> Find(const Digest& question, MonotonicTime now);

 private:
  struct Entry {
    Digest question;
    std::string answer;
    MonotonicTime when;
  };
  void Forget(std::list<Entry>::iterator entry);

  const std::size_t answers_max_, bytes_max_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the one that was used last at the front
  std::map<Digest, std::list<Entry>::iterator> places_;
  std::size_t bytes_ = 0;
};

}  // namespace cordon::runtime
