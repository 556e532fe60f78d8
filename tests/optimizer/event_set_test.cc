// SPDX-License-Identifier: MIT
#include "optimizer/base/event_set.h"

#include <gtest/gtest.h>

#include "optimizer/base/arena.h"

namespace sysvm {
namespace {

PackedTrace of(size_t events) {
  Trace trace;
  trace.events.resize(events);
  return packed(trace);
}

TEST(EventSet, HoldsWhatWasPutInAndNothingElse) {
  const PackedTrace trace = of(20000), other = of(10);
  std::vector<const PackedEvent*> events;
  for (const PackedEvent& e : trace.events) events.push_back(&e);
  EventSet set;
  for (size_t i = 0; i < events.size(); i += 3) EXPECT_TRUE(set.insert(events[i]));
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(set.contains(events[i]), i % 3 == 0) << i;
  for (const PackedEvent& e : other.events) EXPECT_FALSE(set.contains(&e));
  EXPECT_EQ(set.size(), (events.size() + 2) / 3);
}

TEST(EventSet, CountsAMemberOnce) {
  const PackedTrace trace = of(1);
  const PackedEvent* const e = &*trace.events.begin();
  const std::vector<const PackedEvent*> twice{e, e};
  EventSet set;
  set.insert(twice.begin(), twice.end());
  EXPECT_EQ(set.size(), 1u);
  EXPECT_FALSE(set.insert(e));
}

TEST(Arena, KeepsEachRowWhereItIs) {
  Arena<int> arena;
  std::vector<std::span<const int>> kept;
  for (int i = 0; i < 3000; ++i) kept.push_back(arena.keep(std::vector<int>(static_cast<size_t>(i % 90), i)));
  kept.push_back(arena.keep(std::vector<int>(100000, 3000)));  // longer than a block
  for (int i = 0; i < 3000; ++i) {
    EXPECT_EQ(kept[static_cast<size_t>(i)].size(), static_cast<size_t>(i % 90));
    for (const int v : kept[static_cast<size_t>(i)]) ASSERT_EQ(v, i);
  }
  EXPECT_EQ(kept.back().size(), 100000u);
  EXPECT_EQ(kept.back().back(), 3000);
}

}  // namespace
}  // namespace sysvm
