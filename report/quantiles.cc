// SPDX-License-Identifier: MIT
#include "report/quantiles.h"

#include <algorithm>
#include <cmath>

namespace sysvm::page {

std::vector<uint64_t> Quantiles::at(const std::vector<double>& shares) {
  std::sort(long_.begin(), long_.end());
  std::vector<uint64_t> out;
  uint64_t below = 0;  // calls that took less than `ns`
  size_t ns = 0;
  for (const double share : shares) {
    if (!count_) {
      out.push_back(0);
      continue;
    }
    const auto rank =
        std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_) - 1e-9)));
    while (ns < short_.size() && below + short_[ns] < rank) below += short_[ns++];
    if (ns < short_.size())
      out.push_back(ns);
    else
      out.push_back(long_[std::min<uint64_t>(rank - below, long_.size()) - 1]);
  }
  return out;
}

std::array<uint64_t, 65> Quantiles::powers() const {
  std::array<uint64_t, 65> out{};
  for (size_t ns = 0; ns < short_.size(); ++ns) out[static_cast<size_t>(std::bit_width(ns))] += short_[ns];
  for (const uint64_t ns : long_) ++out[static_cast<size_t>(std::bit_width(ns))];
  return out;
}

}  // namespace sysvm::page
