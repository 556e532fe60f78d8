// SPDX-License-Identifier: MIT
#include "common/numbers.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

TEST(Numbers, AreGroupedByThousands) {
  EXPECT_EQ(thousands(0), "0");
  EXPECT_EQ(thousands(999), "999");
  EXPECT_EQ(thousands(1000), "1,000");
  EXPECT_EQ(thousands(1234567), "1,234,567");
}

TEST(Numbers, TakeAPlural) {
  EXPECT_EQ(plural(1, "call"), "1 call");
  EXPECT_EQ(plural(2000, "process", "es"), "2,000 processes");
}

TEST(Numbers, ComparedSayWhichIsMore) {
  EXPECT_EQ(times_fewer(6564, 1474), "4.45 times fewer");
  EXPECT_EQ(times_fewer(1791, 1820), "1.02 times MORE");
  EXPECT_EQ(times_fewer(7, 7), "1.00 times fewer");
  EXPECT_EQ(times_fewer(0, 0), "1.00 times fewer");
}

TEST(Numbers, OfTimesHaveThreeDigitsAndTheirUnit) {
  EXPECT_EQ(time_text(950), "950 ns");
  EXPECT_EQ(time_text(12'340), "12.3 us");
  EXPECT_EQ(time_text(-4'560'000), "-4.56 ms");
  EXPECT_EQ(time_text(1.2e9), "1.2 s");
  EXPECT_EQ(time_text(999'999), "1 ms");
}

}  // namespace
}  // namespace sysvm
