// SPDX-License-Identifier: MIT
// Suffix array and longest common prefixes of a text of numbers, both in linear time.
//
// Suffix array by induced sorting: Nong, Zhang, Chan, "Linear Suffix Array Construction by Almost Pure
// Induced-Sorting", DCC 2009. Prefixes: Kasai et al., CPM 2001. Tested by
// tests/optimizer/suffix_array_test.cc against sorting.
#pragma once

#include <cstdint>
#include <vector>

namespace sysvm {

// Letters are 0 .. upper. Fewer than 2^31 of them.
std::vector<int32_t> suffix_array(const std::vector<int32_t>& text, int32_t upper);

// [i]: common prefix of the suffixes at sa[i] and sa[i + 1]; one fewer than suffixes.
std::vector<int32_t> common_prefixes(const std::vector<int32_t>& text, const std::vector<int32_t>& sa);

}  // namespace sysvm
