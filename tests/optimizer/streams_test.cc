// SPDX-License-Identifier: MIT
// Where a recording has a hole, a sequence ends.
#include "optimizer/base/streams.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "optimizer/base/names.h"

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
  const PackedTrace small = packed(t);
  for (const Stream& s : split_into_streams({&small}, nullptr)) out.push_back(s.calls.size());
  return out;
}

TEST(Streams, AreWholeWhereTheNumbersAre) {
  EXPECT_EQ(lengths(trace_of({0, 1, 2, 3})), (std::vector<size_t>{4}));
}

TEST(Streams, NeverBridgeAGap) { EXPECT_EQ(lengths(trace_of({0, 1, 3, 4, 5})), (std::vector<size_t>{2, 3})); }

TEST(Streams, HaveNoSequenceWhereCallsWereNotAskedFor) {
  Trace t = trace_of({0, 1, 2});
  t.header.filter = "trace=%file";
  EXPECT_EQ(lengths(t), (std::vector<size_t>{1, 1, 1}));
}

TEST(Streams, DoNotHoldWhatTheLoaderOpens) {
  Trace t = trace_of({0, 1, 2, 3, 4});
  t.mappings.push_back({1, 0, 0x1000, 0x2000, 0, "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "aa"});
  t.mappings.push_back({1, 0, 0x3000, 0x4000, 0, "/lib/x86_64-linux-gnu/libc.so.6", "bb"});
  t.events[1].nr = t.events[3].nr = SYS_openat;
  t.events[1].ip = 0x3002;
  t.events[3].ip = 0x3002;
  EXPECT_EQ(lengths(t), (std::vector<size_t>{5})) << "the C library's own";
  t.events[3].ip = 0x1002;
  EXPECT_EQ(lengths(t), (std::vector<size_t>{3, 1}));
}

TEST(BuildNames, AreThoseOfFilesWithoutTheirFolders) {
  PackedTrace t;
  t.processes.push_back({1, 0, 0, true, "/usr/bin/grep", "aa11", {}, {}, {}});
  t.mappings.push_back({1, 0, 0, 0, 0, "/lib/libc.so.6", "bb22"});
  t.mappings.push_back({1, 0, 0, 0, 0, "/usr/bin/egrep", "aa11"});
  t.mappings.push_back({1, 0, 0, 0, 0, "/lib/no-id.so", ""});
  const BuildNames names({&t});
  EXPECT_EQ(names.of("aa11"), "grep") << "the program's name, not another one of the same file";
  EXPECT_EQ(names.of("bb22"), "libc.so.6");
  EXPECT_EQ(names.of("0123456789abcdef"), "01234567");
  EXPECT_EQ(names.of(""), "?");
}

}  // namespace
}  // namespace sysvm
