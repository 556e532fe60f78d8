// SPDX-License-Identifier: MIT
#include "optimizer/base/event_set.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

TEST(EventSet, HoldsWhatWasPutInAndNothingElse) {
  const std::vector<Event> events(20000), others(10);
  EventSet set;
  for (size_t i = 0; i < events.size(); i += 3) EXPECT_TRUE(set.insert(&events[i]));
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(set.contains(&events[i]), i % 3 == 0) << i;
  for (const Event& e : others) EXPECT_FALSE(set.contains(&e));
  EXPECT_EQ(set.size(), (events.size() + 2) / 3);
}

TEST(EventSet, CountsAMemberOnce) {
  const std::vector<Event> events(2);
  const std::vector<const Event*> twice{&events[0], &events[1], &events[0]};
  EventSet set;
  set.insert(twice.begin(), twice.end());
  EXPECT_EQ(set.size(), 2u);
  EXPECT_FALSE(set.insert(&events[1]));
}

}  // namespace
}  // namespace sysvm
