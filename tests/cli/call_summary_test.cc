// SPDX-License-Identifier: MIT
// Percentiles of calls' times: what a person would find by sorting them.
#include "cli/call_summary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace sysvm {
namespace {

CallSummary::Row summary_of(const std::vector<uint64_t>& times) {
  CallSummary calls;
  for (const uint64_t ns : times) {
    Event e;
    e.dur_ns = ns;
    calls.add(e);
  }
  return calls.rows().front().second;
}

TEST(CallSummary, OneCallsPercentilesAreItsOwnTime) {
  for (const uint64_t ns : {0ull, 1ull, 562ull, 1023ull, 1024ull, 123456789ull, 1ull << 40}) {
    EXPECT_EQ(summary_of({ns}).quantile_ns(0.5), ns);
    EXPECT_EQ(summary_of({ns}).quantile_ns(0.99), ns);
  }
}

TEST(CallSummary, EqualTimesHaveThatPercentile) {
  EXPECT_EQ(summary_of(std::vector<uint64_t>(100, 562)).quantile_ns(0.5), 562u);
}

TEST(CallSummary, PercentilesAreThoseOfTheSortedTimes) {
  std::mt19937_64 dice(7);
  std::vector<uint64_t> times;
  for (int i = 0; i < 20000; ++i)
    times.push_back(static_cast<uint64_t>(std::exp(std::normal_distribution<>(7, 1.5)(dice))));
  const CallSummary::Row row = summary_of(times);
  std::sort(times.begin(), times.end());
  for (const double share : {0.01, 0.25, 0.5, 0.9, 0.99, 0.999}) {
    const auto exact = static_cast<double>(times[static_cast<size_t>(share * 20000) - 1]);
    EXPECT_NEAR(static_cast<double>(row.quantile_ns(share)), exact, std::max(1.0, exact * 0.01)) << share;
  }
}

TEST(CallSummary, ATimeThatNoClockGivesIsNoHarm) {
  EXPECT_EQ(summary_of({UINT64_MAX}).quantile_ns(0.5), UINT64_MAX);
}

}  // namespace
}  // namespace sysvm
