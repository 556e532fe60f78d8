// SPDX-License-Identifier: MIT
// Exact percentiles of durations. Below 2^16 ns each nanosecond has a counter of its own, so memory does not
// grow with the
// calls; what took longer is kept as it is: such calls are few, since each took that long.
// Tested by tests/report/facts_test.cc.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace sysvm::page {

class Quantiles {
 public:
  void add(uint64_t ns) {
    ++count_;
    if (ns >= kCounted) {
      long_.push_back(ns);
      return;
    }
    if (short_.size() <= ns) short_.resize(std::bit_ceil(ns + 1));
    ++short_[ns];
  }
  uint64_t count() const { return count_; }
  // For each share the shortest time that at least that share of the calls did not exceed (nearest rank); 0
  // if there is none.
  // Shares in ascending order.
  std::vector<uint64_t> at(const std::vector<double>& shares);
  // Calls by powers of two: [k] of 2^(k-1) ns to less than 2^k; [0]: of 0 ns.
  std::array<uint64_t, 65> powers() const;

 private:
  static constexpr uint64_t kCounted = 1 << 16;
  uint64_t count_ = 0;
  std::vector<uint32_t> short_;
  std::vector<uint64_t> long_;
};

}  // namespace sysvm::page
