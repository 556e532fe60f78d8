// SPDX-License-Identifier: MIT
#include "optimizer/mine/suffix_array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace sysvm {
namespace {

TEST(SuffixArray, IsWhatSortingGives) {
  std::mt19937 dice(7);
  for (int round = 0; round < 400; ++round) {
    const auto upper = static_cast<int32_t>(dice() % 5);
    std::vector<int32_t> text(dice() % 60);
    for (int32_t& letter : text) letter = static_cast<int32_t>(dice() % (static_cast<uint32_t>(upper) + 1));
    std::vector<int32_t> expected(text.size());
    std::iota(expected.begin(), expected.end(), 0);
    std::sort(expected.begin(), expected.end(), [&](int32_t a, int32_t b) {
      return std::lexicographical_compare(text.begin() + a, text.end(), text.begin() + b, text.end());
    });
    const std::vector<int32_t> sa = suffix_array(text, upper);
    ASSERT_EQ(sa, expected);
    const std::vector<int32_t> common = common_prefixes(text, sa);
    for (size_t i = 0; i + 1 < sa.size(); ++i) {
      int32_t n = 0;
      while (static_cast<size_t>(std::max(sa[i], sa[i + 1]) + n) < text.size() &&
             text[static_cast<size_t>(sa[i] + n)] == text[static_cast<size_t>(sa[i + 1] + n)])
        ++n;
      ASSERT_EQ(common[i], n);
    }
  }
}

}  // namespace
}  // namespace sysvm
