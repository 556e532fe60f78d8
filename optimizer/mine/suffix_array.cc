// SPDX-License-Identifier: MIT
#include "optimizer/mine/suffix_array.h"

#include <algorithm>

namespace sysvm {
namespace {

class Sorter {
 public:
  Sorter(const std::vector<int32_t>& text, int32_t upper)
      : text_(text),
        n_(static_cast<int32_t>(text.size())),
        sa_(text.size()),
        smaller_(text.size()),
        upper_(upper) {}

  std::vector<int32_t> run() {
    if (n_ == 0) return {};
    if (n_ == 1) return {0};
    classify();
    std::vector<int32_t> place(static_cast<size_t>(n_) + 1, -1), lms;
    for (int32_t i = 1; i < n_; ++i)
      if (!smaller_[at(i - 1)] && smaller_[at(i)]) {
        place[at(i)] = static_cast<int32_t>(lms.size());
        lms.push_back(i);
      }
    induce(lms);
    if (!lms.empty()) {
      order(lms, place);
      induce(lms);
    }
    return std::move(sa_);
  }

 private:
  static size_t at(int32_t i) { return static_cast<size_t>(i); }
  int32_t letter(int32_t i) const { return text_[at(i)]; }

  void classify() {
    for (int32_t i = n_ - 2; i >= 0; --i)
      smaller_[at(i)] = letter(i) == letter(i + 1) ? smaller_[at(i + 1)] : letter(i) < letter(i + 1);
    larger_start_.assign(at(upper_) + 2, 0);
    smaller_start_.assign(at(upper_) + 2, 0);
    for (int32_t i = 0; i < n_; ++i) {
      if (smaller_[at(i)])
        ++larger_start_[at(letter(i)) + 1];
      else
        ++smaller_start_[at(letter(i))];
    }
    for (int32_t c = 0; c <= upper_; ++c) {
      smaller_start_[at(c)] += larger_start_[at(c)];
      larger_start_[at(c) + 1] += smaller_start_[at(c)];
    }
  }

  // From the order of the leftmost smaller suffixes to that of all.
  void induce(const std::vector<int32_t>& lms) {
    std::fill(sa_.begin(), sa_.end(), -1);
    std::vector<int32_t> next = smaller_start_;
    for (int32_t d : lms) sa_[at(next[at(letter(d))]++)] = d;
    next = larger_start_;
    sa_[at(next[at(letter(n_ - 1))]++)] = n_ - 1;
    for (int32_t i = 0; i < n_; ++i) {
      const int32_t v = sa_[at(i)];
      if (v >= 1 && !smaller_[at(v - 1)]) sa_[at(next[at(letter(v - 1))]++)] = v - 1;
    }
    next = larger_start_;
    for (int32_t i = n_ - 1; i >= 0; --i) {
      const int32_t v = sa_[at(i)];
      if (v >= 1 && smaller_[at(v - 1)]) sa_[at(--next[at(letter(v - 1)) + 1])] = v - 1;
    }
  }

  void order(std::vector<int32_t>& lms, const std::vector<int32_t>& place) {
    const auto m = static_cast<int32_t>(lms.size());
    std::vector<int32_t> sorted;
    sorted.reserve(lms.size());
    for (int32_t v : sa_)
      if (place[at(v)] != -1) sorted.push_back(v);
    std::vector<int32_t> names(lms.size());
    int32_t highest = 0;
    for (int32_t i = 1; i < m; ++i) {
      const int32_t l = sorted[at(i - 1)], r = sorted[at(i)];
      highest += !same(l, end_of(lms, place[at(l)]), r, end_of(lms, place[at(r)]));
      names[at(place[at(r)])] = highest;
    }
    const std::vector<int32_t> order = Sorter(names, highest).run();
    for (int32_t i = 0; i < m; ++i) sorted[at(i)] = lms[at(order[at(i)])];
    lms = std::move(sorted);
  }

  int32_t end_of(const std::vector<int32_t>& lms, int32_t which) const {
    return at(which) + 1 < lms.size() ? lms[at(which) + 1] : n_;
  }

  bool same(int32_t l, int32_t end_l, int32_t r, int32_t end_r) const {
    if (end_l - l != end_r - r) return false;
    for (; l < end_l; ++l, ++r)
      if (letter(l) != letter(r)) return false;
    return r < n_ && l < n_ && letter(l) == letter(r);
  }

  const std::vector<int32_t>& text_;
  int32_t n_;
  std::vector<int32_t> sa_;
  std::vector<bool> smaller_;  // than the suffix after it
  int32_t upper_;
  std::vector<int32_t> larger_start_, smaller_start_;  // of each letter's two parts of the array
};

}  // namespace

std::vector<int32_t> suffix_array(const std::vector<int32_t>& text, int32_t upper) {
  return Sorter(text, upper).run();
}

std::vector<int32_t> common_prefixes(const std::vector<int32_t>& text, const std::vector<int32_t>& sa) {
  const size_t n = text.size();
  if (n < 2) return {};
  std::vector<int32_t> rank(n), out(n - 1);
  for (size_t i = 0; i < n; ++i) rank[static_cast<size_t>(sa[i])] = static_cast<int32_t>(i);
  size_t h = 0;
  for (size_t i = 0; i < n; ++i) {
    if (h > 0) --h;
    if (rank[i] == 0) continue;
    const auto j = static_cast<size_t>(sa[static_cast<size_t>(rank[i]) - 1]);
    while (i + h < n && j + h < n && text[i + h] == text[j + h]) ++h;
    out[static_cast<size_t>(rank[i]) - 1] = static_cast<int32_t>(h);
  }
  return out;
}

}  // namespace sysvm
