// SPDX-License-Identifier: MIT
#include "optimizer/mine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

using testing::ElementsAre;

std::vector<std::string> texts(const MinedSequence& s) {
  std::vector<std::string> out;
  for (const MinedCall& c : s.calls) out.push_back(c.text());
  return out;
}

MineReport mined(const std::string& calls) {
  const Trace trace = recording(calls);
  return mine({&trace});
}

TEST(Mine, FindsTheLoopFromItsTriggerOn) {
  const MineReport r = mined(repeated(50, kGrepFile));
  ASSERT_EQ(r.sequences.size(), 1u);
  EXPECT_EQ(r.sequences[0].count, 50u);
  EXPECT_THAT(texts(r.sequences[0]),
              ElementsAre("openat(4, *, 0x20900, 0) = fd", "newfstatat(#0, \"\", buf, 0x1000) = 0",
                          "read(#0, buf, 98304) = 2292", "read(#0, buf, 94208) = 0", "close(#0) = 0"));
  EXPECT_EQ(r.sequences[0].known, 4u);
  EXPECT_EQ(r.covered, r.calls);
  EXPECT_EQ(r.known, 200u);
}

TEST(Mine, SaysWhatIsEqualToAnEarlierArgument) {
  const MineReport r = mined(repeated(50, kGrepDirectory));
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_THAT(texts(r.sequences[0]), testing::Contains("newfstatat(=0.0, =0.1, buf, 0x100) = 0"));
}

// The name of the second call is chosen by the program: it is not known when the sequence begins.
TEST(Mine, AVaryingNameIsNotKnown) {
  const MineReport r = mined(
      repeated(50, "newfstatat(4, \"a%d\", buf, 0) = 0\nlgetxattr(\"b%d\", \"user.x\", buf, 9) = -61\n"));
  ASSERT_FALSE(r.sequences.empty());
  const MinedSequence& s = r.sequences[0];
  EXPECT_THAT(texts(s),
              ElementsAre("newfstatat(4, *, buf, 0) = 0", "lgetxattr(*, \"user.x\", buf, 9) = -ENODATA"));
  EXPECT_FALSE(s.calls[1].known);
  EXPECT_EQ(r.known, 0u);
}

TEST(Mine, ALoopIsNotReportedTwiceOver) {
  const MineReport r = mined(repeated(64, "getppid() = 1\ngetpgrp() = 1\n"));
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls.size(), 2u);
}

TEST(Mine, DifferentFlagsAreDifferentCalls) {
  const MineReport r = mined(repeated(
      20, "newfstatat(4, \"a\", buf, 0) = 0\nnewfstatat(4, \"a\", buf, 0x100) = 0\ngetppid() = 1\n"));
  ASSERT_EQ(r.sequences.size(), 1u);
  EXPECT_EQ(r.sequences[0].calls.size(), 3u);
}

TEST(Mine, WhatDoesNotRepeatIsNotShown) {
  EXPECT_TRUE(mined("getppid() = 1\ngetpgrp() = 1\nbrk(0) = 0\n").sequences.empty());
}

}  // namespace
}  // namespace sysvm
