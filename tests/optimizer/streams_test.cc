// SPDX-License-Identifier: MIT
// Where a recording has a hole, a sequence ends.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "optimizer/base/streams.h"

namespace sysvm {
namespace {

Trace trace_of(std::initializer_list<uint32_t> numbers) {
  Trace t;
  for (const uint32_t seq : numbers) {
    Event e;
    e.tid = e.pid = 1;
    e.nr = SYS_fstat;
    e.seq = seq;
    e.ts_ns = 100 * seq;
    t.events.push_back(e);
  }
  return t;
}

std::vector<size_t> lengths(const Trace& t) {
  std::vector<size_t> out;
  for (const Stream& s : split_into_streams({&t}, nullptr)) out.push_back(s.calls.size());
  return out;
}

TEST(Streams, AreWholeWhereTheNumbersAre) {
  EXPECT_EQ(lengths(trace_of({0, 1, 2, 3})), (std::vector<size_t>{4}));
}

TEST(Streams, NeverBridgeAGap) {
  EXPECT_EQ(lengths(trace_of({0, 1, 3, 4, 5})), (std::vector<size_t>{2, 3}));
}

TEST(Streams, HaveNoSequenceWhereCallsWereNotAskedFor) {
  Trace t = trace_of({0, 1, 2});
  t.header.filter = "trace=%file";
  EXPECT_EQ(lengths(t), (std::vector<size_t>{1, 1, 1}));
}

}  // namespace
}  // namespace sysvm
