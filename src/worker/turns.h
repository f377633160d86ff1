// Calls that wait for one of a few places, by whom they are for: everybody takes turns, whatever each has waiting. One
// for whom the place is ready as it is goes first for a while. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string>

namespace cordon::worker {

// `T` has a member `tenant`, a std::string; entries are the caller's, and leave before they end.
template <typename T>
class Turns {
 public:
  static constexpr std::uint32_t kInARow = 8;  // of one, while others wait

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void Push(T& entry) {
    ++size_;
    for (Row& row : rows_) {
      if (row.tenant == entry.tenant) return row.entries.push_back(&entry);
    }
    rows_.push_back({entry.tenant, {&entry}});
  }

  // False: it is not here any more.
  bool Remove(T& entry) {
    for (auto row = rows_.begin(); row != rows_.end(); ++row) {
      if (std::erase(row->entries, &entry) == 0) continue;
      --size_;
      if (row->entries.empty()) rows_.erase(row);
      return true;
    }
    return false;
  }

  // The next one of those that may; null when there is none. `warm`: whom the place fits; may be null.
  template <typename May>
  T* Next(const std::string* warm, May&& may) {
    auto next = rows_.end();
    for (auto row = rows_.begin(); row != rows_.end(); ++row) {
      if (!may(row->tenant)) continue;
      const bool fits = warm != nullptr && row->tenant == *warm;
      if (fits && in_a_row_ < kInARow) {
        next = row;
        break;
      }
      if (next == rows_.end()) next = row;
    }
    if (next == rows_.end()) return nullptr;
    const bool again = next->tenant == last_;
    in_a_row_ = again ? in_a_row_ + 1 : 1;
    if (!again) last_ = next->tenant;
    T* const entry = next->entries.front();
    next->entries.pop_front();
    --size_;
    if (next->entries.empty()) {
      rows_.erase(next);
    } else {
      rows_.splice(rows_.end(), rows_, next);
    }
    return entry;
  }

  // There is one too many, and `last` came last: takes out the last of who has the most, or gives null when nobody has
  // more than whoever came.
  T* MakeWay(const T& last) {
    auto most = rows_.end();
    std::size_t own = 0;
    for (auto row = rows_.begin(); row != rows_.end(); ++row) {
      if (row->tenant == last.tenant) own = row->entries.size();
      if (most == rows_.end() || row->entries.size() > most->entries.size()) most = row;
    }
    if (most == rows_.end() || most->entries.size() <= own) return nullptr;
    T* const entry = most->entries.back();
    Remove(*entry);
    return entry;
  }

 private:
  struct Row {
    std::string tenant;
    std::deque<T*> entries;
  };
  std::list<Row> rows_;  // in the order of their turns
  std::size_t size_ = 0;
  std::string last_;
  std::uint32_t in_a_row_ = 0;
};

}  // namespace cordon::worker
