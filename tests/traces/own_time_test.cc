// SPDX-License-Identifier: MIT
#include "traces/own_time.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

TEST(OwnTime, StandsStillWhileTheThreadIsHeld) {
  TraceInfo info;
  info.throttles = {{7, 100, 150}, {8, 110, 400}, {7, 200, 230}};
  const OwnTime own(info);
  EXPECT_EQ(own.at(7, 100), 100u);
  EXPECT_EQ(own.at(7, 120), 100u) << "in the middle of it";
  EXPECT_EQ(own.at(7, 150), 100u);
  EXPECT_EQ(own.at(7, 180), 130u);
  EXPECT_EQ(own.at(7, 1000), 920u);
  EXPECT_EQ(own.at(8, 1000), 710u);
  EXPECT_EQ(own.at(9, 1000), 1000u) << "never held";
}

TEST(OwnTime, CountsAMomentOnceWhateverTheFileSays) {
  TraceInfo info;
  info.throttles = {{7, 200, 300}, {7, 250, 350}, {7, 100, 90}, {7, 220, 230}};
  EXPECT_EQ(OwnTime(info).at(7, 1000), 850u);
}

TEST(OwnTime, WallTimeLacksWhatWasHeldAndWhatTracingAdded) {
  TraceInfo info;
  info.throttles = {{7, 200, 300}, {8, 250, 350}};
  info.header.call_cost_ns = 10;
  EXPECT_EQ(own_wall_ns(info, 5, 1000, 2000), 800u);
  info.stats = TraceStats{};
  info.stats->wall_ns = 5000;
  EXPECT_EQ(own_wall_ns(info, 5, 1000, 2000), 4800u);
  info.stats->wall_ns = 100;
  EXPECT_EQ(own_wall_ns(info, 5, 1000, 2000), 100u) << "nonsense is not made worse";
}

}  // namespace
}  // namespace sysvm
