// SPDX-License-Identifier: MIT
// Many short rows of values that live as long as the arena: a row costs only what is in it. Tested by
// tests/optimizer/event_set_test.cc.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

namespace sysvm {

template <typename T>
class Arena {
 public:
  std::span<const T> keep(std::span<const T> row) {
    if (row.empty()) return {};
    if (blocks_.empty() || left_ < row.size()) {
      left_ = std::max(kBlock, row.size());
      blocks_.push_back(std::make_unique_for_overwrite<T[]>(left_));
      next_ = blocks_.back().get();
    }
    T* const at = std::copy(row.begin(), row.end(), next_);
    const std::span<const T> kept(next_, row.size());
    next_ = at;
    left_ -= row.size();
    return kept;
  }

 private:
  static constexpr size_t kBlock = 16 * 1024 / sizeof(T);
  std::vector<std::unique_ptr<T[]>> blocks_;
  T* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace sysvm
