// SPDX-License-Identifier: MIT
// The known word that a mistyped one was meant to be. Distance: insertions, deletions, replacements and swaps
// of neighbours (optimal string alignment), at most a third of the word's length; a beginning of a word
// counts, too.
// Tested by tests/common/did_you_mean_test.cc.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace sysvm {

inline size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

// "; did you mean 'openat'?", or "" if nothing is near.
template <typename Words>
std::string did_you_mean(std::string_view word, const Words& known) {
  if (word.empty() || word.size() > 64) return {};
  const size_t most = std::max<size_t>(1, word.size() / 3);
  std::string_view best;
  size_t least = most + 1;
  for (const auto& one : known) {
    const std::string_view candidate(one);
    if (candidate.empty() || candidate.size() > 64) continue;
    size_t distance = edit_distance(word, candidate);
    if (word.size() >= 3 && candidate.starts_with(word)) distance = std::min<size_t>(distance, 1);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best.empty() ? std::string() : "; did you mean '" + std::string(best) + "'?";
}

}  // namespace sysvm
