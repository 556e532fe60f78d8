// SPDX-License-Identifier: MIT
#include "optimizer/mine/mine.h"

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

// Equal to an argument of an earlier call says nothing if that one is not known.
TEST(Mine, WhatIsEqualToSomethingUnknownIsNotKnown) {
  const MineReport r = mined(repeated(
      50,
      "newfstatat(4, \"a%d\", buf, 0) = 0\nnewfstatat(4, \"b%d\", buf, 0) = 0\nlgetxattr(\"b%d\", \"user.x\", buf, 9) = -61\n"));
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls[2].args[0], "=1.1");
  EXPECT_FALSE(r.sequences[0].calls[2].known);
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

// --- loops

TEST(Mine, ALoopWithinALoopIsFoldedWhateverItsRounds) {
  std::string calls;
  for (int i = 0; i < 40; ++i) {
    calls += "openat(4, \"d\", O_RDONLY) = 3\n";
    for (int k = 0; k <= i % 5; ++k) calls += "read(3, buf, 4096) = 4096\n";
    calls += "close(3) = 0\n";
  }
  const MineReport r = mined(calls);
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_TRUE(r.sequences[0].loop);
  EXPECT_EQ(r.sequences[0].count, 40u);
  EXPECT_EQ(r.sequences[0].events, r.calls);
  EXPECT_THAT(texts(r.sequences[0]),
              ElementsAre("openat(4, \"d\", 0, 0) = fd", "read(#0, buf, 4096) = 4096", "close(#0) = 0"));
}

TEST(Mine, TwoEqualCallsInARowAreNoLoop) {
  const MineReport r = mined(repeated(20, "getppid() = 1\ngetppid() = 1\ngetpgrp() = 1\n"));
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls.size(), 3u);
}

TEST(Mine, ARoundBeginsWithItsOpen) {
  const MineReport r =
      mined("close(3) = 0\n" + repeated(30, "openat(4, \"d\", O_RDONLY) = 3\nclose(3) = 0\n"));
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls[0].name, "openat");
}

TEST(Mine, NothingGoesOverAGapOrASignal) {
  EXPECT_TRUE(mined(repeated(30, "getppid() = 1\n..\n")).sequences.empty());
  EXPECT_TRUE(mined(repeated(30, "getppid() = 1\n-- SIGALRM\n")).sequences.empty());
}

TEST(Mine, TheSameCallFromAnotherPlaceIsAnotherCall) {
  Trace trace = recording(repeated(40, "getppid() = 1\ngetpgrp() = 1\n"));
  Mapping text;
  text.pid = 100;
  text.start = 0x1000;
  text.end = 0x9000;
  text.path = "/lib/x";
  text.build_id = "0011";
  trace.mappings.push_back(text);
  for (size_t i = 0; i < trace.events.size(); ++i) trace.events[i].ip = 0x2000 + 16 * (i / 2 % 2);
  const MineReport r = mine({&trace});
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls.size(), 4u);  // not two: every other round is made elsewhere
}

// --- data flow

std::vector<std::string> flow(const std::string& calls) {
  const MineReport r = mined(calls);
  return r.sequences.empty() ? std::vector<std::string>{} : texts(r.sequences[0]);
}

TEST(Flow, TheSizeThatStatTold) {
  std::string calls;
  for (int i = 0; i < 30; ++i)
    calls +=
        "openat(4, \"d\", O_RDONLY) = 3\nfstat(3, {st_mode=S_IFREG, st_size=" + std::to_string(100 + i * 7) +
        "}) = 0\nread(3, buf, " + std::to_string(101 + i * 7) + ") = " + std::to_string(100 + i * 7) + "\n";
  EXPECT_THAT(flow(calls), testing::Contains("read(#0, buf, #1.st_size+1) = n"));
}

TEST(Flow, WhatIsLeftOfARequest) {
  std::string calls;
  for (int i = 1; i < 30; ++i)
    calls += "openat(4, \"d\", O_RDONLY) = 3\nread(3, buf, 1000) = " + std::to_string(i * 3) +
             "\nread(3, buf, " + std::to_string(1000 - i * 3) + ") = 0\n";
  EXPECT_THAT(flow(calls), testing::Contains("read(#0, buf, =1.2-#1) = 0"));
}

TEST(Flow, AFixedStep) {
  std::string calls;
  for (int i = 0; i < 30; ++i)
    calls += "pread64(3, buf, 512, " + std::to_string(i * 512) + ") = 512\ngetppid() = 1\n";
  EXPECT_THAT(flow(calls), ElementsAre("pread64(3, buf, 512, +512) = 512", "getppid() = 1"));
}

// epoll_wait gave descriptor 5 or 7; what it gave is read. {u32 events, u64 data}, packed, as the kernel has
// it.
TEST(Flow, TheDescriptorThatIsReady) {
  std::string calls;
  for (int i = 0; i < 30; ++i) {
    const std::string fd = i % 2 ? "7" : "5";
    calls += "epoll_wait(4, buf, 16, -1) = 1\nread(" + fd + ", buf, 512) = 512\n";
  }
  Trace trace = recording(calls);
  for (size_t i = 0; i < trace.events.size(); i += 2) {
    Event& wait = trace.events[i];
    std::string bytes(12, '\0');
    bytes[0] = 1;
    bytes[4] = static_cast<char>(trace.events[i + 1].args[0]);
    wait.data_kind = DataKind::kEpoll;
    wait.flags |= kHasData;
    wait.data = static_cast<uint32_t>(trace.strings.size());
    trace.strings.push_back(bytes);
  }
  const MineReport ready = mine({&trace});
  ASSERT_FALSE(ready.sequences.empty());
  EXPECT_THAT(texts(ready.sequences[0]), testing::Contains("read(#0.ready, buf, 512) = 512"));
  trace.events[1].args[0] = 9;  // one that it did not give
  const MineReport other = mine({&trace});
  EXPECT_THAT(texts(other.sequences[0]), testing::Contains("read(*, buf, 512) = 512"));
}

TEST(Flow, ExactlyTheSizeThatStatTold) {
  std::string calls;
  for (int i = 0; i < 30; ++i)
    calls += "fstat(3, {st_mode=S_IFREG, st_size=" + std::to_string(100 + i * 7) + "}) = 0\nread(3, buf, " +
             std::to_string(100 + i * 7) + ") = " + std::to_string(100 + i * 7) + "\n";
  EXPECT_THAT(flow(calls), testing::Contains("read(=0.0, buf, #0.st_size) = n"));
}

TEST(Flow, OneCounterExampleIsEnough) {
  const std::string round = "openat(4, \"d\", O_RDONLY) = 3\nfcntl(3, F_GETFD) = 0\n";
  EXPECT_THAT(flow(repeated(30, round)), testing::Contains("fcntl(#0, F_GETFD) = 0"));
  const std::string other = "openat(4, \"d\", O_RDONLY) = 5\nfcntl(3, F_GETFD) = 0\n";
  const MineReport r = mined(repeated(30, round) + other + repeated(9, round));
  EXPECT_THAT(texts(r.sequences[0]), testing::Contains("fcntl(3, F_GETFD) = 0"));
  EXPECT_EQ(r.sequences[0].failed, 0u);  // a constant is left
}

TEST(Flow, ASourceThatFailsOnWhatWasHeldOutIsTold) {
  const std::string round = "getppid() = 1\npread64(3, buf, 512, 0) = 512\n";
  const MineReport r = mined(repeated(38, round) + "getppid() = 1\npread64(3, buf, 512, 7) = 512\n" + round);
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].held_out, 8u);
  EXPECT_EQ(r.sequences[0].failed, 1u);
  EXPECT_FALSE(r.sequences[0].calls[1].known);
}

// --- several recordings

TEST(Merge, OrderDoesNotMatterAndTextKeepsEverything) {
  const Trace a = recording(repeated(20, kGrepFile)),
              b = recording(repeated(30, kMd5sum) + repeated(9, kGrepFile)),
              c = recording(repeated(5, kGrepDirectory));
  const MinePart pa = mine_part(a), pb = mine_part(b), pc = mine_part(c);
  MinePart left, right;
  for (const MinePart* p : {&pa, &pb, &pc}) merge(left, *p);
  for (const MinePart* p : {&pc, &pb, &pa}) merge(right, *p);
  EXPECT_EQ(left, right);
  MinePart inner = pb;
  merge(inner, pc);
  MinePart outer = pa;
  merge(outer, inner);
  EXPECT_EQ(outer, left);
  const Result<MinePart> again = mine_part_from_json(to_json(left));
  ASSERT_TRUE(again) << again.message();
  EXPECT_EQ(*again, left);
  EXPECT_EQ(left.calls, pa.calls + pb.calls + pc.calls);
  EXPECT_EQ(mine({&a, &b, &c}).covered, report(left).covered);
}

TEST(Merge, ACounterExampleInOneRecordingDropsTheSource) {
  const Trace a = recording(repeated(20, "getppid() = 1\npread64(3, buf, 512, 0) = 512\n"));
  const Trace b = recording(repeated(20, "getppid() = 1\npread64(3, buf, 512, %d) = 512\n"));
  EXPECT_EQ(mine({&a}).sequences[0].calls[1].args[3], "0");
  EXPECT_EQ(mine({&b}).sequences[0].calls[1].args[3], "+1");
  EXPECT_EQ(mine({&a, &b}).sequences[0].calls[1].args[3], "*");
  EXPECT_EQ(mine({&a, &b}).sequences[0].count, 40u);
  EXPECT_EQ(mine({&a, &b}).sequences[0].contradicted, 1u);
  EXPECT_EQ(mine({&b, &b}).sequences[0].contradicted, 0u);
}

TEST(Merge, WhatIsNoPartIsRefused) {
  EXPECT_FALSE(mine_part_from_json("{}"));
  EXPECT_FALSE(mine_part_from_json("{\"sysvm_mine_part\":1}"));
  EXPECT_FALSE(mine_part_from_json("no"));
}

TEST(Mine, AnEmptyRecordingAndOneCallAreNoSequences) {
  EXPECT_TRUE(mined("").sequences.empty());
  EXPECT_EQ(mined("getppid() = 1\n").calls, 1u);
  EXPECT_TRUE(mined("getppid() = 1\n").sequences.empty());
}

}  // namespace
}  // namespace sysvm
