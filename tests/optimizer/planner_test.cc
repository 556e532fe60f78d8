// SPDX-License-Identifier: MIT
// What is worth making ahead, given what programs went on to do.
#include "optimizer/make/planner.h"

#include <gtest/gtest.h>

#include "optimizer/learn/legality.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

class Planner : public testing::Test {
 protected:
  std::optional<Plan> planned(const std::string& calls, PlanLimits limits = {}) {
    trace_ = packed(recording(calls));
    streams_ = split_into_streams({&trace_});
    for (const Stream& s : streams_)
      for (size_t i = 0; i < s.calls.size(); ++i)
        if (is_open(static_cast<uint32_t>(s.calls[i]->nr())))
          occurrences_.push_back(std::make_unique<Occurrence>(follow(s, i, table_)));
    std::vector<const Occurrence*> all;
    for (const auto& o : occurrences_) all.push_back(o.get());
    return plan(all, limits, &why_);
  }
  static std::vector<std::string> steps(const std::optional<Plan>& p) {
    std::vector<std::string> out;
    if (!p) return out;
    for (const PlannedStep& s : p->steps) out.push_back(s.sources->key);
    return out;
  }

  PackedTrace trace_;
  std::vector<Stream> streams_;
  Sources table_;
  std::vector<std::unique_ptr<Occurrence>> occurrences_;
  std::string why_;
};

using Steps = std::vector<std::string>;

const std::string kStat =
    "openat(4, \"f%d\", O_RDONLY) = 3\nnewfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=99}, "
    "AT_EMPTY_PATH) = 0\n";
const std::string kDone = "close(3) = 0\n";
const std::string kRead = "read(3, buf, 4096) = 99\nread(3, buf, 4096) = 0\n";
const Steps kStatOnly = {"newfstatat(fd, \"\", buf, 0x1000)"};
const Steps kStatAndRead = {"newfstatat(fd, \"\", buf, 0x1000)", "read(fd, buf, size)"};

// Two calls are saved where it is right, one is made for nothing and taken back where it is wrong.
TEST_F(Planner, GoesAsFarAsMostDo) {
  EXPECT_EQ(steps(planned(repeated(60, kStat + kRead + kDone) + repeated(40, kStat + kDone))), kStatAndRead);
}

TEST_F(Planner, StopsWhereTooFewGoOn) {
  const std::optional<Plan> p = planned(repeated(40, kStat + kRead + kDone) + repeated(60, kStat + kDone));
  EXPECT_EQ(steps(p), kStatOnly);
  EXPECT_EQ(p->seen, 100u);
}

TEST_F(Planner, ABetThatIsLostIsMadeGoodByWhatFollows) {
  // One fadvise in three is for nothing, but behind it come four calls.
  const std::string advise = "fadvise64(3, 0, 0, 2) = 0\n";
  EXPECT_EQ(steps(planned(repeated(66, kStat + advise + kRead + kDone) + repeated(34, kStat + kDone))).size(),
            3u);
}

TEST_F(Planner, FilesAndDirectoriesAreNotMixed) {
  const std::string directory =
      "openat(4, \"d%d\", O_RDONLY) = 3\n"
      "newfstatat(3, \"\", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0\n" +
      kDone;
  const std::optional<Plan> p = planned(repeated(20, kStat + kRead + kDone) + repeated(80, directory));
  ASSERT_TRUE(p);
  EXPECT_EQ(p->kind, FileKind::kRegular);  // the guard's fstat answers directories too
  EXPECT_EQ(steps(p), kStatAndRead);
  EXPECT_EQ(p->seen, 20u);
}

TEST_F(Planner, ReadsAreUnrolledAsFarAsTheLongestCommonFileNeeds) {
  std::string calls;
  for (int reads = 1; reads <= 5; ++reads)
    calls += repeated(20, kStat + repeated(reads - 1, "read(3, buf, 4096) = 4096") + kRead + kDone);
  const std::optional<Plan> p = planned(calls);
  ASSERT_EQ(steps(p), kStatAndRead);
  EXPECT_EQ(p->steps[1].repeats, 5u);
  EXPECT_EQ(p->steps[1].size, 4096u);
  EXPECT_TRUE(p->steps[1].end_call);
}

TEST_F(Planner, UnrolledReadsFitTheStagingArea) {
  PlanLimits limits;
  limits.staging = 40 * 1024;
  const std::optional<Plan> p =
      planned(repeated(20, kStat + repeated(30, "read(3, buf, 4096) = 4096") + kRead + kDone), limits);
  ASSERT_EQ(steps(p), kStatAndRead);
  EXPECT_LE(p->steps[1].repeats * p->steps[1].size, limits.staging);
  EXPECT_GT(p->steps[1].repeats, 4u);
}

TEST_F(Planner, AProgramThatStopsAtAShortReadGetsNoReadOfTheEnd) {
  const std::optional<Plan> p = planned(repeated(20, kStat + "read(3, buf, 4096) = 99\n" + kDone));
  ASSERT_EQ(steps(p), kStatAndRead);
  EXPECT_FALSE(p->steps[1].end_call);
}

TEST_F(Planner, AProgramThatReadsOnlyTheFirstBlockGoesOnBehindIt) {
  const std::optional<Plan> p =
      planned(repeated(20, kStat + "read(3, buf, 4096) = 4096\nlseek(3, 0, SEEK_CUR) = 4096\n" + kDone));
  ASSERT_EQ(steps(p).size(), 3u);
  EXPECT_TRUE(p->steps[1].after_full);
}

TEST_F(Planner, WhatFailsInNormalLifeGoesOn) {
  const std::optional<Plan> p =
      planned(repeated(20, kStat + "ioctl(3, TCGETS, buf) = -25\n" + kRead + kDone));
  ASSERT_EQ(steps(p).size(), 3u);
  EXPECT_FALSE(p->steps[0].go_on);
  EXPECT_TRUE(p->steps[1].go_on);
}

TEST_F(Planner, FailedTriggersDoNotCount) {
  const std::optional<Plan> p =
      planned(repeated(20, kStat + kRead + kDone) + repeated(500, "openat(4, \"x\", O_RDONLY) = -2"));
  ASSERT_EQ(steps(p), kStatAndRead);
  EXPECT_EQ(p->seen, 20u);
  EXPECT_EQ(p->failed, 500u);
}

TEST_F(Planner, SaysWhyThereIsNoPlan) {
  EXPECT_FALSE(planned(
      repeated(20, "openat(4, \"f\", O_RDONLY) = 3\nmmap(0, 9, PROT_READ, MAP_PRIVATE, 3, 0) = 4096\n")));
  EXPECT_EQ(why_, "mmap changes the process itself");
}

}  // namespace
}  // namespace sysvm
