// SPDX-License-Identifier: MIT
// Holes are found, by thread and interval; a trace without any is proven whole.
#include "traces/completeness.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

// An event of 10 ns.
void event(Columns& c, int32_t tid, uint32_t seq, uint64_t ts) {
  Event e;
  e.tid = tid;
  e.pid = 1;
  e.seq = seq;
  e.ts_ns = ts;
  e.dur_ns = 10;
  c.push_back(e);
}

struct Case {
  Columns columns;
  TraceInfo info;
  Completeness result;
  Case() { info.stats = TraceStats{}; }
  const std::vector<Gap>& gaps() {
    result.add(columns);
    result.finish(info);
    return result.gaps();
  }
};

TEST(Completeness, IsProvenByNumbersAndEnds) {
  Case c;
  event(c.columns, 1, 0, 100);
  event(c.columns, 2, 0, 110);
  event(c.columns, 1, 1, 200);
  c.info.thread_ends = {{1, 1, 300, 2, false}, {2, 1, 400, 1, true}};
  EXPECT_TRUE(c.gaps().empty());
  EXPECT_TRUE(c.result.proven(c.info));
  EXPECT_EQ(c.result.threads(), 2u);
}

TEST(Completeness, FindsAHoleAndWhenItWas) {
  Case c;
  event(c.columns, 1, 0, 100);
  event(c.columns, 1, 4, 500);
  c.info.thread_ends = {{1, 1, 600, 5, false}};
  ASSERT_EQ(c.gaps().size(), 1u);
  const Gap& g = c.result.gaps()[0];
  EXPECT_EQ(g.tid, 1);
  EXPECT_EQ(g.count, 3u);
  EXPECT_EQ(g.from_ns, 110u);
  EXPECT_EQ(g.to_ns, 500u);
  EXPECT_EQ(c.result.missing(), 3u);
  EXPECT_FALSE(c.result.proven(c.info));
}

TEST(Completeness, FindsWhatIsMissingAtTheEnd) {
  Case c;
  event(c.columns, 1, 0, 100);
  c.info.thread_ends = {{1, 1, 600, 9, false}, {7, 1, 700, 2, false}};
  ASSERT_EQ(c.gaps().size(), 2u);
  EXPECT_EQ(c.result.gaps()[0].count, 8u);
  EXPECT_EQ(c.result.gaps()[0].to_ns, 600u);
  EXPECT_EQ(c.result.gaps()[1].tid, 7) << "a thread without any event";
  EXPECT_EQ(c.result.gaps()[1].count, 2u);
}

TEST(Completeness, KnowsAnIdThatIsUsedAgain) {
  Case c;
  event(c.columns, 5, 0, 100);
  event(c.columns, 5, 1, 120);
  event(c.columns, 5, 0, 500);
  c.info.thread_ends = {{5, 1, 200, 2, false}, {5, 1, 600, 2, false}};
  ASSERT_EQ(c.gaps().size(), 1u) << "only the second thread lacks one";
  EXPECT_EQ(c.result.gaps()[0].from_ns, 510u);
  EXPECT_EQ(c.result.threads(), 2u);
}

TEST(Completeness, IsNotProvenWithoutTheEnds) {
  Case c;
  event(c.columns, 1, 0, 100);
  EXPECT_TRUE(c.gaps().empty());
  EXPECT_EQ(c.result.open_ends(), 1u);
  EXPECT_FALSE(c.result.proven(c.info));
}

TEST(Completeness, ForgivesAFlightRecorderItsBeginning) {
  Case c;
  c.info.header.window_ns = 1;
  event(c.columns, 1, 70, 100);
  c.info.thread_ends = {{1, 1, 300, 71, false}, {2, 1, 50, 9, false}};
  EXPECT_TRUE(c.gaps().empty());
  EXPECT_TRUE(c.result.proven(c.info));
}

}  // namespace
}  // namespace sysvm
