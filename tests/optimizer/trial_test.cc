// SPDX-License-Identifier: MIT
// Trying emitted code on recordings: what it answers, what it wastes, and that wrong answers are noticed.
#include "optimizer/prove/trial.h"

#include <gtest/gtest.h>

#include "optimizer/make/emit.h"
#include "procedures/assembler.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

class Trial : public testing::Test {
 protected:
  // The occurrences of the opens with these flags.
  std::vector<const Occurrence*> opens_of(const std::string& calls) {
    trace_ = packed(recording(calls));
    streams_ = split_into_streams({&trace_});
    std::vector<const Occurrence*> out;
    for (const Stream& s : streams_)
      for (size_t i = 0; i < s.calls.size(); ++i)
        if (is_open(static_cast<uint32_t>(s.calls[i]->nr())))
          occurrences_.push_back(std::make_unique<Occurrence>(follow(s, i, table_)));
    for (const auto& o : occurrences_) out.push_back(o.get());
    return out;
  }
  Procedure procedure(const std::vector<const Occurrence*>& occurrences) {
    const std::optional<Plan> best = plan(occurrences, {}, nullptr);
    EXPECT_TRUE(best);
    Result<Emitted> emitted = emit_run_ahead(*best, true);
    EXPECT_TRUE(emitted) << emitted.message();
    emitted->proc.code = assemble(emitted->text).value();
    return emitted->proc;
  }

  Result<TrialTotals> tried(const Procedure& proc, const std::vector<const Occurrence*>& occurrences) {
    return Trials(cost_, /*late_close=*/true).of(proc, occurrences);
  }

  CostModel cost_;
  PackedTrace trace_;
  std::vector<Stream> streams_;
  Sources table_;
  std::vector<std::unique_ptr<Occurrence>> occurrences_;
};

TEST_F(Trial, AnswersWhatTheKernelAnswered) {
  const auto occurrences = opens_of(repeated(5, kMd5sum));
  const Result<TrialTotals> r = tried(procedure(occurrences), occurrences);
  ASSERT_TRUE(r) << r.message();
  EXPECT_EQ(r->runs, 5u);
  EXPECT_EQ(r->hits, 25u);
  EXPECT_EQ(r->misses, 0u);
  EXPECT_EQ(r->wrong, 0u);
  EXPECT_EQ(r->inner, 30u);  // the trigger and five followers, no other call
}

TEST_F(Trial, WhatIsNotUsedIsAMissAndUndone) {
  const std::string stops_early =
      "openat(4, \"g\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3\n"
      "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=10}, AT_EMPTY_PATH) = 0\n"
      "close(3) = 0\n";
  const auto occurrences = opens_of(repeated(9, kGrepFile) + stops_early);
  const Result<TrialTotals> r = tried(procedure(occurrences), occurrences);
  ASSERT_TRUE(r) << r.message();
  EXPECT_EQ(r->hits, 28u);
  EXPECT_EQ(r->misses, 1u);
  EXPECT_EQ(r->undone, 0u);  // the close makes taking back needless
}

TEST_F(Trial, ADirectoryStopsAtTheGuardOfAFileProcedure) {
  const std::string directory =
      "openat(4, \"g\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3\n"
      "newfstatat(3, \"\", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0\n"
      "close(3) = 0\n";
  const auto occurrences = opens_of(repeated(9, kGrepFile) + directory);
  const Result<TrialTotals> r = tried(procedure(occurrences), occurrences);
  ASSERT_TRUE(r) << r.message();
  EXPECT_EQ(r->hits, 28u);
  EXPECT_EQ(r->misses, 0u);
}

TEST_F(Trial, AFailedOpenMakesNothingElse) {
  const auto good = opens_of(repeated(5, kGrepFile));
  const Procedure proc = procedure(good);
  const PackedTrace failed =
      packed(recording("openat(4, \"x\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = -2\nbrk(0) = 0\n"));
  const std::vector<Stream> streams = split_into_streams({&failed});
  const Occurrence o = follow(streams[0], 0, table_);
  const Result<TrialTotals> r = tried(proc, {&o});
  ASSERT_TRUE(r) << r.message();
  EXPECT_EQ(r->inner, 1u);
}

TEST_F(Trial, AWrongAnswerIsNoticed) {
  const auto occurrences = opens_of(repeated(5, kMd5sum));
  Procedure proc = procedure(occurrences);
  std::swap(proc.followers[0].result, proc.followers[4].result);  // fadvise's answer and lseek's
  const Result<TrialTotals> r = tried(proc, occurrences);
  ASSERT_TRUE(r) << r.message();
  EXPECT_EQ(r->wrong, 10u);
  EXPECT_EQ(r->wrong_why, "lseek would be answered with 0, the kernel said 7893");
}

}  // namespace
}  // namespace sysvm
