// SPDX-License-Identifier: MIT
#include "common/result.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

Result<int> half(int n) {
  if (n % 2) return error("{} is odd, expected an even number", n);
  return n / 2;
}

Result<int> quarter(int n) {
  int h = TRY(half(n));
  return half(h);
}

TEST(Result, TryReturnsTheFirstErrorUpward) {
  EXPECT_EQ(quarter(7).message(), "7 is odd, expected an even number");
  EXPECT_EQ(quarter(6).message(), "3 is odd, expected an even number");
}

TEST(Result, TryHandsOnTheValue) { EXPECT_EQ(*quarter(8), 2); }

}  // namespace
}  // namespace sysvm
