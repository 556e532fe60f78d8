// SPDX-License-Identifier: MIT
// When the prefetcher may ask for anything, by what the scheduler counted of a command.
#include <gtest/gtest.h>

extern "C" {
#include "libsysvm/prefetch/pace.h"
}

namespace {

constexpr uint64_t kMs = 1000000;

// A command that waits `waits` times in each 100 ms, of them `longs` for 6 ms, and has `ran_ms` of processor
// time then. Seen every 4 ms.
struct Command {
  uint64_t waits, longs, ran_ms, waited_ms = 90;
};
constexpr Command kFastDisk{400, 0, 20}, kInOrder{190, 10, 10}, kSeeks{16, 15, 1}, kHiccup{300, 1, 20};

class Pace : public testing::Test {
 protected:
  int see(const Command& c, uint64_t ms, pace_storage own = PACE_UNKNOWN) {
    constexpr uint64_t kStep = 4;
    for (uint64_t at = 0; at < ms && state_ != stop_at_; at += kStep) {
      now_ += kStep * kMs;
      part_ += kStep;
      const auto up_to = [&](uint64_t in_100_ms) { return in_100_ms * part_ / 100; };
      sums_ = base_;
      sums_.ran_ns += up_to(c.ran_ms * kMs);
      sums_.waited_ns += up_to(c.waited_ms * kMs);
      sums_.waits += up_to(c.waits);
      sums_.longs += up_to(c.longs);
      sums_.long_ns += up_to(c.longs) * 6 * kMs;
      state_ = pace_see(&pace_, now_, &sums_, own);
    }
    base_ = sums_;
    part_ = 0;
    return state_;
  }
  int until(pace_state stop, const Command& c, uint64_t ms, pace_storage own = PACE_UNKNOWN) {
    stop_at_ = stop;
    see(c, ms, own);
    stop_at_ = -1;
    return state_;
  }

  struct pace pace_ = {};
  pace_sums base_ = {}, sums_ = {};
  uint64_t now_ = 1000 * kMs, part_ = 0;
  int state_ = PACE_LOOK, stop_at_ = -1;
};

TEST_F(Pace, OnAFastDiskItGoesAtOnceAndGoesOn) {
  EXPECT_EQ(see(kFastDisk, 8), PACE_GO);
  EXPECT_EQ(see(kFastDisk, 200), PACE_GO);
  EXPECT_EQ(see(kFastDisk, 1000, PACE_FAST), PACE_GO);
  EXPECT_FALSE(pace_suspects(&pace_));
}

// Where many requests are in flight, each takes longer, and so do the command's own.
TEST_F(Pace, StorageThatWasFastIsNotLeftAloneForWhatIsInFlight) {
  EXPECT_EQ(see(kFastDisk, 8), PACE_GO);
  EXPECT_EQ(see(kFastDisk, 8, PACE_FAST), PACE_GO);
  EXPECT_EQ(see(kInOrder, 1000, PACE_SLOW), PACE_GO);
}

TEST_F(Pace, OneLongWaitOfAFastDiskIsNoReason) { EXPECT_EQ(see(kHiccup, 1000), PACE_GO); }

// The first waits may be for another disk: the command's own file.
TEST_F(Pace, ACommandThatReadsInTheOrderOfADiskThatSeeksIsLeftAlone) {
  EXPECT_EQ(see(kFastDisk, 8), PACE_GO);
  EXPECT_EQ(see(kInOrder, 60), PACE_HOLD);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(see(kInOrder, 100), PACE_HOLD) << i;
}

TEST_F(Pace, OneThatSeeksForEachReadIsNotForAsLongAsItGainsByThat) {
  EXPECT_EQ(see(kSeeks, 100), PACE_HOLD);
  EXPECT_EQ(until(PACE_GO, kSeeks, 1000), PACE_GO);
  EXPECT_TRUE(pace_suspects(&pace_));
  const Command gains{16, 15, 3}, loses{16, 15, 0};
  EXPECT_EQ(see(gains, 2000, PACE_SLOW), PACE_GO);
  EXPECT_EQ(until(PACE_HOLD, loses, 8000, PACE_SLOW), PACE_HOLD);
  EXPECT_EQ(see(kSeeks, 1000, PACE_SLOW), PACE_HOLD);  // not soon again
  EXPECT_EQ(until(PACE_GO, kSeeks, 2000, PACE_SLOW), PACE_GO);
}

TEST_F(Pace, StorageThatLooksFastToTheCommandAndIsSlowForRequestsIsTriedEverMoreRarely) {
  EXPECT_EQ(see(kFastDisk, 8), PACE_GO);
  uint64_t before = now_, took[3];
  for (uint64_t& t : took) {
    EXPECT_EQ(see(kFastDisk, 4, PACE_SLOW), PACE_HOLD);
    before = now_;
    EXPECT_EQ(until(PACE_GO, kFastDisk, 4000, PACE_SLOW), PACE_GO);
    t = now_ - before;
  }
  EXPECT_GE(took[0], 200 * kMs);
  EXPECT_GE(took[1], 2 * took[0] - 8 * kMs);
  EXPECT_GE(took[2], 2 * took[1] - 8 * kMs);
}

TEST_F(Pace, WaitsThatAllTakeTheSameAreNoSeeks) {  // a network file system
  const Command remote{45, 0, 5};
  EXPECT_EQ(see(remote, 100), PACE_GO);
  EXPECT_EQ(see(remote, 4, PACE_SLOW), PACE_HOLD);
  EXPECT_EQ(until(PACE_GO, remote, 1000, PACE_SLOW), PACE_GO);
  EXPECT_EQ(see(remote, 2000, PACE_SLOW), PACE_GO);
}

TEST_F(Pace, AFuseServerHasNoHead) {
  base_.fuse = true;
  EXPECT_EQ(see(kSeeks, 100), PACE_GO);
  EXPECT_EQ(see(kInOrder, 1000, PACE_SLOW), PACE_GO);
}

}  // namespace
