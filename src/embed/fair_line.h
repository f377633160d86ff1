// Where calls wait for their turn: plugins take turns, whatever each of them has waiting, and a higher priority has
// more of the turns than a lower one, never all of them. Not thread-safe.
#pragma once

#include <algorithm>
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
    return Pop([](const T&) { return true; });
  }

  // The next one of those that may begin: `may` is asked of the first of each. Null when there is none.
  template <typename May>
  Entry Pop(May&& may) {
    std::array<typename std::list<Row>::iterator, 3> first;
    std::optional<std::size_t> next;
    std::int32_t all = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      first[i] = std::ranges::find_if(rows_[i], [&](const Row& row) { return may(*row.entries.front()); });
      if (first[i] == rows_[i].end()) continue;
      credit_[i] += kTurns[i];
      all += kTurns[i];
      if (!next || credit_[i] > credit_[*next]) next = i;
    }
    if (!next) return nullptr;
    credit_[*next] -= all;
    std::list<Row>& rows = rows_[*next];
    const auto row = first[*next];
    Entry entry = std::move(row->entries.front());
    row->entries.pop_front();
    --size_;
    if (row->entries.empty()) {
      rows.erase(row);
      if (rows.empty()) credit_[*next] = 0;
    } else {
      rows.splice(rows.end(), rows, row);
    }
    return entry;
  }

  // One that Pop gave and that cannot begin yet: it is the first of `who` again, and `who` has its turn at the end.
  void PutBack(Who who, Priority priority, Entry& entry) {
    std::list<Row>& rows = rows_[static_cast<std::size_t>(priority)];
    auto row = std::ranges::find(rows, who, &Row::who);
    if (row == rows.end()) row = rows.insert(rows.end(), Row{who, {}});
    try {
      row->entries.push_front(nullptr);
    } catch (...) {
      if (row->entries.empty()) rows.erase(row);
      throw;
    }
    row->entries.front() = std::move(entry);
    ++size_;
  }

  template <typename Is>
  bool Any(Is&& is) const {
    return std::ranges::any_of(rows_, [&](const std::list<Row>& rows) {
      return std::ranges::any_of(rows, [&](const Row& row) { return is(std::as_const(*row.entries.front())); });
    });
  }

  // Each that waits.
  template <typename Look>
  void ForEach(Look&& look) const {
    for (const std::list<Row>& rows : rows_) {
      for (const Row& row : rows) {
        for (const Entry& entry : row.entries) look(std::as_const(*entry));
      }
    }
  }

  // Takes out one that `is`; null when there is none.
  template <typename Is>
  Entry TakeOut(Is&& is) {
    for (std::list<Row>& rows : rows_) {
      for (auto row = rows.begin(); row != rows.end(); ++row) {
        const auto found =
            std::ranges::find_if(row->entries, [&](const Entry& entry) { return is(std::as_const(*entry)); });
        if (found == row->entries.end()) continue;
        Entry entry = std::move(*found);
        row->entries.erase(found);
        --size_;
        if (row->entries.empty()) rows.erase(row);
        return entry;
      }
    }
    return nullptr;
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
