// SPDX-License-Identifier: MIT
#include "common/did_you_mean.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

const std::vector<std::string> kKnown = {"openat", "open", "close", "read", "record", "report"};

TEST(DidYouMean, TheNearestKnownWord) {
  EXPECT_EQ(did_you_mean("opneat", kKnown), "; did you mean 'openat'?");
  EXPECT_EQ(did_you_mean("clsoe", kKnown), "; did you mean 'close'?");
  EXPECT_EQ(did_you_mean("rec", kKnown), "; did you mean 'record'?");
  EXPECT_EQ(did_you_mean("recrod", kKnown), "; did you mean 'record'?");
}

TEST(DidYouMean, NothingWhereNothingIsNear) {
  EXPECT_EQ(did_you_mean("telepathy", kKnown), "");
  EXPECT_EQ(did_you_mean("", kKnown), "");
  EXPECT_EQ(did_you_mean(std::string(10'000, 'x'), kKnown), "");
}

}  // namespace
}  // namespace sysvm
