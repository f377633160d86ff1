// Where calls wait for their turn: plugins take turns, whatever each of them has waiting, and a higher priority has
// more of the turns than a lower one, never all of them. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "cordon/call.h"

namespace cordon::embed {

// `Who` tells plugins apart and is only compared.
template <typename Who, typename T>
class FairLine {
 public:
  using Entry = std::unique_ptr<T>;

  // Turns of each priority, of so many in all, while every one has something waiting.
  static constexpr std::array<std::int32_t, 3> kTurns = {1, 4, 16};  // low, normal, high

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void Push(Who who, Priority priority, Entry entry) {
    std::list<Row>& rows = rows_[static_cast<std::size_t>(priority)];
    for (Row& row : rows) {
      if (row.who == who) {
        row.entries.push_back(std::move(entry));
        ++size_;
        return;
      }
    }
    rows.push_back(Row{who, {}});
    rows.back().entries.push_back(std::move(entry));
    ++size_;
  }

  // Null when nothing waits.
  Entry Pop() {
    std::optional<std::size_t> next;
    std::int32_t all = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].empty()) continue;
      credit_[i] += kTurns[i];
      all += kTurns[i];
      if (!next || credit_[i] > credit_[*next]) next = i;
    }
    if (!next) return nullptr;
    credit_[*next] -= all;
    std::list<Row>& rows = rows_[*next];
    Entry entry = std::move(rows.front().entries.front());
    rows.front().entries.pop_front();
    --size_;
    if (rows.front().entries.empty()) {
      rows.pop_front();
      if (rows.empty()) credit_[*next] = 0;
    } else {
      rows.splice(rows.end(), rows, rows.begin());
    }
    return entry;
  }

  // The line is full, and `who` has less than its share of it: what came last of who has the most, of the lowest
  // priority that it has, makes way. Null when nobody has more than `who` would.
  Entry MakeWay(const Who& who) {
    Row* most = nullptr;
    std::list<Row>* of = nullptr;
    std::size_t count = 0;
    for (std::list<Row>& rows : rows_) {
      for (Row& row : rows) {
        const std::size_t has = Count(row.who);
        if (has > count) std::tie(most, of, count) = std::tuple(&row, &rows, has);
      }
    }
    if (most == nullptr || most->who == who || count <= Count(who) + 1) return nullptr;
    Entry entry = std::move(most->entries.back());
    most->entries.pop_back();
    --size_;
    if (most->entries.empty()) of->remove_if([](const Row& row) { return row.entries.empty(); });
    return entry;
  }

 private:
  struct Row {
    Who who;
    std::deque<Entry> entries;
  };
  std::size_t Count(const Who& who) const {
    std::size_t count = 0;
    for (const std::list<Row>& rows : rows_) {
      for (const Row& row : rows) count += row.who == who ? row.entries.size() : 0;
    }
    return count;
  }

  std::array<std::list<Row>, 3> rows_;  // by priority
  std::array<std::int32_t, 3> credit_{};
  std::size_t size_ = 0;
};

}  // namespace cordon::embed
